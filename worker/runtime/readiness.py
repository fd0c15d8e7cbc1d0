"""Readiness of the service: both kinds of workers answer, and an intake is active."""

from sqlalchemy.exc import SQLAlchemyError

from db.engine import connect
from db.locks import INTAKE_LOCK, is_locked
from worker.celery_ext.broker import broker_of
from worker.celery_ext.queues import answering_workers
from worker.settings import Settings


def is_ready(configured: Settings) -> bool:
    """Returns whether all of them work, after at most about a second; False while a server does not answer."""
    try:
        with connect(configured.required("database_url")) as connection:
            active = is_locked(connection, INTAKE_LOCK)
    except (SQLAlchemyError, OSError):
        return False
    return active and {"flow", "ai"} <= answering_workers(broker_of(configured))
