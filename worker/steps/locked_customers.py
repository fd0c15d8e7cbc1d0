"""Locked customers: somebody else's open transaction holds a row of theirs. The rest of a batch does not wait for them.

Every commit of ours covers a batch. `lock_timeout` ends one that waits for a row (55P03); then those who are seen to be
locked are left out, and where nobody is, the batch is halved until the one at fault is alone.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from db import queries, retry
from worker.session.turn import Turn
from worker.steps.services import Services

Row = TypeVar("Row")
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class SplitCommit(Generic[Row, Result]):
    """How a batch is committed around those who are locked.

    commit: one call for rows of several customers; raises where a lock is waited for in vain. locked: which of these
    customers are locked, without waiting. phone_of: the customer of a row. until_s: when to leave all that is undecided
    (monotonic clock), so that a server that is slow for everybody is not asked for ever.
    """

    commit: Callable[[Sequence[Row]], Result]
    locked: Callable[[list[str]], set[str]]
    phone_of: Callable[[Row], str]
    until_s: float

    def done(self, rows: Sequence[Row], *, again: bool = False) -> tuple[list[Result], list[Row]]:
        """What the commits returned, and the rows of the customers who have to wait. The rows of one customer stay
        together and in order. again: these rows have failed before, and none was seen to be locked.
        """
        try:
            return [self.commit(rows)], []
        except DBAPIError as exc:
            if not retry.is_locked(exc):
                raise
        phones = sorted({self.phone_of(row) for row in rows})
        held = self.locked(phones) if time.monotonic() < self.until_s else set(phones)
        if len(phones) == 1 and (again or not held):
            held = set(phones)
        results: list[Result] = []
        left = [row for row in rows if self.phone_of(row) in held]
        for part in self._parts([phone for phone in phones if phone not in held], halved=not held):
            more, waiting = self.done([row for row in rows if self.phone_of(row) in part], again=not held)
            results += more
            left += waiting
        return results, left

    @staticmethod
    def _parts(phones: list[str], *, halved: bool) -> Iterator[set[str]]:
        middle = len(phones) // 2 if halved else 0
        return (set(part) for part in (phones[:middle], phones[middle:]) if part)


def around(
    services: Services,
    rows: Sequence[Row],
    commit: Callable[[Connection, Sequence[Row]], Result],
    phone_of: Callable[[Row], str],
) -> tuple[list[Result], list[Row]]:
    """One commit of a step over its rows, on a pooled connection; and the rows of those who are locked."""
    engine = services.engine

    def locked(phones: list[str]) -> set[str]:
        return retry.run(engine, lambda connection: queries.locked_for_commit(connection, phones))

    def committed(part: Sequence[Row]) -> Result:
        return retry.run(engine, lambda connection: commit(connection, part), waits_again=False)

    until_s = time.monotonic() + retry.GIVE_UP_AFTER_S
    return SplitCommit(committed, locked, phone_of, until_s).done(rows)


def phone_of_row(row: Mapping[str, Any]) -> str:
    """The customer of a row as the database functions take it."""
    return str(row["customer_phone"])


def phone_of_turn(turn: Turn) -> str:
    """The customer of a turn."""
    return turn.customer_phone


def locked_lease_s(services: Services) -> float:
    """How long a locked turn rests before the sweep looks at it again."""
    return min(queries.LOCKED_LEASE_S, services.settings.flow_lease_s)


def set_aside(services: Services, turns: Sequence[Turn], *, counted: bool, lease_s: float | None) -> None:
    """Leaves turns to the sweep within `lease_s` (None: when their leases end). counted: the attempt of a swept one has
    been counted and is taken back. Waits for nothing and is tried once: leases end by themselves.
    """
    if not turns:
        return
    runs = {"lease_s": lease_s, "turns": [_run(turn, counted=counted) for turn in turns]}
    with suppress(SQLAlchemyError), services.engine.connect() as connection:
        queries.set_aside(connection, runs)


def _run(turn: Turn, *, counted: bool) -> dict[str, Any]:
    message_id = turn.messages[0].id if turn.swept and counted else None
    return {"customer_phone": turn.customer_phone, "token": turn.token, "message_id": message_id}
