"""Metrics report, from PostgreSQL alone, so that it survives a restart of Redis."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection

from db import report as figures
from db import requests
from worker.session.outcome import SILENT
from worker.session.session import SESSION_TTL_S
from worker.telemetry.recording import ANSWERED, FAILURES
from worker.units import usd

DEFAULT_WINDOW_S = 86_400
#: Sources of the replies that a model was or could have been asked for.
ROUTED = frozenset({"ai", "cache", "fallback"})
#: Source under which what replies made ahead cost stands in ai_metrics; no reply of any turn has it.
AHEAD = "ahead"
Json = dict[str, Any]


def percent(part: float, whole: float) -> float:
    """Returns a percentage rounded to 0.1; 0 of nothing is 0."""
    return round(100.0 * part / whole, 1) if whole else 0.0


def make_report(
    connection: Connection, window_s: float = DEFAULT_WINDOW_S, until: datetime | None = None
) -> dict[str, Any]:
    """Makes the report of the `window_s` seconds up to `until` (None: now), as `chasqui report --json` prints it."""
    window = figures.window(connection, window_s, until)
    sums = figures.sums(connection, window)
    events = figures.events(connection, window)
    p50, p95, p99 = (round(value) for value in figures.latencies_ms(connection, window))
    return {
        "window_s": round(window_s),
        "messages": _messages(sums),
        "closed": figures.closed(connection, window),
        "channels": figures.channels(connection, window),
        "ai": _ai(sums, events),
        "calls": _calls(figures.calls(connection, window)),
        "sessions": _sessions(sums, events, figures.sessions(connection, window, SESSION_TTL_S)),
        "costs": costs(sums),
        "precache": _precache(sums, requests.precache(connection, window.since, window.until)),
        "latency_ms": {"p50": p50, "p95": p95, "p99": p99},
        "cart_operations": _cart_operations(figures.cart_operations(connection, window)),
        "orders": _orders(figures.orders(connection, window)),
        "delivery": figures.deliveries(connection, window),
    }


def _precache(sums: Sequence[Json], ahead: Json) -> Json:
    """Replies made ahead: asked for, or by nobody within a day; what they cost, and what the calls that they spared
    would have.
    """
    replies = {name: count for name, count in ahead.items() if name != "saved_microusd"}
    costs_usd = {"cost_usd": usd(_sum(sums, "cost_microusd", AHEAD)), "saved_usd": usd(ahead["saved_microusd"])}
    return replies | costs_usd


def _cart_operations(carts: Mapping[str, int]) -> Json:
    return {
        "proposed": carts["proposed"],
        "made": carts["proposed"] - carts["refused"],
        "refused": carts["refused"],
        "undone": carts["undone"],
    }


def _orders(sold: Mapping[str, tuple[int, Decimal]]) -> Json:
    """Orders placed. Money is a decimal text, and each currency has its own total."""
    return {
        "placed": sum(placed for placed, _ in sold.values()),
        "total": {currency: str(total) for currency, (_, total) in sold.items()},
    }


def _sum(sums: Iterable[Json], name: str, *sources: str) -> int:
    return sum(row[name] for row in sums if not sources or row["source"] in sources)


def _messages(sums: Sequence[Json]) -> int:
    return _sum(sums, "messages") - _sum(sums, "messages", SILENT)


def _grouped(rows: Sequence[Json], name: str) -> dict[str, list[Json]]:
    """Returns the rows by what they have under this name, in its order."""
    return {value: [row for row in rows if row[name] == value] for value in sorted({row[name] for row in rows})}


def _by_provider(sums: Sequence[Json]) -> dict[str, list[Json]]:
    """Returns the rows of each provider that has been asked; those of the reply cache name the one that once was."""
    asked = {row["provider"] for row in sums if row["source"] == "ai" or row["cost_microusd"]}
    return {name: rows for name, rows in _grouped(sums, "provider").items() if name in asked - {""}}


def _ai(sums: Sequence[Json], events: Json) -> Json:
    routed = _sum(sums, "replies", *ROUTED)
    providers = _by_provider(sums)
    made = sum(_sum(rows, "replies", "ai") for rows in providers.values())
    return {
        "ai_cache_hit_rate": percent(_sum(sums, "replies", "cache"), routed),
        "ai_provider_distribution": {
            name: percent(_sum(rows, "replies", "ai"), made) for name, rows in providers.items()
        },
        "average_response_time_ms": {
            name: round(_sum(rows, "answer_ms", "ai") / max(_sum(rows, "answers", "ai"), 1))
            for name, rows in providers.items()
        },
        "circuit_breaker_trips": events["trips"],
        "fallback_usage": percent(_sum(sums, "replies", "fallback"), routed),
    }


def _calls(rows: Sequence[Json]) -> Json:
    """Returns calls by provider: the model that answered (or was asked) most, and how calls ended, by model too."""
    return {name: _of_provider(own) for name, own in _grouped(rows, "provider").items()}


def _of_provider(rows: Sequence[Json]) -> Json:
    models = _grouped(rows, "model")
    main = max(models, key=lambda name: (_ended(models[name])["ok"], _sum(models[name], "calls")))
    return {"model": main, **_ended(rows), "models": {name: _of_model(own) for name, own in models.items()}}


def _ended(rows: Sequence[Json]) -> Json:
    kinds: Json = {ANSWERED: 0, **dict.fromkeys(FAILURES, 0)}
    for row in rows:
        kinds[row["outcome"]] = kinds.get(row["outcome"], 0) + row["calls"]
    return {"ok": kinds.pop(ANSWERED), "failed": kinds}


def _of_model(rows: Sequence[Json]) -> Json:
    prompt = _sum(rows, "prompt_tokens")
    return _ended(rows) | {
        "cost_usd": usd(_sum(rows, "cost_microusd")),
        "prompt_tokens": prompt,
        "prompt_cache_rate": percent(_sum(rows, "cached_tokens"), prompt),
    }


def _sessions(sums: Sequence[Json], ended: Json, alive: Json) -> Json:
    lasted_s = ended["duration_s"] + alive["duration_s"]
    return {
        "session_cache_hit_rate": percent(_sum(sums, "sessions_cached"), _sum(sums, "sessions_wanted")),
        "average_session_duration_s": round(lasted_s / max(ended["sessions"] + alive["active"], 1)),
        "active_sessions": alive["active"],
        "expired_sessions_cleaned": int(ended["cleaned"]),
    }


def costs(sums: Sequence[Json]) -> Json:
    """Returns what these sums cost, and would have cost with the baseline's model."""
    cost, baseline = _sum(sums, "cost_microusd"), _sum(sums, "baseline_microusd")
    return {
        "total_usd": usd(cost),
        "by_provider_usd": {name: usd(_sum(rows, "cost_microusd")) for name, rows in _by_provider(sums).items()},
        "cost_per_request_usd": round(usd(cost) / max(_messages(sums), 1), 6),
        "cache_savings": percent(_sum(sums, "baseline_microusd", "cache"), baseline),
        "baseline_usd": usd(baseline),
        "reduction": percent(baseline - cost, baseline),
    }
