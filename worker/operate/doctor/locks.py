"""Who holds rows of our tables in an open transaction: the customers they belong to wait for it."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Connection

from db import monitoring
from db.monitoring import LockHolder
from worker.operate.doctor.finding import Finding, failed, ok, warning
from worker.operate.wording import duration

CHECK = "locks"


def examine(connection: Connection) -> list[Finding]:
    """A finding for each holder; one alone where there is none."""
    return list(judge_locks(monitoring.lock_holders(connection)))


def judge_locks(holders: tuple[LockHolder, ...]) -> Iterator[Finding]:
    """Rows stop their customers only; a table stops everybody."""
    if not holders:
        yield ok(CHECK, "no open transaction holds rows of ours")
    for holder in holders:
        mend = (
            f"end it where it was begun, or with: select pg_terminate_backend({holder.pid})."
            " See docs/operations.md, 'a customer is locked'"
        )
        severity = failed if holder.whole_table else warning
        yield severity(f"{CHECK} of pid {holder.pid}", told(holder), mend)


def told(holder: LockHolder) -> str:
    """Who it is, since when, and what is held; nothing of a query, which may hold what customers wrote."""
    who = f"{holder.application or 'a program without a name'}, user {holder.username or 'unknown'}, {holder.state}"
    what = ("the whole of " if holder.whole_table else "rows of ") + ", ".join(holder.tables)
    if holder.since is None or holder.open_s is None:
        return f"{who}: holds {what}"
    return f"{who}: holds {what} for {duration(holder.open_s)}, since {holder.since:%Y-%m-%d %H:%M:%SZ}"
