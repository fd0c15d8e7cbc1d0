"""Whether the service does its work: both kinds of workers answer, and an intake is active."""

from __future__ import annotations

from sqlalchemy.exc import SQLAlchemyError

from db import queries
from worker.intake import INTAKE_LOCK
from worker.services import services

PING_TIMEOUT_S = 0.5


def is_ready() -> bool:
    """One look, at most about a second. False as well while a server does not answer."""
    from worker.app import app

    try:
        with services().engine.connect() as connection:
            active = queries.is_locked(connection, INTAKE_LOCK)
        nodes = {name.split("@")[0] for answer in app.control.ping(timeout=PING_TIMEOUT_S) for name in answer}
    except (SQLAlchemyError, OSError, app.connection_for_read().connection_errors):
        return False
    return active and {"flow", "ai"} <= nodes
