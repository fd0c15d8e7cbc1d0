"""Numbers and circuits as the page words them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from worker.operate.display import dollars, milliseconds, number, rate, standing
from worker.providers.circuit_states import Circuit

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


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
    assert [number(1_234_567), rate(78), rate(None)] == ["1,234,567", "78.0 %", "–"]
    found = [milliseconds(value) for value in (None, 0, 999, 1_000, 59_999, 90_000)]
    assert found == ["–", "0 ms", "999 ms", "1.00 s", "60.00 s", "1.5 min"]
    found = [dollars(value) for value in (0, 0.0000123, 0.0123, 1, 1_234.567)]
    assert found == ["$0.00", "$0.000012", "$0.0123", "$1.00", "$1,234.57"]
