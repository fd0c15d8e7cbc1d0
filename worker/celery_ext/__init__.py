"""Changes to Celery and kombu, each in the file of what it changes; `tests/unit/test_celery_pinned.py` pins what they rely on."""
