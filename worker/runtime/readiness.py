"""Whether the service does its work: both kinds of workers answer, and an intake is active."""

from __future__ import annotations

from sqlalchemy.exc import SQLAlchemyError

from db.engine import connect
from db.locks import INTAKE_LOCK, is_locked
from worker.celery_ext.broker import broker_of
from worker.celery_ext.queues import answering_workers
from worker.settings import Settings


def is_ready(configured: Settings) -> bool:
    """One look, at most about a second. False as well while a server does not answer."""
    try:
        with connect(configured.required("database_url")) as connection:
            active = is_locked(connection, INTAKE_LOCK)
    except (SQLAlchemyError, OSError):
        return False
    return active and {"flow", "ai"} <= answering_workers(broker_of(configured))
