"""How often a message has been started: what the sweep brings again is counted, unless it is not its own fault."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from db import queries, retry
from worker.log import logger
from worker.session.turn import Turn
from worker.steps.locked_customers import around, locked_lease_s, phone_of_turn, set_aside
from worker.steps.services import Services

Batch = Sequence[Turn]
log = logger(__name__)


def begin(services: Services, batch: Batch, lease_s: float) -> list[Turn]:
    """The batch without swept turns that are no longer ours, or of which somebody else holds rows; the attempts of the
    others are counted and committed, and their leases last `lease_s` from now.
    """
    swept = _swept(batch)
    if not swept:
        return list(batch)

    def count(connection: Connection, turns: Batch) -> dict[str, int]:
        return queries.begin_attempts(connection, _runs(turns) | {"lease_s": lease_s})

    counts, locked = around(services, swept, count, phone_of_turn)
    _leave(services, locked, counted=False)
    begun = {token for counted in counts for token in counted}
    return [turn for turn in batch if not turn.swept or turn.token in begun]


def suspend(services: Services, batch: Batch) -> list[Turn]:
    """Takes back the attempts of swept turns that go on to wait: were nobody there to take them, they would be given up
    for no fault of their own. The batch without those of which somebody else holds rows.
    """
    locked: list[Turn] = []
    if swept := _swept(batch):
        _, locked = around(
            services, swept, lambda connection, turns: queries.suspend_attempts(connection, _runs(turns)), phone_of_turn
        )
    _leave(services, locked, counted=True)
    return [turn for turn in batch if turn not in locked]


def leave_locked(services: Services, locked: Batch) -> None:
    """Gives turns back to the sweep whose step could not change rows that somebody else holds: no attempt."""
    _leave(services, locked, counted=True)


def _leave(services: Services, locked: Batch, *, counted: bool) -> None:
    if locked:
        log.warning("turns_locked", turns=len(locked), tokens=[turn.token for turn in locked])
    set_aside(services, locked, counted=counted, lease_s=locked_lease_s(services))


def forgive(services: Services, batch: Batch, error: SQLAlchemyError) -> None:
    """Takes back the attempts of swept turns whose step PostgreSQL has failed: a disk that is full for minutes makes no
    dead letters. Tried once, since PostgreSQL has just been asked for seconds.
    """
    if not retry.blames_a_value(error):
        set_aside(services, _swept(batch), counted=True, lease_s=None)


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
