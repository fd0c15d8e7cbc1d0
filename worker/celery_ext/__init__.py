"""Changes to Celery and kombu, each beside what it changes; `tests/unit/test_celery_pinned.py` pins what they need."""
