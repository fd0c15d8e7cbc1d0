"""What saves a breaker's round trips where many call at once: healthy circuits are not looked at for each call."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
import redis
from helpers.circuit import DOWN, FAST_MS, LIMITS, NAME, SAMPLES, Circuit

from worker.providers.circuit import CircuitBreaker
from worker.providers.circuit_rules import Permit
from worker.providers.clock import Clock
from worker.redisdb.coalescing import CoalescingRedis

REMEMBER_S = 0.05


@dataclass
class Busy:
    """A breaker as worker-ai has it: successes are told, a healthy circuit is remembered."""

    client: CoalescingRedis
    now_s: float = 100.0
    changes: list[tuple[str, str]] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.breaker = CircuitBreaker(
            self.client,
            lambda change: self.changes.append((change.provider, change.state)),
            clock=Clock(monotonic=lambda: self.now_s),
            on_call=lambda _name, _model, outcome, _ms: self.calls.append(outcome),
            remember_s=REMEMBER_S,
        )

    def permit(self) -> Permit | None:
        """What a caller gets, None for a refusal."""
        given = self.breaker.permit(NAME, "caller")
        return given if isinstance(given, Permit) else None

    def granted(self) -> Permit:
        """A permit that must be given."""
        permit = self.permit()
        assert permit is not None
        return permit

    def succeed(self, permit: Permit) -> None:
        """A call that brought an answer."""
        self.breaker.succeeded(permit, FAST_MS)

    def fail(self, permit: Permit) -> None:
        """A call that did not."""
        self.breaker.failed(permit, DOWN, FAST_MS)

    def time_passes(self) -> None:
        """What was remembered is over."""
        self.now_s += REMEMBER_S


@pytest.fixture
def busy(redis_client: redis.Redis) -> Busy:
    """The closed circuit of a provider nobody has called yet."""
    return Busy(CoalescingRedis(redis_client))


@pytest.fixture
def others(redis_client: redis.Redis) -> Circuit:
    """The same circuit as other processes see it."""
    return Circuit(redis_client)


def test_a_success_goes_with_the_next_command(busy: Busy, redis_client: redis.Redis) -> None:
    """Nobody waits for it; it is counted as a call at once."""
    busy.succeed(busy.granted())
    assert (busy.calls, redis_client.hlen(SAMPLES)) == (["ok"], 0)
    busy.time_passes()
    busy.granted()
    assert list(map(int, redis_client.hvals(SAMPLES))) == [1]  # type: ignore[arg-type]  # redis-py's types


def test_a_circuit_that_a_success_opens_is_told_of(busy: Busy) -> None:
    """Half of ten calls have failed, and the tenth succeeds: whoever asks next finds it open, and the shop hears."""
    permits = [busy.granted() for _ in range(LIMITS.least_calls)]
    for end, permit in zip([busy.fail] * 4 + [busy.succeed, busy.fail] + [busy.succeed] * 4, permits, strict=True):
        end(permit)
    assert busy.changes == []
    assert busy.permit() is None
    assert busy.changes == [(NAME, "open")]


def test_a_healthy_circuit_is_remembered_for_a_moment(busy: Busy, others: Circuit) -> None:
    """What other processes make of it counts when that is over."""
    busy.granted()
    others.fail(LIMITS.failures_in_a_row)
    assert busy.permit() is not None
    busy.time_passes()
    assert busy.permit() is None


def test_own_failures_count_at_once(busy: Busy) -> None:
    """Five in a row, all within that moment: the sixth is not allowed."""
    for _ in range(LIMITS.failures_in_a_row):
        busy.fail(busy.granted())
    assert busy.permit() is None


def test_what_was_seen_before_a_failure_is_not_remembered(busy: Busy, monkeypatch: pytest.MonkeyPatch) -> None:
    """One thread asks for a permit, and before it has read the answer another's failure opens the circuit."""
    permits = [busy.granted() for _ in range(LIMITS.failures_in_a_row)]
    busy.time_passes()
    ask = busy.breaker._run

    def answered_late(*asked: Any) -> Any:
        monkeypatch.setattr(busy.breaker, "_run", ask)
        answer = ask(*asked)
        for permit in permits:
            busy.fail(permit)
        return answer

    monkeypatch.setattr(busy.breaker, "_run", answered_late)
    assert busy.permit() is not None
    assert busy.permit() is None


def test_a_probe_waits_for_its_answer(busy: Busy, others: Circuit) -> None:
    """Success after success, the circuit closes when the second is there, and only then it is remembered."""
    others.open()
    for _ in range(2):
        busy.succeed(busy.granted())
    assert busy.changes == [(NAME, "closed")]
    others.breaker.force(NAME, "open")
    assert busy.permit() is None


def test_without_redis_calls_are_allowed(busy: Busy) -> None:
    """What was remembered, and then this process's own count."""
    permit = busy.granted()
    busy.client.connection_pool = redis.ConnectionPool(host="127.0.0.1", port=1, socket_connect_timeout=1)
    busy.succeed(permit)
    assert busy.permit() is not None
    busy.time_passes()
    for _ in range(LIMITS.failures_in_a_row):
        busy.fail(busy.granted())
    assert busy.permit() is None
