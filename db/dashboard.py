"""Figures that the dashboard draws beside the report, one function per statement. Nothing personal comes out but of
`open_orders`: of a customer at most the last four characters of the number, of a message its type.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, text

from db.report import Window, latencies_by
from db.states import FINAL_STATUSES, ORDER_STATUSES

HOUR_S = 3_600

IN_WINDOW = "at >= :since"
BIN = "date_bin(make_interval(secs => :bucket_s), {}, 'epoch')"
#: The buckets of the window that ends at :moment, and how many seconds of each lie in it.
BINS = f"""
    select at, extract(epoch from least(at + make_interval(secs => :bucket_s), :moment) - greatest(at, :since))::float8
               as seconds
    from generate_series({BIN.format(":since")}, :moment, make_interval(secs => :bucket_s)) at
"""  # noqa: S608  constants only
# The sums of whole hours where there are any, single turns for the rest. As in the report, so that the buckets add up
# to it: lost turns count as cost, silent ones ('closed') are no messages.
BUCKETS = text(f"""
    with bins as ({BINS}), parts as (
        select hour as at, source, replies, messages, sessions_wanted, sessions_cached, cost_microusd, baseline_microusd
        from metric_hours where hour >= :hours_since and hour < :hours_until
        union all
        select at, source, committed::integer, messages * committed::integer,
               (session_cache in ('hit', 'miss'))::integer, (session_cache = 'hit')::integer, cost_microusd,
               baseline_microusd * committed::integer
        from ai_metrics where at >= :since and at < :hours_since or at >= :hours_until and at < :until
    ), sums as (
        select {BIN.format("at")} as at, sum(messages) filter (where source = 'ai') as ai,
               sum(messages) filter (where source = 'cache') as cache,
               sum(messages) filter (where source = 'fallback') as fallback,
               sum(messages) filter (where source not in ('ai', 'cache', 'fallback', 'closed')) as canned,
               sum(cost_microusd) as cost_microusd, sum(baseline_microusd) as baseline_microusd,
               100.0 * coalesce(sum(replies) filter (where source = 'cache'), 0)
                   / nullif(sum(replies) filter (where source in ('ai', 'cache', 'fallback')), 0) as cache_hit_rate,
               100.0 * sum(sessions_cached) / nullif(sum(sessions_wanted), 0) as session_hit_rate
        from parts group by 1
    )
    select at, seconds, coalesce(ai, 0)::bigint as ai, coalesce(cache, 0)::bigint as cache,
           coalesce(fallback, 0)::bigint as fallback, coalesce(canned, 0)::bigint as canned,
           coalesce(cost_microusd, 0) / 1e6::float8 as cost_usd,
           coalesce(baseline_microusd, 0) / 1e6::float8 as baseline_usd,
           cache_hit_rate::float8 as cache_hit_rate, session_hit_rate::float8 as session_hit_rate
    from bins left join sums using (at) order by at
""")  # noqa: S608  constants only
LATENCIES = latencies_by(BIN.format("at"))
EXPIRED = text(f"""
    with bins as ({BINS}), cleaned as (
        select {BIN.format("at")} as at, sum((data ->> 'deleted')::integer) as sessions
        from events where kind = 'cleanup' and {IN_WINDOW} group by 1
    )
    select at, seconds, coalesce(sessions, 0)::bigint as sessions from bins left join cleaned using (at) order by at
""")  # noqa: S608  constants only
INTENTS = text(f"""
    select coalesce(intent, 'unknown') as intent, count(*) as replies
    from (select intent from ai_metrics where committed and source <> 'closed' and {IN_WINDOW}
          order by at desc limit :max_rows) newest
    group by 1 order by 2 desc, 1
""")  # noqa: S608  constants only
# The last change of each circuit before the window says how the window began.
CIRCUIT_CHANGES = text(f"""
    with before as (
        select distinct on (data ->> 'provider', data ->> 'model') at, data
        from events where kind = 'circuit' and not {IN_WINDOW}
        order by data ->> 'provider', data ->> 'model', at desc, id desc
    ), inside as (
        select at, data, id from events where kind = 'circuit' and {IN_WINDOW} order by at desc, id desc limit :max_rows
    )
    select at, concat_ws('/', data ->> 'provider', nullif(data ->> 'model', '')) as name, data ->> 'state' as state,
           coalesce(data ->> 'told', '') as told
    from (select at, data, 0 as id from before union all select at, data, id from inside) changes
    order by at, id
""")  # noqa: S608  constants only
SESSIONS = text(f"""
    select state, count(*) as sessions, coalesce(sum(messages), 0)::bigint as messages
    from (
        select session_state as state, messages from customer_sessions where expires_at > now()
        union all
        select data ->> 'state', (data ->> 'messages')::integer from events where kind = 'session_end' and {IN_WINDOW}
    ) alive_or_ended
    group by 1
""")  # noqa: S608  constants only
DEAD_LETTERS = text("""
    select id, answered_at as died_at, '…' || right(customer_phone, 4) as customer,
           coalesce(content ->> 'type', '?') as type, attempts, coalesce(reason, '–') as reason,
           coalesce(last_error, '–') as last_error
    from messages where state = 'dead' order by id desc limit :max_rows
""")
OPEN_ORDERS = text("""
    select o.id, o.customer_phone, c.name, o.status, o.created_at,
           (select count(*) from order_items i where i.order_id = o.id) as items, o.total, o.currency
    from orders o left join customers c using (customer_phone)
    where o.status <> all (:closed) order by o.status <> :new, o.created_at, o.id limit :max_rows
""")


@dataclass(frozen=True, slots=True)
class Bucket:
    """Sums of one bucket of time.

    Args:
        seconds: how much of it lies in the window: less at both ends.
        ai, cache, fallback, canned: messages answered, by where the reply came from.
        cache_hit_rate, session_hit_rate: percentages, None where nothing was looked for.
        p50_ms, p95_ms, p99_ms: from acceptance to publication, None where nothing was published.
    """

    at: datetime
    seconds: float
    ai: int
    cache: int
    fallback: int
    canned: int
    cost_usd: float
    baseline_usd: float
    cache_hit_rate: float | None
    session_hit_rate: float | None
    p50_ms: float | None = None
    p95_ms: float | None = None
    p99_ms: float | None = None


@dataclass(frozen=True, slots=True)
class Expired:
    """Expired sessions of one bucket of time, `seconds` of which lie in the window."""

    at: datetime
    seconds: float
    sessions: int


@dataclass(frozen=True, slots=True)
class CircuitChange:
    """Change of a circuit's state. name: PROVIDER or PROVIDER/MODEL; told: the provider's own words."""

    at: datetime
    name: str
    state: str
    told: str = ""


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """Message that was given up. customer: the last four characters of the number."""

    id: int
    died_at: datetime
    customer: str
    type: str
    attempts: int
    reason: str
    last_error: str


@dataclass(frozen=True, slots=True)
class OpenOrder:
    """Order that is not delivered or cancelled. items: number of its lines; name: of the customer, None if unknown."""

    id: int
    customer_phone: str
    name: str | None
    status: str
    created_at: datetime
    items: int
    total: Decimal
    currency: str


def buckets(connection: Connection, window: Window, bucket_s: int) -> tuple[Bucket, ...]:
    """Returns the whole window in buckets, oldest first."""
    values = _values(window, bucket_s)
    times = {row.bucket: row.latency_ms for row in connection.execute(LATENCIES, values)}
    found = connection.execute(BUCKETS, values)
    return tuple(Bucket(*row, *times.get(row.at, ())) for row in found)


def expired(connection: Connection, window: Window, bucket_s: int) -> tuple[Expired, ...]:
    """Returns the sessions that were cleaned up, over the whole window, oldest first."""
    return tuple(Expired(*row) for row in connection.execute(EXPIRED, _values(window, bucket_s)))


def intents(connection: Connection, window: Window, max_rows: int) -> list[tuple[str, int]]:
    """Returns the newest `max_rows` replies of the window by intent, most frequent first."""
    return [tuple(row) for row in connection.execute(INTENTS, window.values | {"max_rows": max_rows})]


def circuit_changes(connection: Connection, window: Window, max_rows: int) -> tuple[CircuitChange, ...]:
    """Returns the newest changes in the window and the last one of each circuit before it, oldest first."""
    found = connection.execute(CIRCUIT_CHANGES, window.values | {"max_rows": max_rows})
    return tuple(CircuitChange(*row) for row in found)


def sessions(connection: Connection, window: Window) -> dict[str, tuple[int, int]]:
    """Returns how many sessions are alive or ended in the window, and their messages, by their (last) state."""
    found = connection.execute(SESSIONS, window.values)
    return {state: (sessions, messages) for state, sessions, messages in found}


def dead_letters(connection: Connection, max_rows: int) -> tuple[DeadLetter, ...]:
    """Returns the newest dead letters, newest first."""
    return tuple(DeadLetter(*row) for row in connection.execute(DEAD_LETTERS, {"max_rows": max_rows}))


def open_orders(connection: Connection, max_rows: int) -> tuple[OpenOrder, ...]:
    """Returns orders that are not delivered or cancelled, new ones first, the oldest of each kind first."""
    given = {"closed": list(FINAL_STATUSES), "new": ORDER_STATUSES[0], "max_rows": max_rows}
    return tuple(OpenOrder(*row) for row in connection.execute(OPEN_ORDERS, given))


def _values(window: Window, bucket_s: int) -> dict[str, Any]:
    """Buckets shorter than an hour are made of single turns."""
    if bucket_s % HOUR_S:
        window = replace(window, hours_since=window.since, hours_until=window.since)
    return window.values | {"moment": window.moment, "bucket_s": bucket_s}
