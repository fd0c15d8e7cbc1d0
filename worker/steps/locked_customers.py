"""Locked customers: somebody else's open transaction holds a row of theirs. The rest of a batch does not wait for them.

Every commit of ours covers a batch. `lock_timeout` ends one that waits for a row (55P03); then those who are seen to be
locked are left out, and where nobody is, the batch is halved until the one at fault is alone.
"""

import time
from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

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


def around_locked(
    rows: Sequence[Row], commit: Callable[[Sequence[Row]], Result], locked: Callable[[list[str]], set[str]]
) -> tuple[list[Result], list[Row]]:
    """Commits rows around locked customers; those of one customer stay together and in order. After a while all that is
    undecided is left, so that a server that is slow for everybody is not asked for ever.

    Args:
        commit: one call for rows of several customers; raises where a lock is waited for in vain.
        locked: those of these customers who are locked, without waiting.

    Returns:
        Results of the commits, and the rows of the customers who have to wait.
    """
    until_s = time.monotonic() + retry.GIVE_UP_AFTER_S

    def attempt(some: Sequence[Row], *, unseen: bool) -> tuple[list[Result], list[Row]]:
        """Commits some of them. unseen: they have failed before, and none was seen to be locked."""
        try:
            return [commit(some)], []
        except DBAPIError as exc:
            if not retry.is_locked(exc):
                raise
        phones = sorted({row.customer_phone for row in some})
        held = locked(phones) if time.monotonic() < until_s else set(phones)
        if len(phones) == 1 and (unseen or not held):
            held = set(phones)
        results, left = list[Result](), [row for row in some if row.customer_phone in held]
        free = [phone for phone in phones if phone not in held]
        middle = 0 if held else len(free) // 2
        for part in filter(None, (set(free[:middle]), set(free[middle:]))):
            more, waiting = attempt([row for row in some if row.customer_phone in part], unseen=not held)
            results += more
            left += waiting
        return results, left

    return attempt(rows, unseen=False)


def commit_around_locked(
    engine: Engine, rows: Sequence[Row], commit: Callable[[Connection, Sequence[Row]], Result]
) -> tuple[list[Result], list[Row]]:
    """Commits a step's rows around locked customers, on a pooled connection; see around_locked."""

    def committed(part: Sequence[Row]) -> Result:
        return retry.run(engine, lambda connection: commit(connection, part), waits_again=False)

    def locked(phones: list[str]) -> set[str]:
        return retry.run(engine, lambda connection: queries.locked_for_commit(connection, phones))

    return around_locked(rows, committed, locked)


def locked_lease_s(settings: Settings) -> float:
    """Rest of a locked turn before the sweep looks at it again."""
    return min(queries.LOCKED_LEASE_S, settings.flow_lease_s)
