"""The metrics report (contract 3.8), from PostgreSQL alone, so that it survives a restart of Redis."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.console import Group
from rich.table import Table
from sqlalchemy import Connection

from db import report as figures

DEFAULT_WINDOW_S = 86_400
MICRO = 1_000_000


def percent(part: float, whole: float) -> float:
    """A percentage rounded to 0.1; 0 of nothing is 0."""
    return round(100.0 * part / whole, 1) if whole else 0.0


def make_report(connection: Connection, window_s: int = DEFAULT_WINDOW_S) -> dict[str, Any]:
    """The report over the last `window_s` seconds, as `chasqui report --json` prints it."""
    totals = figures.totals(connection, window_s)
    providers = figures.providers(connection, window_s)
    events = figures.events(connection, window_s)
    p50, p95, p99 = (round(value) for value in totals["latency_ms"])
    return {
        "window_s": window_s,
        "messages": int(totals["messages"]),
        "ai": _ai(totals, providers, events),
        "sessions": _sessions(totals, events, figures.sessions(connection)),
        "costs": _costs(totals, providers),
        "latency_ms": {"p50": p50, "p95": p95, "p99": p99},
    }


def _ai(totals: dict[str, Any], providers: Sequence[dict[str, Any]], events: dict[str, Any]) -> dict[str, Any]:
    made = sum(row["replies"] for row in providers)
    return {
        "ai_cache_hit_rate": percent(totals["cached"], totals["routed"]),
        "ai_provider_distribution": {row["provider"]: percent(row["replies"], made) for row in providers},
        "average_response_time_ms": {row["provider"]: row["latency_ms"] or 0 for row in providers},
        "circuit_breaker_trips": events["trips"],
        "fallback_usage": percent(totals["fallbacks"], totals["routed"]),
    }


def _sessions(totals: dict[str, Any], events: dict[str, Any], live: dict[str, Any]) -> dict[str, Any]:
    lasted_s = (events["ended_duration_s"] or 0) * events["ended"] + (live["duration_s"] or 0) * live["active"]
    return {
        "session_cache_hit_rate": percent(totals["sessions_cached"], totals["sessions_wanted"]),
        "average_session_duration_s": round(lasted_s / max(events["ended"] + live["active"], 1)),
        "active_sessions": live["active"],
        "expired_sessions_cleaned": int(events["cleaned"]),
    }


def _costs(totals: dict[str, Any], providers: Sequence[dict[str, Any]]) -> dict[str, Any]:
    cost, baseline = int(totals["cost_microusd"]), int(totals["baseline_microusd"])
    return {
        "total_usd": cost / MICRO,
        "by_provider_usd": {row["provider"]: int(row["cost_microusd"]) / MICRO for row in providers},
        "cost_per_request_usd": round(cost / MICRO / max(int(totals["messages"]), 1), 6),
        "cache_savings": percent(int(totals["saved_microusd"]), baseline),
        "baseline_usd": baseline / MICRO,
        "reduction": percent(baseline - cost, baseline),
    }


def as_tables(report: dict[str, Any]) -> Group:
    """The report for a terminal."""
    ai, sessions, costs, latency = (report[name] for name in ("ai", "sessions", "costs", "latency_ms"))
    overview = _table(f"Last {_span(report['window_s'])}", "figure", "value")
    for name, value in (
        ("messages answered", f"{report['messages']:,}"),
        ("AI cache hit rate", f"{ai['ai_cache_hit_rate']:.1f} %"),
        ("fallback replies", f"{ai['fallback_usage']:.1f} %"),
        ("circuit breaker trips", f"{ai['circuit_breaker_trips']:,}"),
        ("session cache hit rate", f"{sessions['session_cache_hit_rate']:.1f} %"),
        ("active sessions", f"{sessions['active_sessions']:,}"),
        ("average session", _span(sessions["average_session_duration_s"])),
        ("expired sessions cleaned", f"{sessions['expired_sessions_cleaned']:,}"),
        ("cost", f"$ {costs['total_usd']:.6f}"),
        ("all gpt-3.5, uncached", f"$ {costs['baseline_usd']:.6f}"),
        ("saved", f"{costs['reduction']:.1f} %"),
        ("reply time p50 / p95 / p99", f"{latency['p50']:,} / {latency['p95']:,} / {latency['p99']:,} ms"),
    ):
        overview.add_row(name, value)
    return Group(overview, _provider_table(ai, costs))


def _provider_table(ai: dict[str, Any], costs: dict[str, Any]) -> Table:
    table = _table("Providers", "provider", "share", "mean time", "cost")
    for name, share in ai["ai_provider_distribution"].items():
        cost = costs["by_provider_usd"][name]
        table.add_row(name, f"{share:.1f} %", f"{ai['average_response_time_ms'][name]:,} ms", f"$ {cost:.6f}")
    return table


def _table(title: str, first: str, *others: str) -> Table:
    table = Table(title=title, title_justify="left")
    table.add_column(first)
    for name in others:
        table.add_column(name, justify="right")
    return table


def _span(seconds: float) -> str:
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds:.0f} s"
