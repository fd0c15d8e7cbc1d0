"""Changes to Celery and kombu, one concern a file; `tests/unit/test_celery_pinned.py` pins what they rely on."""
