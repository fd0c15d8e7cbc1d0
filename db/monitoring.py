"""Live state of PostgreSQL. Every statement reads few rows, however many messages there have been: a partial index that
holds only what is unfinished, or the totals that a trigger keeps.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, text

from db.customers import RECENT, WAITS
from db.locks import ADVISORY, INTAKE_LOCK

#: Upper bounds of the latency histogram in milliseconds; the same as in `count_metrics_v4.sql`.
REPLY_BUCKETS_MS = (25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000, 60_000, 300_000, 1_800_000)

UNFINISHED = text(f"""
    select waiting.*, unpublished.*, dead.*, turns.*, sessions.*, people.*, unattended.*, exists (
        select from pg_locks where {ADVISORY} and objid = {INTAKE_LOCK} and granted
    ) as intake_active
    from (select count(*) as waiting,
                 coalesce(extract(epoch from clock_timestamp() - min(accepted_at)), 0)::float8 as oldest_waiting_s
          from messages where state = 'accepted') waiting,
         (select count(*) as unpublished,
                 coalesce(extract(epoch from clock_timestamp() - min(at)), 0)::float8 as oldest_unpublished_s
          from (select answered_at as at from messages where reply is not null and published_at is null
                union all select at from order_events where published_at is null) due) unpublished,
         (select count(*) as dead from messages where state = 'dead') dead,
         (select count(*) filter (where lease_until > clock_timestamp()) as turns_under_way,
                 count(*) filter (where lease_until <= clock_timestamp()) as turns_overdue
          from turns where token is not null) turns,
         (select count(*) as active_sessions from customer_sessions where expires_at > now()) sessions,
         (select count(*) filter (where until > now()) as people_waiting,
                 count(*) filter (where until <= now() and {RECENT}) as people_unattended,
                 -- The workers' clocks may be ahead of this one.
                 greatest(extract(epoch from now() - min(since) filter (
                     where until > now() and reason <> 'person_wrote')), 0)::float8 as oldest_person_s
          from ({WAITS}) waits) people,
         (select count(*) as orders_unattended,
                 coalesce(extract(epoch from clock_timestamp() - min(status_at)), 0)::float8 as oldest_unattended_s
          from orders where status = 'received' and status_at is not null) unattended
""")  # noqa: S608  a constant of ours
#: Transactions that have been open for a while and hold rows, or the whole, of a table in which a held row makes
#: customers wait: the road writes it, or (products) refers to its rows. Of other users' sessions an ordinary user sees
#: neither state nor times: such a one counts however young it may be.
LOCK_HOLDERS = text("""
    select a.pid, coalesce(a.application_name, '') as application, coalesce(a.usename, '') as username,
           coalesce(a.state, 'unknown') as state, a.xact_start as since,
           extract(epoch from clock_timestamp() - a.xact_start)::float8 as open_s,
           array_agg(distinct c.relname::text order by c.relname::text) as tables,
           bool_or(l.mode <> all (array['RowShareLock', 'RowExclusiveLock'])) as whole_table
    from pg_locks l join pg_class c on c.oid = l.relation join pg_stat_activity a on a.pid = l.pid
    where l.locktype = 'relation' and l.granted and l.pid <> pg_backend_pid()
      and l.database = (select oid from pg_database where datname = current_database())
      and l.mode <> all (array['AccessShareLock', 'ShareUpdateExclusiveLock'])
      and c.relnamespace = 'public'::regnamespace and c.relname = any ('{
          ai_metrics, call_hours, channel_hours, customer_sessions, customers, events, latency_hours, messages,
          metric_hours, metric_totals, order_events, order_items, orders, products, turns}')
      and coalesce(a.xact_start < clock_timestamp() - make_interval(secs => :older_than_s), true)
      and coalesce(a.backend_type, 'client backend') = 'client backend'
    group by a.pid, a.application_name, a.usename, a.state, a.xact_start order by a.xact_start
""")
#: None of our own transactions lasts as long.
LONG_OPEN_S = 5.0
TOTALS = text("select name, labels, value from metric_totals")
REVISION = text("select version_num from alembic_version")


@dataclass(frozen=True, slots=True)
class Unfinished:
    """Work that is under way or left over now. Ages in seconds, 0 where there is nothing.

    Args:
        people_waiting: customers who wait for a person; oldest_person_s: since when the first of them does.
        people_unattended: those whose wait has ended within a day, and whom nobody has resumed.
        unpublished: replies and events of orders.
        orders_unattended: orders that nobody of the shop has moved on from `received`.
    """

    waiting: int
    oldest_waiting_s: float
    unpublished: int
    oldest_unpublished_s: float
    dead: int
    turns_under_way: int
    turns_overdue: int
    active_sessions: int
    intake_active: bool
    people_waiting: int = 0
    people_unattended: int = 0
    oldest_person_s: float = 0.0
    orders_unattended: int = 0
    oldest_unattended_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Total:
    """Sum since the database was made; names and labels as `count_metrics_v4.sql` says."""

    name: str
    labels: Mapping[str, Any]
    value: int


@dataclass(frozen=True, slots=True)
class LockHolder:
    """Session whose open transaction holds rows of the tables, or a whole one.

    Args:
        since, open_s: None where only the server's owner may see them.
    """

    pid: int
    application: str
    username: str
    state: str
    since: datetime | None
    open_s: float | None
    tables: list[str]
    whole_table: bool


def lock_holders(connection: Connection, older_than_s: float = LONG_OPEN_S) -> tuple[LockHolder, ...]:
    """Returns the holders of what the road writes to, the oldest first."""
    found = connection.execute(LOCK_HOLDERS, {"older_than_s": older_than_s})
    return tuple(LockHolder(**row) for row in found.mappings())


def unfinished(connection: Connection) -> Unfinished:
    """Returns what is unfinished now."""
    found: Any = connection.execute(UNFINISHED).mappings().one()
    return Unfinished(**found)


def totals(connection: Connection) -> tuple[Total, ...]:
    """Returns all sums."""
    return tuple(Total(row.name, row.labels, row.value) for row in connection.execute(TOTALS))


def revision(connection: Connection) -> str | None:
    """Returns the migration that the database is at; None where none has run to its end."""
    found: str | None = connection.execute(REVISION).scalar_one_or_none()
    return found
