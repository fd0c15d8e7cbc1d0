"""Tables of the metrics report for a terminal."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from rich.console import Group
from rich.table import Table

from worker.operate.wording import duration
from worker.providers.pricing import BASELINE_MODEL

Json = dict[str, Any]


def as_tables(report: dict[str, Any], until: datetime | None = None) -> Group:
    """Returns the report for a terminal. Its window ends at `until`, None for now."""
    ai, sessions, costs, latency = (report[name] for name in ("ai", "sessions", "costs", "latency_ms"))
    length = duration(report["window_s"])
    overview = _table(f"{length} up to {until:%Y-%m-%d %H:%M %Z}" if until else f"Last {length}", "figure", "value")
    for name, value in (
        ("messages answered", f"{report['messages']:,}"),
        *((f"of them to number {name}", f"{messages:,}") for name, messages in report["channels"].items()),
        *((f"closed: {name.replace('_', ' ')}", f"{each:,}") for name, each in report["closed"].items() if each),
        ("orders placed", f"{report['orders']['placed']:,}"),
        *((f"ordered in {name}", f"{Decimal(total):,}") for name, total in report["orders"]["total"].items()),
        ("cart changes made / refused / undone", _cart_changes(report["cart_operations"])),
        ("AI cache hit rate", f"{ai['ai_cache_hit_rate']:.1f} %"),
        ("fallback replies", f"{ai['fallback_usage']:.1f} %"),
        ("circuit breaker trips", f"{ai['circuit_breaker_trips']:,}"),
        ("session cache hit rate", f"{sessions['session_cache_hit_rate']:.1f} %"),
        ("active sessions", f"{sessions['active_sessions']:,}"),
        ("average session", duration(sessions["average_session_duration_s"])),
        ("expired sessions cleaned", f"{sessions['expired_sessions_cleaned']:,}"),
        ("cost", f"$ {costs['total_usd']:.6f}"),
        ("cost per message", f"$ {costs['cost_per_request_usd']:.6f}"),
        (f"all {BASELINE_MODEL}, uncached", f"$ {costs['baseline_usd']:.6f}"),
        ("saved by the cache", f"{costs['cache_savings']:.1f} %"),
        ("saved in all", f"{costs['reduction']:.1f} %"),
        ("reply time p50 / p95 / p99", f"{latency['p50']:,} / {latency['p95']:,} / {latency['p99']:,} ms"),
    ):
        overview.add_row(name, value)
    providers = [_provider_table(ai, costs)] if ai["ai_provider_distribution"] else []
    return Group(overview, *providers, *([_call_table(report["calls"])] if report["calls"] else []))


def _cart_changes(operations: Json) -> str:
    return " / ".join(f"{operations[name]:,}" for name in ("made", "refused", "undone"))


def _provider_table(ai: Json, costs: Json) -> Table:
    table = _table("Providers", "provider", "share", "mean time", "cost")
    for name, share in ai["ai_provider_distribution"].items():
        cost = costs["by_provider_usd"][name]
        table.add_row(name, f"{share:.1f} %", f"{ai['average_response_time_ms'][name]:,} ms", f"$ {cost:.6f}")
    return table


def _call_table(calls: Json) -> Table:
    table = _table("Calls of models", "model", "answered", "failed", "prompt cached", "cost")
    for provider, found in calls.items():
        for name, model in found["models"].items():
            failed = ", ".join(f"{count:,} {kind}" for kind, count in model["failed"].items() if count) or "0"
            cached, cost = f"{model['prompt_cache_rate']:.1f} %", f"$ {model['cost_usd']:.6f}"
            table.add_row(f"{provider}/{name}", f"{model['ok']:,}", failed, cached, cost)
    return table


def _table(title: str, first: str, *others: str) -> Table:
    table = Table(title=title, title_justify="left")
    table.add_column(first)
    for name in others:
        table.add_column(name, justify="right")
    return table
