"""When to ask a second candidate: what is usual for a provider, and whether it is wanted at all."""

from __future__ import annotations

import pytest

from worker.errors import ConfigurationError
from worker.providers.hedging import Latencies
from worker.settings import read_settings


def latencies(*recent_ms: float) -> Latencies:
    """What is known after these answers of one provider."""
    known = Latencies()
    for latency_ms in recent_ms:
        known.add("deepseek", latency_ms)
    return known


def test_too_few_answers_tell_nothing() -> None:
    """Nineteen do not, twenty do; another provider's do not count."""
    known = latencies(*[100.0] * 19)
    assert known.p95_s("deepseek") is None
    known.add("gemini-flash", 100.0)
    assert known.p95_s("deepseek") is None
    known.add("deepseek", 100.0)
    assert known.p95_s("deepseek") == 0.1


@pytest.mark.parametrize(("number", "expected_s"), [(20, 0.019), (21, 0.020), (50, 0.048), (100, 0.095)])
def test_95_of_100_answers_came_within_it(number: int, expected_s: float) -> None:
    """In whatever order they came."""
    assert latencies(*map(float, range(1, number + 1))).p95_s("deepseek") == expected_s
    assert latencies(*map(float, range(number, 0, -1))).p95_s("deepseek") == expected_s


def test_only_the_last_hundred_count() -> None:
    """A provider that has become faster, or slower, is known by what it is now."""
    assert latencies(*[9_000.0] * 500, *[100.0] * 100).p95_s("deepseek") == 0.1
    assert latencies(*[100.0] * 500, *[9_000.0] * 100).p95_s("deepseek") == 9.0


def test_it_is_off_unless_it_is_asked_for() -> None:
    """And a word that is neither yes nor no is a mistake."""
    assert read_settings({}).ai_hedge is False
    assert read_settings({"AI_HEDGE": "false"}).ai_hedge is False
    assert read_settings({"AI_HEDGE": "true"}).ai_hedge is True
    with pytest.raises(ConfigurationError, match="AI_HEDGE"):
        read_settings({"AI_HEDGE": "perhaps"})
