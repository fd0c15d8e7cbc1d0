"""Whether the service does its work: both kinds of workers answer, and an intake is active."""

from __future__ import annotations

from celery import Celery
from kombu.exceptions import OperationalError
from sqlalchemy.exc import SQLAlchemyError

from db import queries
from db.engine import connect
from worker.celery_ext.broker import broker_of
from worker.intake.intake import INTAKE_LOCK
from worker.settings import Settings

PING_TIMEOUT_S = 0.5


def is_ready(configured: Settings) -> bool:
    """One look, at most about a second. False as well while a server does not answer."""
    broker = broker_of(configured)
    with Celery(broker=broker.url, set_as_current=False) as operator:
        operator.conf.update(broker_transport_options=broker.options, broker_use_ssl=broker.tls)
        try:
            with connect(configured.required("database_url")) as connection:
                active = queries.is_locked(connection, INTAKE_LOCK)
            answers = operator.control.ping(timeout=PING_TIMEOUT_S) if active else []
        except (SQLAlchemyError, OperationalError, OSError):
            return False
    return {"flow", "ai"} <= {name.split("@")[0] for answer in answers for name in answer}
