"""Attempts of swept turns: counted before they run, taken back where a failure is not theirs; and turns that fail,
given back to the sweep.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

import msgspec
from msgspec import Struct
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from db import queries, retry
from worker.log import logger
from worker.replies.closing import Closing
from worker.session.turn import Turn
from worker.steps.locked_customers import around, locked_lease_s, set_aside
from worker.steps.services import Services

Batch = Sequence[Turn]
Made = TypeVar("Made")
log = logger(__name__)


class Failure(Struct, frozen=True):
    """Failed turn as `release_turns` takes it; `error` is the kind of its error."""

    customer_phone: str
    token: str
    message_ids: tuple[int, ...]
    error: str


def each(services: Services, batch: Iterable[Turn], make: Callable[[Turn], Made]) -> list[Made]:
    """Results of `make` for every turn; one that fails is released to the sweep with the kind of its error."""
    made: list[Made] = []
    failures: list[Failure] = []
    for turn in batch:
        try:
            made.append(make(turn))
        except Exception as exc:
            log.exception("turn_failed", token=turn.token, error=type(exc).__name__)
            failures.append(failure(turn, type(exc).__name__))
    release(services, failures)
    return made


def failure(turn: Turn | Closing, error: str) -> Failure:
    """The failure of a turn."""
    return Failure(turn.customer_phone, turn.token, turn.message_ids, error)


def release(services: Services, failures: Sequence[Failure]) -> None:
    """Gives failed turns back to the sweep at once; locked ones are left to it when their leases end."""
    if failures:
        around(services, failures, lambda c, some: queries.release_turns(c, msgspec.to_builtins(list(some))))


def begin(services: Services, batch: Batch, lease_s: float) -> list[Turn]:
    """Counts and commits the attempts of swept turns, and lengthens their leases to `lease_s` from now.

    Returns:
        The batch without swept turns that are no longer ours, or of which somebody else holds rows.
    """
    swept = _swept(batch)
    if not swept:
        return list(batch)

    def count(connection: Connection, turns: Batch) -> dict[str, int]:
        return queries.begin_attempts(connection, _runs(turns) | {"lease_s": lease_s})

    counts, locked = around(services, swept, count)
    _leave(services, locked, counted=False)
    begun = {token for counted in counts for token in counted}
    return [turn for turn in batch if not turn.swept or turn.token in begun]


def suspend(services: Services, batch: Batch) -> list[Turn]:
    """Takes back the attempts of swept turns that go on to wait: were nobody there to take them, they would be given up
    for no fault of their own.

    Returns:
        The batch without turns of which somebody else holds rows.
    """
    locked: list[Turn] = []
    if swept := _swept(batch):
        _, locked = around(
            services, swept, lambda connection, turns: queries.suspend_attempts(connection, _runs(turns))
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
    """Swept turns in the form that the functions take which count their attempts."""
    return {
        "turns": [
            {"customer_phone": turn.customer_phone, "token": turn.token, "message_id": turn.messages[0].id}
            for turn in swept
        ]
    }
