"""Circuit breaker of each provider: a failure counter and a state in Redis, shared by the whole fleet. First cut."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import redis
from redis.exceptions import RedisError

from worker.cache import CIRCUIT
from worker.errors import ProviderDenied, ProviderError, ProviderRateLimited, RequestRefused
from worker.log import logger

SCRIPT = Path(__file__).with_name("breaker.lua").read_text(encoding="utf-8")
#: Consecutive failures that open a circuit (the threshold of the flow that Chasqui replaces).
FAILURE_THRESHOLD = 5
OPEN_MS, OPEN_MAX_MS = 5_000, 300_000
#: How long one probe may keep the half-open circuit to itself: longer than any call takes.
PROBE_MS = 60_000
#: A wrong key or an empty balance does not mend itself in seconds.
DENIED_MS = 300_000
#: A rate limit that names no wait.
RATE_LIMITED_MS = 20_000
log = logger(__name__)


@dataclass(frozen=True, slots=True)
class Permit:
    """The right to call a provider once; `generation` ties the result to the circuit as it was."""

    provider: str
    generation: int


class Breaker:
    """Where Redis does not answer every call is permitted and no result is counted: never an error."""

    def __init__(self, client: redis.Redis, on_change: Callable[[str, str], None]) -> None:
        """on_change: called with provider and new state by whoever's result changed a circuit."""
        self._script = client.register_script(SCRIPT)
        self._on_change = on_change

    def permit(self, provider: str, caller: str) -> Permit | None:
        """A permit to call, None while the circuit is open or another caller probes it."""
        answer = self._run(provider, ["allow", caller, PROBE_MS])
        if answer is None:
            return Permit(provider, -1)
        return Permit(provider, int(answer[1])) if int(answer[0]) else None

    def succeeded(self, permit: Permit) -> None:
        """The call brought an answer, or failed through no fault of the provider."""
        self._changed(permit, self._run(permit.provider, ["success", permit.generation]))

    def failed(self, permit: Permit, error: ProviderError) -> None:
        """The call failed, after its retries. What counts against the message does not count here."""
        if isinstance(error, RequestRefused):
            self.succeeded(permit)
            return
        limits = [FAILURE_THRESHOLD, OPEN_MS, OPEN_MAX_MS, asked_wait_ms(error)]
        self._changed(permit, self._run(permit.provider, ["failure", permit.generation, *limits]))

    def _changed(self, permit: Permit, answer: list[int | bytes] | None) -> None:
        if answer is not None and answer[0]:
            state = answer[1].decode() if isinstance(answer[1], bytes) else str(answer[1])
            log.warning("circuit_changed", provider=permit.provider, state=state)
            self._on_change(permit.provider, state)

    def _run(self, provider: str, arguments: list[str | int]) -> list[int | bytes] | None:
        try:
            answer: list[int | bytes] = self._script(keys=[CIRCUIT.key(provider)], args=arguments)
        except RedisError as exc:
            log.warning("circuit_unavailable", provider=provider, error=type(exc).__name__)
            return None
        return answer


def asked_wait_ms(error: ProviderError) -> int:
    """How long the circuit must stay open whatever the counter says; 0 where the counter decides."""
    if isinstance(error, ProviderDenied):
        return DENIED_MS
    if isinstance(error, ProviderRateLimited):
        return int(error.retry_after_s * 1000) if error.retry_after_s else RATE_LIMITED_MS
    return 0
