"""A circuit breaker under test, and a hand on its figures in Redis."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

import redis

from worker.errors import ProviderError, ProviderUnavailable
from worker.providers.circuit import CircuitBreaker, CircuitChange
from worker.providers.circuit_rules import CircuitLimits, Permit, PermitRefusal
from worker.providers.clock import Clock

NAME = "deepseek"
KEY, SAMPLES = "ai_circuit:deepseek", "ai_circuit:deepseek:samples"
DOWN = ProviderUnavailable(NAME, "HTTP 503")
LIMITS = CircuitLimits()
FAST_MS, SLOW_MS = 150.0, float(LIMITS.slow_ms)


@dataclass
class Circuit:
    """A breaker, the changes it told, and a hand on the figures in Redis."""

    client: redis.Redis
    changes: list[tuple[str, str]] = field(default_factory=list)
    jitter: float = 0.5

    def __post_init__(self) -> None:
        """The breaker tells its changes to this list, a model as PROVIDER/MODEL."""
        self.breaker = CircuitBreaker(self.client, self._changed, clock=Clock(random=lambda: self.jitter))

    def _changed(self, change: CircuitChange) -> None:
        name = f"{change.provider}/{change.model}" if change.model else change.provider
        self.changes.append((name, change.state))

    def permit(self, caller: str = "caller") -> Permit:
        """A permit that must be given."""
        permit = self.breaker.permit(NAME, caller)
        assert isinstance(permit, Permit)
        return permit

    def is_shut_to(self, caller: str = "caller") -> bool:
        """Whether this caller gets no permit."""
        return isinstance(self.breaker.permit(NAME, caller), PermitRefusal)

    def fail(self, times: int = 1, error: ProviderError = DOWN) -> None:
        """So many calls that fail, each with a permit of its own."""
        for _ in range(times):
            self.breaker.failed(self.permit(), error, FAST_MS)

    def succeed(self, times: int = 1, latency_ms: float = FAST_MS) -> None:
        """So many calls that succeed, each with a permit of its own."""
        for _ in range(times):
            self.breaker.succeeded(self.permit(), latency_ms)

    def open(self) -> None:
        """Opens the circuit by as many failures as it takes, and lets its open time pass."""
        self.fail(LIMITS.failures_in_a_row)
        self.wait_is_over()

    def wait_is_over(self) -> None:
        """Lets the open time have passed."""
        self.client.hset(KEY, "until_ms", 0)

    def figures(self) -> dict[str, str]:
        """The circuit as it stands in Redis."""
        found: Any = self.client.hgetall(KEY)
        return {name.decode(): value.decode() for name, value in found.items()}

    def left_ms(self, name: str = "until_ms") -> float:
        """Milliseconds until a moment among the figures."""
        return float(self.figures()[name]) - time.time() * 1000
