"""Circuit breakers on a real Redis: what opens one, and for how long."""

from __future__ import annotations

from typing import Any

import pytest
import redis
from helpers.circuit import DOWN, LIMITS, NAME, SAMPLES, SLOW_MS, Circuit

from worker.errors import (
    ProviderDenied,
    ProviderError,
    ProviderRateLimited,
    ProviderTimeout,
    ProviderUnavailable,
    RequestRefused,
    UnreadableAnswer,
)
from worker.providers.circuit_rules import ASKED_MAX_MS, DENIED_MS, RATE_LIMITED_MS, Permit


@pytest.fixture
def circuit(redis_client: redis.Redis) -> Circuit:
    """The closed circuit of a provider nobody has called yet."""
    return Circuit(redis_client)


def test_it_opens_at_the_fifth_failure_in_a_row(circuit: Circuit) -> None:
    """Not before, and for 5 seconds."""
    circuit.fail(4)
    assert (circuit.is_shut_to(), circuit.changes) == (False, [])
    circuit.fail()
    assert (circuit.is_shut_to(), circuit.changes) == (True, [(NAME, "open")])
    assert (circuit.figures()["trips"], circuit.figures()["reason"]) == ("1", "unavailable")
    assert circuit.left_ms() == pytest.approx(5_000, abs=1_000)


def test_a_success_starts_the_count_again(circuit: Circuit) -> None:
    """Only failures in a row count here."""
    circuit.fail(4)
    circuit.succeed()
    circuit.fail(4)
    assert not circuit.is_shut_to()


@pytest.mark.parametrize("error", [ProviderTimeout(NAME, "x"), UnreadableAnswer(NAME, "x"), DOWN])
def test_failures_of_every_kind_count_alike(circuit: Circuit, error: ProviderError) -> None:
    """Too late, garbage, or not there."""
    circuit.fail(5, error)
    assert circuit.is_shut_to()


def test_half_of_the_calls_failing_opens_it_too(circuit: Circuit) -> None:
    """From ten calls within the window on, never five in a row."""
    for _ in range(4):
        circuit.succeed()
        circuit.fail()
    circuit.succeed()
    assert circuit.changes == []
    circuit.fail()
    assert (circuit.changes, circuit.figures()["reason"]) == ([(NAME, "open")], "failure rate")


def test_slow_answers_open_it(circuit: Circuit) -> None:
    """Eight of ten; answers that are only nearly slow do not."""
    circuit.succeed(10, latency_ms=SLOW_MS - 1)
    assert circuit.changes == []
    circuit.client.delete(SAMPLES)
    circuit.succeed(2)
    circuit.succeed(7, latency_ms=SLOW_MS)
    assert circuit.changes == []
    circuit.succeed(1, latency_ms=SLOW_MS)
    assert (circuit.changes, circuit.figures()["reason"]) == ([(NAME, "open")], "slow calls")


def test_what_lies_before_the_window_is_forgotten(circuit: Circuit) -> None:
    """Samples of more than 30 seconds ago count no more, and do not stay for ever."""
    for _ in range(4):
        circuit.succeed()
        circuit.fail()
    circuit.succeed()
    old: Any = circuit.client.hgetall(SAMPLES)
    circuit.client.delete(SAMPLES)
    for name, number in old.items():
        bucket, kind = name.decode().split(":")
        circuit.client.hset(SAMPLES, f"{int(bucket) - LIMITS.buckets}:{kind}", number)
    circuit.fail()
    assert circuit.changes == []
    left: Any = circuit.client.pttl(SAMPLES)
    assert 0 < left <= 2 * LIMITS.window_ms
    assert {int(count) for count in circuit.client.hgetall(SAMPLES).values()} == {1}


def test_providers_have_circuits_of_their_own(circuit: Circuit) -> None:
    """One that is down shuts no other."""
    circuit.fail(5)
    assert isinstance(circuit.breaker.permit("gemini-flash", "caller"), Permit)


@pytest.mark.parametrize(
    ("error", "wait_ms"),
    [
        (ProviderRateLimited(NAME, "HTTP 429", retry_after_s=33.5), 33_500),
        (ProviderRateLimited(NAME, "HTTP 429", retry_after_s=0.5), 500),
        (ProviderRateLimited(NAME, "HTTP 429"), RATE_LIMITED_MS),
        (ProviderRateLimited(NAME, "HTTP 429", retry_after_s=900), 900_000),
        (ProviderRateLimited(NAME, "HTTP 429", retry_after_s=86_400), ASKED_MAX_MS),
        (ProviderDenied(NAME, "HTTP 401"), DENIED_MS),
    ],
    ids=["named wait", "shorter than ours", "no wait", "longer than our longest", "a day", "denied"],
)
def test_a_limit_or_a_refused_key_opens_at_once(circuit: Circuit, error: ProviderError, wait_ms: int) -> None:
    """For as long as the provider asks, or as a key needs to be mended."""
    circuit.fail(error=error)
    assert circuit.changes == [(NAME, "open")]
    assert circuit.left_ms() == pytest.approx(wait_ms, abs=min(1_000, wait_ms))


def test_a_named_wait_of_a_failure_counts_once_it_opens(circuit: Circuit) -> None:
    """503 with Retry-After is a failure like others, only longer."""
    circuit.fail(4)
    circuit.fail(error=ProviderUnavailable(NAME, "HTTP 503", retry_after_s=60))
    assert circuit.left_ms() == pytest.approx(60_000, abs=1_000)


def test_a_refused_request_is_not_the_providers_fault(circuit: Circuit) -> None:
    """However many there are."""
    circuit.fail(4)
    circuit.fail(30, RequestRefused(NAME, "HTTP 400"))
    assert (circuit.is_shut_to(), circuit.changes) == (False, [])
    circuit.fail()
    assert circuit.is_shut_to()
