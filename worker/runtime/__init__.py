"""Processes of the service: supervision, start-up, readiness, embedded servers."""
