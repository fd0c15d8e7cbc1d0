"""What the dashboard draws and the report does not hold. One named function per statement; nothing personal comes out:
of a customer at most the last four characters of their number, of a message its type.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, text

from db.report import Window

Json = dict[str, Any]
HOUR_S = 3_600

WINDOW = "at >= now() - make_interval(secs => :window_s)"
NOW = text("select now()")
BUCKET = "date_bin(make_interval(secs => :bucket_s), {}, 'epoch')"
# Both say the same by bucket and source; the first reads the sums of whole hours where there are any, and so is for
# buckets of hours. The figures are those of the report, so that the parts of a chart add up to it.
SUMS_BY_HOURS = text(f"""
    select {BUCKET.format("hour")} as at, source, sum(replies)::bigint as replies, sum(messages)::bigint as messages,
           sum(sessions_wanted)::bigint as sessions_wanted, sum(sessions_cached)::bigint as sessions_cached,
           sum(cost_microusd)::bigint as cost_microusd, sum(baseline_microusd)::bigint as baseline_microusd
    from (
        select * from metric_hours where hour >= :hours_since and hour < :hours_until
        union all select * from metric_sums(:since, :hours_since)
        union all select * from metric_sums(:hours_until, :until)
    ) parts
    group by 1, 2
""")  # noqa: S608  constants only
SUMS_BY_TURNS = text(f"""
    select {BUCKET.format("at")} as at, source, count(*) filter (where committed) as replies,
           coalesce(sum(messages) filter (where committed), 0) as messages,
           count(*) filter (where session_cache in ('hit', 'miss')) as sessions_wanted,
           count(*) filter (where session_cache = 'hit') as sessions_cached,
           sum(cost_microusd)::bigint as cost_microusd,
           coalesce(sum(baseline_microusd) filter (where committed), 0)::bigint as baseline_microusd
    from ai_metrics where at >= :since and at < :until
    group by 1, 2
""")  # noqa: S608  constants only
# As the report places its percentiles, for each bucket by itself.
LATENCIES = text(f"""
    with spread as (
        select {BUCKET.format("at")} as at, latency_ms, sum(replies) as replies
        from (
            select hour as at, latency_ms, replies from latency_hours where hour >= :hours_since and hour < :hours_until
            union all
            select at, reply_latency_ms, 1 from ai_metrics where committed and at >= :since and at < :hours_since
            union all
            select at, reply_latency_ms, 1 from ai_metrics where committed and at >= :hours_until and at < :until
        ) parts
        where latency_ms is not null group by 1, 2
    ), placed as (
        select at, latency_ms, sum(replies) over (partition by at order by latency_ms) as upto,
               sum(replies) over (partition by at) as total
        from spread
    ), beside as (
        select at, share, share * (total - 1) as place,
               min(latency_ms) filter (where upto > floor(share * (total - 1))) as low,
               min(latency_ms) filter (where upto > ceil(share * (total - 1))) as high
        from placed cross join unnest(array[0.5, 0.95, 0.99]) share
        group by at, share, total
    )
    select at, array_agg((low + (high - low) * (place - floor(place)))::double precision order by share) as latency_ms
    from beside group by at
""")  # noqa: S608  constants only
INTENTS = text(f"""
    select coalesce(intent, 'unknown') as intent, count(*) as replies
    from (select intent from ai_metrics where committed and source <> 'closed' and {WINDOW}
          order by at desc limit :max_rows) newest
    group by 1 order by 2 desc, 1
""")  # noqa: S608  constants only
# What happened in the window, and before it the last change of each circuit, which says how the window began.
CIRCUIT_CHANGES = text(f"""
    with before as (
        select distinct on (data ->> 'provider', data ->> 'model') at, data
        from events where kind = 'circuit' and not {WINDOW}
        order by data ->> 'provider', data ->> 'model', at desc, id desc
    ), inside as (
        select at, data, id from events where kind = 'circuit' and {WINDOW} order by at desc, id desc limit :max_rows
    )
    select at, data ->> 'provider' as provider, data ->> 'state' as state, coalesce(data ->> 'model', '') as model,
           coalesce(data ->> 'told', '') as told
    from (select at, data, 0 as id from before union all select at, data, id from inside) changes
    order by at, id
""")  # noqa: S608  constants only
EXPIRED = text(f"""
    select date_bin(make_interval(secs => :bucket_s), at, 'epoch') as at, sum((data ->> 'deleted')::integer) as sessions
    from events where kind = 'cleanup' and {WINDOW}
    group by 1 order by 1
""")  # noqa: S608  constants only
LIVE_SESSIONS = text("""
    select session_state as state, count(*) as sessions, sum(messages) as messages
    from customer_sessions where expires_at > now() group by 1
""")
ENDED_SESSIONS = text(f"""
    select data ->> 'state' as state, count(*) as sessions, sum((data ->> 'messages')::integer) as messages
    from events where kind = 'session_end' and {WINDOW}
    group by 1
""")  # noqa: S608  constants only
UNANSWERED = text("""
    select count(*) as messages, extract(epoch from now() - min(accepted_at))::double precision as oldest_s
    from messages where state = 'accepted'
""")
DEAD_LETTERS = text("""
    select id, answered_at as died_at, right(customer_phone, 4) as customer_end,
           coalesce(content ->> 'type', '?') as type, attempts, reason, last_error, count(*) over () as total
    from messages where state = 'dead' order by id desc limit :max_rows
""")


def now(connection: Connection) -> datetime:
    """The time of this transaction, which every window ends with."""
    moment: datetime = connection.execute(NOW).scalar_one()
    return moment


def sums(connection: Connection, window: Window, bucket_s: int) -> list[Json]:
    """Replies, messages, cache hits of sessions and costs by bucket of time and source."""
    statement = SUMS_BY_TURNS if bucket_s % HOUR_S else SUMS_BY_HOURS
    return _rows(connection, statement, **window.values, bucket_s=bucket_s)


def latencies_ms(connection: Connection, window: Window, bucket_s: int) -> list[Json]:
    """p50, p95 and p99 of the time from acceptance to publication by bucket of time."""
    if bucket_s % HOUR_S:
        window = replace(window, hours_since=window.since, hours_until=window.since)
    return _rows(connection, LATENCIES, **window.values, bucket_s=bucket_s)


def intents(connection: Connection, window_s: int, max_rows: int) -> list[Json]:
    """The newest `max_rows` replies of the window by intent, most frequent first."""
    return _rows(connection, INTENTS, window_s=window_s, max_rows=max_rows)


def circuit_changes(connection: Connection, window_s: int, max_rows: int) -> list[Json]:
    """The newest changes of circuits in the window and the last one of each circuit before it, oldest first."""
    return _rows(connection, CIRCUIT_CHANGES, window_s=window_s, max_rows=max_rows)


def expired(connection: Connection, window_s: int, bucket_s: int) -> list[Json]:
    """Expired sessions that were cleaned up, by bucket of time, oldest first; empty buckets are absent."""
    return _rows(connection, EXPIRED, window_s=window_s, bucket_s=bucket_s)


def live_sessions(connection: Connection) -> list[Json]:
    """Live sessions and their messages by state."""
    return _rows(connection, LIVE_SESSIONS)


def ended_sessions(connection: Connection, window_s: int) -> list[Json]:
    """Sessions that ended in the window and their messages, by the state they ended in."""
    return _rows(connection, ENDED_SESSIONS, window_s=window_s)


def unanswered(connection: Connection) -> Json:
    """How many accepted messages wait for their reply, and for how long the oldest has (seconds, None for none)."""
    return _rows(connection, UNANSWERED)[0]


def dead_letters(connection: Connection, max_rows: int) -> list[Json]:
    """The newest dead letters without what would tell whose they are; each row carries how many there are in all."""
    return _rows(connection, DEAD_LETTERS, max_rows=max_rows)


def _rows(connection: Connection, statement: Any, **values: object) -> list[Json]:
    return [dict(row) for row in connection.execute(statement, values).mappings()]
