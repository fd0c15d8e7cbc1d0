"""The figures of the report, one statement per section, over a window of time."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, text

Json = dict[str, Any]

WINDOW = "at > now() - make_interval(secs => :window_s)"
TOTALS = text(f"""
    select count(*) filter (where committed and source <> 'closed') as replies,
           coalesce(sum(messages) filter (where committed and source <> 'closed'), 0) as messages,
           count(*) filter (where committed and source in ('ai', 'cache', 'fallback')) as routed,
           count(*) filter (where committed and source = 'cache') as cached,
           count(*) filter (where committed and source = 'fallback') as fallbacks,
           count(*) filter (where session_cache in ('hit', 'miss')) as sessions_wanted,
           count(*) filter (where session_cache = 'hit') as sessions_cached,
           coalesce(sum(cost_microusd), 0) as cost_microusd,
           coalesce(sum(baseline_microusd) filter (where committed), 0) as baseline_microusd,
           coalesce(sum(baseline_microusd) filter (where committed and source = 'cache'), 0) as saved_microusd,
           coalesce(percentile_cont(array[0.5, 0.95, 0.99]) within group (order by reply_latency_ms)
               filter (where committed), array[0, 0, 0]::double precision[]) as latency_ms
    from ai_metrics where {WINDOW}
""")  # noqa: S608  constants only
PROVIDERS = text(f"""
    select provider, count(*) filter (where committed) as replies, avg(provider_latency_ms)::integer as latency_ms,
           sum(cost_microusd) as cost_microusd
    from ai_metrics where {WINDOW} and source = 'ai' and provider is not null
    group by provider order by provider
""")  # noqa: S608  constants only
EVENTS = text(f"""
    select count(*) filter (where kind = 'circuit' and data ->> 'state' = 'open') as trips,
           coalesce(sum((data ->> 'deleted')::integer) filter (where kind = 'cleanup'), 0) as cleaned,
           avg((data ->> 'duration_s')::double precision) filter (where kind = 'session_end') as ended_duration_s,
           count(*) filter (where kind = 'session_end') as ended
    from events where kind in ('circuit', 'cleanup', 'session_end') and {WINDOW}
""")  # noqa: S608  constants only
SESSIONS = text("""
    select count(*) as active, avg(extract(epoch from updated_at - created_at))::double precision as duration_s
    from customer_sessions where expires_at > now()
""")


def totals(connection: Connection, window_s: int) -> Json:
    """Replies, cache hits, costs and latencies."""
    return dict(connection.execute(TOTALS, {"window_s": window_s}).mappings().one())


def providers(connection: Connection, window_s: int) -> list[Json]:
    """Replies, mean latency and cost by provider that made them."""
    return [dict(row) for row in connection.execute(PROVIDERS, {"window_s": window_s}).mappings()]


def events(connection: Connection, window_s: int) -> Json:
    """Circuit trips, sessions cleaned, and how long ended sessions had lasted."""
    return dict(connection.execute(EVENTS, {"window_s": window_s}).mappings().one())


def sessions(connection: Connection) -> Json:
    """Live sessions and how long they have lasted so far."""
    return dict(connection.execute(SESSIONS).mappings().one())
