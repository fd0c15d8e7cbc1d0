"""Circuit breakers in an operator's hand, and without Redis."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import redis
from helpers.away import absent_redis

from worker.errors import ProviderUnavailable, RequestRefused
from worker.providers import clock as clocks
from worker.providers.circuit import CircuitBreaker, CircuitChange
from worker.providers.circuit_rules import Permit, PermitRefusal

NAME, KEY = "deepseek", "ai_circuit:deepseek"
DOWN = ProviderUnavailable(NAME, "HTTP 503")


@dataclass
class Clock:
    """Seconds that pass when the test says so."""

    now: float = 100.0

    def __call__(self) -> float:
        """The time."""
        return self.now


class Told(list[tuple[str, str]]):
    """The changes a breaker told."""

    def __call__(self, change: CircuitChange) -> None:
        """Takes one down."""
        self.append((change.provider, change.state))


def permit_of(breaker: CircuitBreaker) -> Permit:
    """A permit that must be given."""
    permit = breaker.permit(NAME, "caller")
    assert isinstance(permit, Permit)
    return permit


def fail(breaker: CircuitBreaker, times: int) -> None:
    """So many calls that fail."""
    for _ in range(times):
        breaker.failed(permit_of(breaker), DOWN, 1.0)


def test_an_operator_opens_and_closes(redis_client: redis.Redis) -> None:
    """What is forced open gives no probe and heeds no result until it is forced closed."""
    told = Told()
    breaker = CircuitBreaker(redis_client, told)
    permit = permit_of(breaker)
    assert breaker.force(NAME, "open") == "forced_open"
    redis_client.hset(KEY, "until_ms", 0)
    breaker.succeeded(permit, 1.0)
    breaker.failed(permit, DOWN, 1.0)
    assert isinstance(breaker.permit(NAME, "caller"), PermitRefusal)
    assert breaker.force(NAME, "close") == "closed"
    assert told == [(NAME, "forced_open"), (NAME, "closed")]
    fail(breaker, 4)
    assert isinstance(breaker.permit(NAME, "caller"), Permit)


def test_closing_by_hand_forgets_the_failures(redis_client: redis.Redis) -> None:
    """The next opening is as short as the first."""
    breaker = CircuitBreaker(redis_client, Told())
    fail(breaker, 5)
    breaker.force(NAME, "close")
    found: Any = redis_client.hgetall(KEY)
    assert (found[b"opened"], found[b"failures"], found[b"state"]) == (b"0", b"0", b"closed")


def test_a_circuit_does_not_stay_for_ever(redis_client: redis.Redis) -> None:
    """It has a time to live, longer than any wait of ours."""
    fail(CircuitBreaker(redis_client, Told()), 1)
    ttl: Any = redis_client.ttl(KEY)
    assert 86_400 < ttl <= 7 * 86_400


@pytest.fixture
def clock() -> Clock:
    """The clock of the breaker whose Redis is away."""
    return Clock()


@pytest.fixture
def alone(clock: Clock) -> Iterator[CircuitBreaker]:
    """A breaker whose Redis is away; it tells no change."""
    told = Told()
    with absent_redis() as client:
        yield CircuitBreaker(client, told, clock=clocks.Clock(monotonic=clock))
    assert told == []


def test_without_redis_a_process_breaks_its_own_circuit(alone: CircuitBreaker, clock: Clock) -> None:
    """After five failures in a row, for five seconds, then one call at a time."""
    fail(alone, 5)
    assert isinstance(alone.permit(NAME, "caller"), PermitRefusal)
    assert isinstance(alone.permit("gemini-flash", "caller"), Permit)
    clock.now += 4.9
    assert isinstance(alone.permit(NAME, "caller"), PermitRefusal)
    clock.now += 0.2
    probe = permit_of(alone)
    assert isinstance(alone.permit(NAME, "another"), PermitRefusal)
    alone.succeeded(probe, 1.0)
    assert isinstance(alone.permit(NAME, "another"), Permit)


def test_without_redis_a_refused_request_counts_for_nothing(alone: CircuitBreaker) -> None:
    """It is not the provider's fault here either."""
    for _ in range(10):
        alone.failed(permit_of(alone), RequestRefused(NAME, "HTTP 400"), 1.0)
    assert isinstance(alone.permit(NAME, "caller"), Permit)


def test_a_permit_of_that_time_counts_for_nothing_later(alone: CircuitBreaker, redis_client: redis.Redis) -> None:
    """Redis has come back with a circuit that knows nothing of it."""
    back = CircuitBreaker(redis_client, Told())
    for _ in range(6):
        back.failed(Permit(NAME, "caller", permit_of(alone).generation), DOWN, 1.0)
    assert redis_client.exists(KEY) == 0
