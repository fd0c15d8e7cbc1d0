"""Circuit breaker of each provider: window, state and half-open lease in Redis, shared by the whole fleet."""

from __future__ import annotations

import random as _random
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from itertools import count
from pathlib import Path
from typing import Any

import redis
from msgspec import Struct
from redis.exceptions import RedisError

from worker.cache import CIRCUIT, CIRCUIT_SAMPLES
from worker.errors import ProviderDenied, ProviderError, ProviderRateLimited, ProviderUnavailable, RequestRefused
from worker.log import logger
from worker.providers.local_circuit import LocalBreaker

SCRIPT = Path(__file__).with_name("circuit.lua").read_text(encoding="utf-8")
#: How long one probe may keep the half-open circuit to itself: longer than any call takes.
PROBE_MS = 45_000
#: A wrong key or an empty balance does not mend itself in seconds.
DENIED_MS = 300_000
#: A rate limit that names no wait.
RATE_LIMITED_MS = 20_000
#: The longest wait that is granted; a date in a header, read by a wrong clock, must not shut a provider out for days.
ASKED_MAX_MS = 3_600_000
LOCAL_GENERATION = -1
log = logger(__name__)


@dataclass(frozen=True, slots=True)
class Limits:
    """When a circuit opens and for how long. Times in milliseconds, rates as shares.

    failures_in_a_row is the threshold of the flow that Chasqui replaces; the window and the rates are those that
    resilience libraries use as defaults, with a wait that doubles from 5 s to 5 min.
    """

    window_ms: int = 30_000
    buckets: int = 10
    failures_in_a_row: int = 5
    least_calls: int = 10
    failure_rate: float = 0.5
    slow_rate: float = 0.8
    slow_ms: int = 10_000
    open_ms: int = 5_000
    open_max_ms: int = 300_000

    def arguments(self) -> list[str | int | float]:
        """As the script takes them."""
        window = (self.window_ms, self.buckets, self.failures_in_a_row, self.least_calls)
        return [*window, self.failure_rate, self.slow_rate, self.open_ms, self.open_max_ms]


class Permit(Struct, frozen=True):
    """The right to call a provider once. `generation` ties the result to the circuit as it was; `healthy` says that its
    last call did not fail, so that a failure now may be a passing one.
    """

    provider: str
    caller: str
    generation: int
    healthy: bool = False


class Breaker:
    """Where Redis does not answer, a breaker of this process alone takes over: never an error."""

    def __init__(
        self,
        client: redis.Redis,
        on_change: Callable[[str, str], None],
        limits: Limits | None = None,
        random: Callable[[], float] = _random.random,
        clock: Callable[[], float] = time.monotonic,
        on_call: Callable[[str, str, float], None] | None = None,
        telling: Callable[[Callable[[Any], None]], redis.Redis] | None = None,
        remember_s: float = 0.0,
    ) -> None:
        """on_change: called with provider and new state by whoever's result changed a circuit. on_call: called with
        provider, outcome (`ok` or the kind of error) and milliseconds after every call, while Redis answers. telling:
        makes a client that need not answer at once, from what is to hear the answer; the successes of healthy circuits
        go by it. remember_s: how long a healthy circuit is not looked at again; this process's own failures are known
        at once.
        """
        self._script = client.register_script(SCRIPT)
        self._on_change = on_change
        self._on_call = on_call
        self._limits = limits or Limits()
        self._random = random
        self._clock = clock
        self._remember_s = remember_s
        self._remembered: dict[str, tuple[int, float]] = {}
        self._forgotten: dict[str, int] = {}
        self._times_forgotten = count()
        self._telling = cache(lambda provider: telling(partial(self._heard, provider, ""))) if telling else None
        self._local = LocalBreaker(self._limits.failures_in_a_row, self._limits.open_ms / 1000, clock)

    def permit(self, provider: str, caller: str) -> Permit | None:
        """A permit to call, None while the circuit is open or another caller probes it."""
        generation, until = self._remembered.get(provider, (0, 0.0))
        if self._clock() < until:
            return Permit(provider, caller, generation, healthy=True)
        forgotten = self._forgotten.get(provider)
        answer = self._run(provider, ["permit", caller, PROBE_MS])
        if answer is None:
            return Permit(provider, caller, LOCAL_GENERATION) if self._local.allows(provider) else None
        permit = Permit(provider, caller, int(answer[1]), bool(answer[2])) if int(answer[0]) else None
        # What another thread has heard meanwhile is newer.
        if permit and permit.healthy and self._remember_s and self._forgotten.get(provider) == forgotten:
            self._remembered[provider] = permit.generation, self._clock() + self._remember_s
        return permit

    def succeeded(self, permit: Permit, latency_ms: float) -> None:
        """The call brought an answer; a slow one counts as slow."""
        self._local.record(permit.provider, failed=False)
        self._record(permit, "success", latency_ms)

    def failed(self, permit: Permit, error: ProviderError, latency_ms: float) -> None:
        """The call failed, after its retries. What counts against the message only frees the probe."""
        ignored = isinstance(error, RequestRefused)
        self._local.record(permit.provider, failed=not ignored)
        if isinstance(error, ProviderDenied):
            log.error("provider_denied", provider=permit.provider, advice="check the key and the balance")
        self._record(
            permit,
            "ignore" if ignored else "failure",
            latency_ms,
            asked_ms=asked_wait_ms(error),
            reason=error.kind,
            at_once=isinstance(error, ProviderDenied | ProviderRateLimited),
        )

    def released(self, permit: Permit) -> None:
        """The permit was not used after all; a probe is free for the next."""
        self._record(permit, "ignore", None)

    def force(self, provider: str, action: str) -> str:
        """An operator's hand: `open` (the provider is not called until somebody closes the circuit) or `close` (back to
        normal with all counters reset, whoever had opened it). The new state. Raises RedisError.
        """
        answer = self._run(provider, ["force", action])
        if answer is None:
            raise RedisError("circuits cannot be changed while Redis is away")
        self._on_change(provider, _state(answer))
        return _state(answer)

    def _record(
        self,
        permit: Permit,
        outcome: str,
        latency_ms: float | None,
        *,
        asked_ms: int = 0,
        reason: str = "",
        at_once: bool = False,
    ) -> None:
        slow = int(latency_ms is not None and latency_ms >= self._limits.slow_ms)
        call: list[str | int | float] = ["record", permit.caller, permit.generation, outcome, slow]
        call += [asked_ms, self._random(), reason, *self._limits.arguments(), int(at_once)]
        if outcome == "success" and permit.healthy and self._telling:
            self._run(permit.provider, call, self._telling(permit.provider))
        else:
            self._forget(permit.provider)
            answer = self._run(permit.provider, call)
            if answer is None:
                return
            self._forget(permit.provider)
            self._heard(permit.provider, reason, answer)
        if self._on_call is not None and latency_ms is not None:
            self._on_call(permit.provider, reason or "ok", latency_ms)

    def _heard(self, provider: str, reason: str, answer: list[int | bytes]) -> None:
        """What recording a result has done to the circuit."""
        if answer[0]:
            self._forget(provider)
            log.warning("circuit_changed", provider=provider, state=_state(answer), reason=reason)
            self._on_change(provider, _state(answer))

    def _forget(self, provider: str) -> None:
        self._forgotten[provider] = next(self._times_forgotten)
        self._remembered.pop(provider, None)

    def _run(
        self, provider: str, arguments: list[str | int | float], client: redis.Redis | None = None
    ) -> list[int | bytes] | None:
        keys = [CIRCUIT.key(provider), CIRCUIT_SAMPLES.key(provider)]
        try:
            answer: list[int | bytes] = self._script(keys=keys, args=arguments, client=client)
        except RedisError as exc:
            log.warning("circuit_unavailable", provider=provider, error=type(exc).__name__)
            return None
        return answer


def _state(answer: list[int | bytes]) -> str:
    return answer[1].decode() if isinstance(answer[1], bytes) else str(answer[1])


def asked_wait_ms(error: ProviderError) -> int:
    """How long the circuit stays open at least, once it opens: at most an hour, 0 where the error names no wait."""
    if isinstance(error, ProviderDenied):
        return DENIED_MS
    if isinstance(error, ProviderUnavailable) and error.retry_after_s:
        return min(int(error.retry_after_s * 1000), ASKED_MAX_MS)
    return RATE_LIMITED_MS if isinstance(error, ProviderRateLimited) else 0
