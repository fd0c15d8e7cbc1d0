"""Figures of the report, one statement per section, over a window of time.

Whole hours come from `metric_hours`, `latency_hours`, `call_hours` and `channel_hours`, what is left of the window at
both ends from `ai_metrics`; the two together are exact, and quick however many turns there were.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, TextClause, text

Json = dict[str, Any]
HOUR = timedelta(hours=1)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

BOUNDS = text("select now() as now, (select max(hour) from metric_hours) as newest_hour")
#: Rows of whole hours that are summed up already, and sums of what is left of the window at both ends.
PARTS = """
    select * from {0}_hours where hour >= :hours_since and hour < :hours_until
    union all select * from {0}_sums(:since, :hours_since)
    union all select * from {0}_sums(:hours_until, :until)
"""
SUMS = text(f"""
    select source, provider, sum(replies)::bigint as replies, sum(messages)::bigint as messages,
           sum(sessions_wanted)::bigint as sessions_wanted, sum(sessions_cached)::bigint as sessions_cached,
           sum(answers)::bigint as answers, sum(answer_ms)::bigint as answer_ms,
           sum(cost_microusd)::bigint as cost_microusd, sum(baseline_microusd)::bigint as baseline_microusd
    from ({PARTS.format("metric")}) parts
    group by 1, 2 order by 2, 1
""")  # noqa: S608  constants only
CALLS = text(f"""
    select provider, model, outcome, sum(calls)::bigint as calls, sum(prompt_tokens)::bigint as prompt_tokens,
           sum(cached_tokens)::bigint as cached_tokens, sum(cost_microusd)::bigint as cost_microusd
    from ({PARTS.format("call")}) parts
    group by 1, 2, 3 order by 1, 2, 3
""")  # noqa: S608  constants only
EVENTS = text("""
    select count(*) filter (where kind = 'circuit' and data ->> 'state' = 'open') as trips,
           coalesce(sum((data ->> 'deleted')::integer) filter (where kind = 'cleanup'), 0) as cleaned,
           coalesce(sum((data ->> 'duration_s')::double precision) filter (where kind = 'session_end'), 0)
               as duration_s,
           count(*) filter (where kind = 'session_end') as sessions
    from events where kind in ('circuit', 'cleanup', 'session_end') and at >= :since and at < :until
""")
# Of the sessions that were alive at a moment in the past, those that have ended since are known from their end: it is
# noted when the time to live is over after the last turn.
SESSIONS = text("""
    select count(*) as active, coalesce(sum(duration_s), 0)::double precision as duration_s
    from (
        select extract(epoch from least(updated_at, :moment) - created_at) as duration_s
        from customer_sessions where expires_at > :moment and created_at <= :moment
        union all
        select least(lasted_s, extract(epoch from :moment - (at - make_interval(secs => :ttl_s + lasted_s))))
        from (select at, (data ->> 'duration_s')::double precision as lasted_s
              from events where kind = 'session_end' and at > :moment) ended
        where at - make_interval(secs => :ttl_s + lasted_s) <= :moment
    ) alive
""")
# Amounts of two currencies are never added.
ORDERS = text("""
    select currency, count(*) as placed, sum(total) as total from orders
    where created_at >= :since and created_at < :until group by 1 order by 1
""")
CHANNELS = text(f"""
    select channel, sum(messages)::bigint as messages
    from ({PARTS.format("channel")}) parts
    group by 1 order by 1
""")  # noqa: S608  constants only
CART_OPERATIONS = text("""
    select coalesce(sum((cart_operations ->> 'proposed')::bigint), 0)::bigint as proposed,
           coalesce(sum((cart_operations ->> 'refused')::bigint), 0)::bigint as refused,
           coalesce(sum((cart_operations ->> 'undone')::bigint), 0)::bigint as undone
    from ai_metrics where cart_operations is not null and committed and at >= :since and at < :until
""")

#: Reasons for which messages are closed without a reply although one was due, or they were answered by others.
CLOSED_BECAUSE = ("answered_by_person", "revoked", "too_late")
CLOSED = text("""
    select reason, count(*) as messages from messages
    where state = 'closed' and reason is not null and reason = any (:reasons)
      and accepted_at >= :since and accepted_at < :until
    group by 1
""")


DELIVERIES = text("""
    select count(sent_at) as sent, count(delivered_at) as delivered, count(read_at) as read
    from deliveries where at >= :since and at < :until
""")
FAILED_DELIVERIES = text("""
    select code, count(*) from deliveries
    where at >= :since and at < :until and failed_at is not null and delivered_at is null and read_at is null
    group by code order by code
""")


def latencies_by(bucket: str) -> TextClause:
    """Returns the statement of p50, p95 and p99 of every bucket that has any; `bucket` is an expression over `at`.

    It is percentile_cont over rows that carry how often they count: between the two values beside the exact place.
    """
    return text(f"""
        with spread as (
            select {bucket} as bucket, latency_ms, sum(replies) as replies
            from (
                select hour as at, latency_ms, replies from latency_hours
                where hour >= :hours_since and hour < :hours_until
                union all
                select at, reply_latency_ms, 1 from ai_metrics where committed and at >= :since and at < :hours_since
                union all
                select at, reply_latency_ms, 1 from ai_metrics where committed and at >= :hours_until and at < :until
            ) parts
            where latency_ms is not null group by 1, 2
        ), placed as (
            select bucket, latency_ms, sum(replies) over (partition by bucket order by latency_ms) as upto,
                   sum(replies) over (partition by bucket) as total
            from spread
        ), beside as (
            select bucket, share, share * (total - 1) as place,
                   min(latency_ms) filter (where upto > floor(share * (total - 1))) as low,
                   min(latency_ms) filter (where upto > ceil(share * (total - 1))) as high
            from placed cross join unnest(array[0.5, 0.95, 0.99]) share
            group by bucket, share, total
        )
        select bucket, array_agg((low + (high - low) * (place - floor(place)))::float8 order by share) as latency_ms
        from beside group by bucket
    """)  # noqa: S608  constants only


LATENCIES = latencies_by("0")


@dataclass(frozen=True, slots=True)
class Window:
    """Window of time from `since` up to, not including, `until`; None for all there is after `since`.

    Args:
        hours_since, hours_until: between them, whole hours are summed up already.
        moment: the end of the window, be it the time of the transaction.
    """

    since: datetime
    until: datetime | None
    hours_since: datetime
    hours_until: datetime
    moment: datetime

    @property
    def values(self) -> Json:
        """Values of the window as the statements take them."""
        ends = {"since": self.since, "until": self.until or "infinity"}
        return ends | {"hours_since": self.hours_since, "hours_until": self.hours_until}


def window(connection: Connection, window_s: float, until: datetime | None = None) -> Window:
    """Returns the window of `window_s` seconds that ends at `until`, or now."""
    now, newest_hour = connection.execute(BOUNDS).one()
    moment = until or now
    since = moment - timedelta(seconds=window_s)
    summed_up_to = newest_hour + HOUR if newest_hour else since
    hours_since = EPOCH - (EPOCH - since) // HOUR * HOUR
    hours_until = min(summed_up_to, EPOCH + (until - EPOCH) // HOUR * HOUR) if until else summed_up_to
    if hours_until <= hours_since:
        hours_since = hours_until = since
    return Window(since, until, hours_since, hours_until, moment)


def sums(connection: Connection, window: Window) -> list[Json]:
    """Sums replies, messages, session cache hits, provider latencies and costs by source and provider ('': none)."""
    return [dict(row) for row in connection.execute(SUMS, window.values).mappings()]


def calls(connection: Connection, window: Window) -> list[Json]:
    """Sums calls, tokens and costs by provider, model and outcome."""
    return [dict(row) for row in connection.execute(CALLS, window.values).mappings()]


def latencies_ms(connection: Connection, window: Window) -> tuple[float, float, float]:
    """Returns p50, p95 and p99 of the time from acceptance to publication; zeros where there were no replies."""
    found = connection.execute(LATENCIES, window.values).first()
    p50, p95, p99 = found.latency_ms if found else (0.0, 0.0, 0.0)
    return p50, p95, p99


def events(connection: Connection, window: Window) -> Json:
    """Returns circuit trips, sessions cleaned, and how many sessions ended that had lasted how long in all."""
    return dict(connection.execute(EVENTS, window.values).mappings().one())


def sessions(connection: Connection, window: Window, ttl_s: float) -> Json:
    """Returns how many sessions are alive at the end of the window, and their ages in all; each lives for `ttl_s`."""
    return dict(connection.execute(SESSIONS, {"moment": window.moment, "ttl_s": ttl_s}).mappings().one())


def cart_operations(connection: Connection, window: Window) -> Json:
    """Sums operations on carts: proposed, refused, undone."""
    return dict(connection.execute(CART_OPERATIONS, window.values).mappings().one())


def closed(connection: Connection, window: Window) -> dict[str, int]:
    """Returns how many messages of the window were closed for each of CLOSED_BECAUSE."""
    found = connection.execute(CLOSED, window.values | {"reasons": list(CLOSED_BECAUSE)})
    return dict.fromkeys(CLOSED_BECAUSE, 0) | dict(map(tuple, found))


def channels(connection: Connection, window: Window) -> dict[str, int]:
    """Returns how many messages each business number had."""
    return dict(map(tuple, connection.execute(CHANNELS, window.values)))


def orders(connection: Connection, window: Window) -> dict[str, tuple[int, Decimal]]:
    """Returns how many orders were placed, and their total, by currency."""
    rows = connection.execute(ORDERS, window.values)
    return {currency: (placed, total) for currency, placed, total in rows}


def deliveries(connection: Connection, window: Window) -> Json:
    """Counts replies by what WhatsApp has reported of them, of those first heard of within the window: sent, delivered,
    read, and failed by Meta's code.
    """
    counted = connection.execute(DELIVERIES, window.values).mappings().one()
    failed = connection.execute(FAILED_DELIVERIES, window.values)
    return {**counted, "failed": {str(code): replies for code, replies in failed}}
