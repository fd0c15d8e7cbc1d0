"""Locked customers: somebody else's open transaction holds a row of theirs. The rest of a batch does not wait for them.

Every commit of ours covers a batch. `lock_timeout` ends one that waits for a row (55P03); then those who are seen to be
locked are left out, and where nobody is, the batch is halved until the one at fault is alone.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from db import queries, retry
from worker.settings import Settings


class OfCustomer(Protocol):
    """Row of one customer."""

    @property
    def customer_phone(self) -> str: ...


Row = TypeVar("Row", bound=OfCustomer)
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class SplitCommit(Generic[Row, Result]):
    """Commit of a batch around locked customers.

    Args:
        commit: one call for rows of several customers; raises where a lock is waited for in vain.
        locked: those of these customers who are locked, without waiting.
        until_s: time on the monotonic clock from which all that is undecided is left, so that a server that is slow for
            everybody is not asked for ever.
    """

    commit: Callable[[Sequence[Row]], Result]
    locked: Callable[[list[str]], set[str]]
    until_s: float

    def run(self, rows: Sequence[Row], *, again: bool = False) -> tuple[list[Result], list[Row]]:
        """Commits rows; those of one customer stay together and in order.

        Args:
            again: these rows have failed before, and none was seen to be locked.

        Returns:
            Results of the commits, and the rows of the customers who have to wait.
        """
        try:
            return [self.commit(rows)], []
        except DBAPIError as exc:
            if not retry.is_locked(exc):
                raise
        phones = sorted({row.customer_phone for row in rows})
        held = self.locked(phones) if time.monotonic() < self.until_s else set(phones)
        if len(phones) == 1 and (again or not held):
            held = set(phones)
        results: list[Result] = []
        left = [row for row in rows if row.customer_phone in held]
        for part in self._parts([phone for phone in phones if phone not in held], halved=not held):
            more, waiting = self.run([row for row in rows if row.customer_phone in part], again=not held)
            results += more
            left += waiting
        return results, left

    @staticmethod
    def _parts(phones: list[str], *, halved: bool) -> Iterator[set[str]]:
        middle = len(phones) // 2 if halved else 0
        return (set(part) for part in (phones[:middle], phones[middle:]) if part)


def commit_around_locked(
    engine: Engine, rows: Sequence[Row], commit: Callable[[Connection, Sequence[Row]], Result]
) -> tuple[list[Result], list[Row]]:
    """Commits a step's rows around locked customers, on a pooled connection; see SplitCommit.run."""

    def locked(phones: list[str]) -> set[str]:
        return retry.run(engine, lambda connection: queries.locked_for_commit(connection, phones))

    def committed(part: Sequence[Row]) -> Result:
        return retry.run(engine, lambda connection: commit(connection, part), waits_again=False)

    until_s = time.monotonic() + retry.GIVE_UP_AFTER_S
    return SplitCommit(committed, locked, until_s).run(rows)


def locked_lease_s(settings: Settings) -> float:
    """Rest of a locked turn before the sweep looks at it again."""
    return min(queries.LOCKED_LEASE_S, settings.flow_lease_s)
