"""What the page thinks by itself: buckets, funnels, timelines, and numbers and circuits in words."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from worker.operate.dashboard.buckets import counts, pieces
from worker.operate.dashboard.circuits import Stretch, standing, timeline
from worker.operate.dashboard.ranges import DEFAULT, TimeRange, named
from worker.operate.dashboard.wording import count, dollars, milliseconds, per_minute, rate

from worker.operate.dashboard.figures import CircuitChange, funnel
from worker.providers.circuit_states import Circuit

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def test_a_window_is_cut_at_its_ends() -> None:
    """Buckets begin at round times; the first and the last lie only partly in the window."""
    span = TimeRange("x", "x", 3_600, 1_800, 1.0)
    found = list(pieces(span, NOON + timedelta(minutes=10)))
    assert [(at - NOON, seconds) for at, seconds in found] == [
        (timedelta(minutes=-60), 1_200.0),
        (timedelta(minutes=-30), 1_800.0),
        (timedelta(0), 600.0),
    ]


def test_counts_of_a_bucket() -> None:
    """Sources are told apart; silent turns are no messages but may have cost something."""
    empty = {"replies": 0, "messages": 0, "sessions_wanted": 0, "sessions_cached": 0}
    empty |= {"cost_microusd": 0, "baseline_microusd": 0}
    found = counts(
        [
            empty | {"source": "ai", "replies": 1, "messages": 3, "cost_microusd": 2_000_000},
            empty | {"source": "cache", "replies": 3, "messages": 3, "sessions_wanted": 2, "sessions_cached": 1},
            empty | {"source": "closed", "replies": 5, "messages": 5, "cost_microusd": 500_000},
            empty | {"source": "late", "cost_microusd": 500_000},
            empty | {"source": "canned", "replies": 1, "messages": 1},
        ]
    )
    assert found == {
        "ai": 3,
        "cache": 3,
        "fallback": 0,
        "canned": 1,
        "cost_usd": 3.0,
        "baseline_usd": 0.0,
        "cache_hit_rate": 75.0,
        "session_hit_rate": 50.0,
    }


def test_a_funnel_counts_who_came_further() -> None:
    """Unknown states and `inactive` are no step of the way."""
    states = ("browsing", "checkout", "checkout", "order_completed", "inactive", "gone")
    steps = {step.state: step for step in funnel({"state": state, "sessions": 1} for state in states)}
    assert (steps["browsing"].here, steps["browsing"].reached) == (1, 4)
    assert (steps["searching"].here, steps["searching"].reached) == (0, 3)
    assert (steps["order_completed"].here, steps["order_completed"].reached) == (1, 1)
    assert "inactive" not in steps


def change(minutes: float, state: str) -> CircuitChange:
    """A change some minutes after noon."""
    return CircuitChange(NOON + timedelta(minutes=minutes), "deepseek", state)


def test_a_timeline_begins_with_what_was_before() -> None:
    """The last change before the window says how it begins; without one the circuit was closed."""
    until = NOON + timedelta(minutes=100)
    found = timeline([change(-5, "open"), change(20, "closed"), change(70, "forced_open")], NOON, until)
    assert found == [Stretch("open", 0.2), Stretch("closed", 0.5), Stretch("forced_open", 0.3)]
    assert timeline([], NOON, until) == [Stretch("closed", 1.0)]
    assert timeline([change(50, "open")], NOON, until) == [Stretch("closed", 0.5), Stretch("open", 0.5)]


@pytest.mark.parametrize(
    ("circuit", "words"),
    [
        (Circuit("p", "closed"), "calls go through"),
        (Circuit("p", "closed", calls=9, failures=2), "calls go through · 2 of the last 9 failed"),
        (
            Circuit("p", "open", reason="rate_limited", since=NOON - timedelta(minutes=3), open_s=42.0),
            "for 3 min (rate limited) · next try in 42 s",
        ),
        (Circuit("p", "half_open", reason="timeout"), "(timeout) · the next call is a try"),
        (Circuit("p", "forced_open", reason="operator"), "(operator) · until somebody closes it"),
    ],
)
def test_a_circuit_in_words(circuit: Circuit, words: str) -> None:
    """What it does, for how long, why, and how it ends."""
    assert standing(circuit, NOON) == words


def test_numbers_in_words() -> None:
    """As people read them."""
    assert [count(1_234_567), rate(78), rate(None), per_minute(90, 3_600)] == [
        "1,234,567",
        "78.0 %",
        "–",
        "1.5 per minute",
    ]
    assert [milliseconds(v) for v in (None, 0, 999, 1_000, 59_999, 90_000)] == [
        "–",
        "0 ms",
        "999 ms",
        "1.00 s",
        "60.00 s",
        "1.5 min",
    ]
    assert [dollars(v) for v in (0, 0.0000123, 0.0123, 1, 1_234.567)] == [
        "$0.00",
        "$0.000012",
        "$0.0123",
        "$1.00",
        "$1,234.57",
    ]


def test_an_unknown_range_is_the_default() -> None:
    """Whatever stands in the address."""
    assert named("7d").window_s == 604_800
    assert named("'; drop table") is DEFAULT
