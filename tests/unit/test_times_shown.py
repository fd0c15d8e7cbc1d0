"""Every time that an operator reads says in which zone it is."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta, timezone
from io import StringIO
from typing import Any

import pytest
from helpers.basics import REPOSITORY
from rich.console import Console, RenderableType

from worker.operate.commands import cache, circuits, dead
from worker.operate.commands.report import as_tables, moment
from worker.operate.snapshot import CacheLayer
from worker.providers.circuit_states import Circuit
from worker.redisdb.cache import LayerSize

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
BUENOS_AIRES = timezone(timedelta(hours=-3))
LETTER: dict[str, Any] = {
    "id": 1,
    "died_at": NOON.astimezone(BUENOS_AIRES),
    "customer_phone": "…1111",
    "attempts": 5,
    "reason": "r",
    "last_error": None,
    "message_id": "wamid.A",
}
REPORT: dict[str, Any] = {
    "window_s": 3_600,
    "messages": 0,
    "channels": {},
    "closed": {},
    "delivery": {"sent": 0, "delivered": 0, "read": 0, "failed": {}},
    "ai": dict.fromkeys(("ai_cache_hit_rate", "fallback_usage", "circuit_breaker_trips"), 0)
    | {"ai_provider_distribution": {}},
    "calls": {},
    "sessions": dict.fromkeys(
        ("session_cache_hit_rate", "active_sessions", "average_session_duration_s", "expired_sessions_cleaned"), 0
    ),
    "costs": dict.fromkeys(("total_usd", "cost_per_request_usd", "baseline_usd", "cache_savings", "reduction"), 0),
    "latency_ms": {"p50": 0, "p95": 0, "p99": 0},
    "orders": {"placed": 0, "total": {}},
    "cart_operations": {"made": 0, "refused": 0, "undone": 0},
    "precache": dict.fromkeys(("answered", "hits", "waste", "cost_usd", "saved_usd"), 0),
}


def printed(what: RenderableType) -> str:
    """As a terminal shows it."""
    paper = StringIO()
    Console(file=paper, width=80).print(what)
    return paper.getvalue()


def test_circuits_open_until_a_time_in_utc() -> None:
    """Which the Z says that ISO 8601 has for it; the table must fit a terminal."""
    by_hand = Circuit("gemini-flash", "forced_open", calls=1_000, failures=1_000, reason="rate_limited")
    gone = Circuit("gemini-flash", "open", "gemini-3.5-flash-lite", reason="model_gone", opens_until=NOON, told="gone.")
    deepseek = Circuit("deepseek", "open", opens_until=NOON, open_s=60.0)
    shown = printed(circuits.as_table([by_hand, gone, deepseek]))
    assert shown.count("12:00:00Z") == 2
    assert len(shown.splitlines()) == 5
    assert shown.endswith("\ngemini-flash/gemini-3.5-flash-lite: gone.\n")
    assert "…" not in shown
    assert Circuit("deepseek", "open", opens_until=NOON).to_dict()["opens_until"] == "2026-11-22T12:00:00Z"


def test_dead_letters_have_died_in_utc() -> None:
    """Whatever zone the database answers in."""
    shown = printed(dead.letters_table([LETTER]))
    assert "died (UTC)" in shown
    assert "2026-11-22 12:00" in shown
    assert dead.shown(LETTER["died_at"]) == "2026-11-22 12:00:00+00:00"


def test_a_cache_counts_since_midnight_utc() -> None:
    """Which is another day than the operator's for some hours."""
    assert "hit rate today (UTC)" in printed(cache.as_table([(CacheLayer("session", 1, 1), LayerSize(1, 1))]))


@pytest.mark.parametrize(
    ("until", "words"),
    [("2026-11-22T12:00", "12:00 UTC"), ("2026-11-22T12:00-03:00", "12:00 UTC-03:00")],
)
def test_a_report_ends_at_a_time_with_its_zone(until: str, words: str) -> None:
    """The one that was asked for."""
    assert f"2026-11-22 {words}\n" in re.sub(r" +\n", "\n", printed(as_tables(REPORT, moment(until))))


def test_grafana_shows_utc() -> None:
    """Like everything else, so that its days are those of the budgets."""
    dashboard = json.loads((REPOSITORY / "monitoring/grafana/chasqui.json").read_text("utf-8"))
    assert dashboard["timezone"] == "utc"
