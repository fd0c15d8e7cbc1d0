"""How often a message has been started: what the sweep brings again is counted, unless it is not its own fault."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from db import queries, retry
from worker.services import Services
from worker.session.turn import Turn

Batch = Sequence[Turn]


def begin(services: Services, batch: Batch, lease_s: float) -> list[Turn]:
    """The batch without swept turns that are no longer ours; the attempts of the others are counted and committed, and
    their leases last `lease_s` from now.
    """
    swept = _swept(batch)
    if not swept:
        return list(batch)
    runs = _runs(swept) | {"lease_s": lease_s}
    attempts = retry.run(services.engine, lambda connection: queries.begin_attempts(connection, runs))
    return [turn for turn in batch if not turn.swept or turn.token in attempts]


def suspend(services: Services, batch: Batch) -> None:
    """Takes back the attempts of swept turns that go on to wait: were nobody there to take them, they would be given up
    for no fault of their own.
    """
    if swept := _swept(batch):
        retry.run(services.engine, lambda connection: queries.suspend_attempts(connection, _runs(swept)))


def forgive(services: Services, batch: Batch, error: SQLAlchemyError) -> None:
    """Takes back the attempts of swept turns whose step PostgreSQL has failed: a disk that is full for minutes makes no
    dead letters. Tried once, since PostgreSQL has just been asked for seconds.
    """
    if (swept := _swept(batch)) and not retry.blames_a_value(error):
        with suppress(SQLAlchemyError), services.engine.connect() as connection:
            queries.suspend_attempts(connection, _runs(swept))


def _swept(batch: Batch) -> list[Turn]:
    return [turn for turn in batch if turn.swept]


def _runs(swept: Batch) -> dict[str, Any]:
    """Swept turns as the functions that count their attempts take them."""
    return {
        "turns": [
            {"customer_phone": turn.customer_phone, "token": turn.token, "message_id": turn.messages[0].id}
            for turn in swept
        ]
    }
