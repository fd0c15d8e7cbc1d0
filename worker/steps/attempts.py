"""Attempts of swept turns, counted and uncounted; and giving turns back to the sweep, which starts them again.

An attempt is counted before it runs, and uncounted where the turn only waits or fails for no fault of its own.
"""

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import Any, TypeVar

import msgspec
from msgspec import Struct
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from db import queries, retry
from worker.log import logger
from worker.replies.closing import Closing
from worker.session.turn import Turn
from worker.steps.locked_customers import commit_around_locked, locked_lease_s
from worker.steps.services import Services

Batch = Sequence[Turn]
Result = TypeVar("Result")
log = logger(__name__)


class Failure(Struct, frozen=True):
    """Failed turn as `release_turns` takes it; `error` is the kind of its error."""

    customer_phone: str
    token: str
    message_ids: tuple[int, ...]
    error: str


def map_turns(services: Services, batch: Iterable[Turn], make: Callable[[Turn], Result]) -> list[Result]:
    """Results of `make` for every turn; one that fails is given back to the sweep with the kind of its error."""
    results: list[Result] = []
    failures: list[Failure] = []
    for turn in batch:
        try:
            results.append(make(turn))
        except Exception as exc:
            log.exception("turn_failed", token=turn.token, error=type(exc).__name__)
            failures.append(failure(turn, type(exc).__name__))
    give_back_failed(services, failures)
    return results


def failure(turn: Turn | Closing, error: str) -> Failure:
    """The failure of a turn."""
    return Failure(turn.customer_phone, turn.token, turn.message_ids, error)


def count_attempts(services: Services, batch: Batch, lease_s: float) -> list[Turn]:
    """Counts and commits the attempts of swept turns, and lengthens their leases to `lease_s` from now.

    Returns:
        The batch without swept turns that are no longer ours, or of which somebody else holds rows.
    """
    swept = _swept(batch)
    if not swept:
        return list(batch)

    def count(connection: Connection, turns: Batch) -> dict[str, int]:
        return queries.begin_attempts(connection, {"turns": [_run(turn) for turn in turns], "lease_s": lease_s})

    counts, locked = commit_around_locked(services.engine, swept, count)
    give_back_locked(services, locked, counted=False)
    begun = {token for counted in counts for token in counted}
    return [turn for turn in batch if not turn.swept or turn.token in begun]


def uncount_attempts(services: Services, batch: Batch) -> list[Turn]:
    """Takes back the attempts of swept turns that go on to wait: were nobody there to take them, they would be given up
    for no fault of their own.

    Returns:
        The batch without turns of which somebody else holds rows.
    """

    def uncount(connection: Connection, turns: Batch) -> None:
        queries.suspend_attempts(connection, {"turns": [_run(turn) for turn in turns]})

    if not (swept := _swept(batch)):
        return list(batch)
    _, locked = commit_around_locked(services.engine, swept, uncount)
    give_back_locked(services, locked)
    return [turn for turn in batch if turn not in locked]


def give_back_failed(services: Services, failures: Sequence[Failure]) -> None:
    """Gives failed turns back to the sweep at once; locked ones are left to it when their leases end."""

    def release(connection: Connection, some: Sequence[Failure]) -> None:
        queries.release_turns(connection, msgspec.to_builtins(list(some)))

    if failures:
        commit_around_locked(services.engine, failures, release)


def give_back_blameless(services: Services, batch: Batch, error: SQLAlchemyError) -> None:
    """Gives swept turns back whose step PostgreSQL has failed, uncounted: a disk that is full for minutes makes no dead
    letters.
    """
    if not retry.blames_a_value(error):
        _give_back(services, _swept(batch), counted=True, lease_s=None)


def give_back_locked(services: Services, locked: Batch, *, counted: bool = True) -> None:
    """Gives turns back whose step could not change rows that somebody else holds: no attempt, also where it was
    `counted`.
    """
    if locked:
        log.warning("turns_locked", turns=len(locked), tokens=[turn.token for turn in locked])
    _give_back(services, locked, counted=counted, lease_s=locked_lease_s(services.settings))


def _give_back(services: Services, turns: Batch, *, counted: bool, lease_s: float | None) -> None:
    """Gives turns back, their attempts uncounted. Waits for nothing and is tried once: leases end by themselves.

    Args:
        counted: the attempt of a swept turn has been counted.
        lease_s: within this time, None for when their leases end.
    """
    if not turns:
        return
    runs = [_run(turn, counted=counted and turn.swept) for turn in turns]
    with suppress(SQLAlchemyError), services.engine.connect() as connection:
        queries.set_aside(connection, {"lease_s": lease_s, "turns": runs})


def _swept(batch: Batch) -> list[Turn]:
    return [turn for turn in batch if turn.swept]


def _run(turn: Turn, *, counted: bool = True) -> dict[str, Any]:
    """A turn in the form that the functions take which count its attempt; without a message there is none to count."""
    message_id = turn.messages[0].id if counted else None
    return {"customer_phone": turn.customer_phone, "token": turn.token, "message_id": message_id}
