"""What is changed in Celery and kombu, one concern a file."""
