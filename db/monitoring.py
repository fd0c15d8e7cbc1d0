"""What Prometheus is told from PostgreSQL. Every statement reads few rows, however many messages there have been:
a partial index that holds only what is unfinished, or the totals that a trigger keeps.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, text

#: Upper bounds of the latency histogram in milliseconds; the same as in `count_metrics_v2.sql`.
REPLY_BUCKETS_MS = (25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000, 60_000, 300_000, 1_800_000)

UNFINISHED = text("""
    select waiting.*, unpublished.*, dead.*, turns.*, sessions.*, exists (
        select from pg_locks where locktype = 'advisory' and classid = 0 and objid = :intake_lock and granted
    ) as intake_active
    from (select count(*) as waiting,
                 coalesce(extract(epoch from clock_timestamp() - min(accepted_at)), 0)::float8 as oldest_waiting_s
          from messages where state = 'accepted') waiting,
         (select count(*) as unpublished,
                 coalesce(extract(epoch from clock_timestamp() - min(answered_at)), 0)::float8 as oldest_unpublished_s
          from messages where reply is not null and published_at is null) unpublished,
         (select count(*) as dead from messages where state = 'dead') dead,
         (select count(*) filter (where lease_until > clock_timestamp()) as turns_under_way,
                 count(*) filter (where lease_until <= clock_timestamp()) as turns_overdue
          from turns where token is not null) turns,
         (select count(*) as active_sessions from customer_sessions where expires_at > now()) sessions
""")
TOTALS = text("select name, labels, value from metric_totals")
REVISION = text("select version_num from alembic_version")


@dataclass(frozen=True, slots=True)
class Unfinished:
    """What is under way or left over now. Ages in seconds, 0 where there is nothing."""

    waiting: int
    oldest_waiting_s: float
    unpublished: int
    oldest_unpublished_s: float
    dead: int
    turns_under_way: int
    turns_overdue: int
    active_sessions: int
    intake_active: bool


@dataclass(frozen=True, slots=True)
class Total:
    """A sum since the database was made; names and labels as `count_metrics_v2.sql` says."""

    name: str
    labels: Mapping[str, Any]
    value: int


def unfinished(connection: Connection, intake_lock: int) -> Unfinished:
    """One look. intake_lock: the advisory lock that the active intake holds."""
    found: Any = connection.execute(UNFINISHED, {"intake_lock": intake_lock}).mappings().one()
    return Unfinished(**found)


def totals(connection: Connection) -> tuple[Total, ...]:
    """All sums."""
    return tuple(Total(row.name, row.labels, row.value) for row in connection.execute(TOTALS))


def revision(connection: Connection) -> str | None:
    """The migration that the database is at; None where none has run to its end."""
    found: str | None = connection.execute(REVISION).scalar_one_or_none()
    return found
