"""Circuit breakers of providers and their models: window, state and half-open lease in Redis, shared by the fleet."""

from __future__ import annotations

import hashlib
import random as _random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from itertools import count
from pathlib import Path
from typing import Any

import redis
from msgspec import Struct
from redis.exceptions import RedisError

from worker.errors import (
    ModelFault,
    ProviderDenied,
    ProviderError,
    ProviderRateLimited,
    ProviderUnavailable,
    RequestRefused,
    ThoughtAway,
)
from worker.log import logger
from worker.providers.local_circuit import LocalBreaker
from worker.redisdb.keys import CIRCUIT, CIRCUIT_SAMPLES, MODEL_CIRCUIT

SCRIPT = Path(__file__).with_name("circuit.lua").read_text(encoding="utf-8")
#: How long one probe may keep the half-open circuit to itself: longer than any call takes.
PROBE_MS = 45_000
#: A wrong key or an empty balance does not mend itself in seconds.
DENIED_MS = 300_000
#: A rate limit that names no wait.
RATE_LIMITED_MS = 20_000
#: The longest wait that is granted; a date in a header, read by a wrong clock, must not shut a provider out for days.
ASKED_MAX_MS = 3_600_000
#: A model that is gone seldom comes back: one probe after an hour, later every six.
MODEL_OPEN_MS, MODEL_OPEN_MAX_MS = 3_600_000, 6 * 3_600_000
#: Customers in a row whose messages are refused without a reason before the model is taken for unfit.
UNCLEAR_CUSTOMERS = 3
#: Permits that were given before a model was set aside are used up within this time.
STALE_S = 0.5
LOCAL_GENERATION = -1
RATE_LIMITED = ProviderRateLimited.kind
#: Why refusals without a reason have opened a model's circuit.
UNCLEAR = "model_unfit"
log = logger(__name__)


@dataclass(frozen=True, slots=True)
class Limits:
    """When a provider's circuit opens and for how long. Times in milliseconds, rates as shares.

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
    """The right to call one model of a provider once.

    Args:
        model: the most preferred one that may be asked; empty where none was named.
        generation, model_generation: tie the result to the circuits as they were.
        healthy: the provider's last call did not fail, so that a failure now may be a passing one.
        clean: nothing is held against the model, so that a success need not be told.
        probing: the call tries a half-open circuit.
    """

    provider: str
    caller: str
    generation: int
    healthy: bool = False
    model: str = ""
    model_generation: int = 0
    clean: bool = True
    probing: bool = False


class Refusal(Struct, frozen=True):
    """No call now. wait_s: until a call may be tried, None where that is not a matter of time."""

    reason: str
    wait_s: float | None = None


class Breaker:
    """Circuit breakers over Redis. Where it does not answer, a breaker of this process takes over: never an error.

    Args:
        on_change: called with provider, model (empty: the provider itself), new state, reason and the provider's
            sentence by whoever's result changed a circuit.
        on_call: called with provider, model, outcome (`ok` or the kind of error) and milliseconds after every call,
            while Redis answers.
        fire_and_forget: makes a client that nobody waits for, from a callback for its answers; successes of healthy
            circuits go by it.
        remember_s: how long a healthy circuit is not looked at again; this process's own failures are known at once.
    """

    def __init__(
        self,
        client: redis.Redis,
        on_change: Callable[[str, str, str, str, str], None],
        limits: Limits | None = None,
        random: Callable[[], float] = _random.random,
        clock: Callable[[], float] = time.monotonic,
        on_call: Callable[[str, str, str, float], None] | None = None,
        fire_and_forget: Callable[[Callable[[Any], None]], redis.Redis] | None = None,
        remember_s: float = 0.0,
    ) -> None:
        self._script = client.register_script(SCRIPT)
        self._on_change = on_change
        self._on_call = on_call
        self._limits = limits or Limits()
        self._random = random
        self._clock = clock
        self._remember_s = remember_s
        self._remembered: dict[tuple[str, tuple[str, ...]], tuple[Permit, float]] = {}
        self._forgotten: dict[str, int] = {}
        self._set_aside: dict[str, tuple[int, float]] = {}
        self._times_forgotten = count()
        self._unawaited = (
            cache(lambda provider: fire_and_forget(partial(self._heard, provider, "", "", "")))
            if fire_and_forget
            else None
        )
        self._local = LocalBreaker(self._limits.failures_in_a_row, self._limits.open_ms / 1000, clock)

    def permit(self, provider: str, caller: str, models: Sequence[str] = (), *, probe: bool = True) -> Permit | Refusal:
        """A permit for the first of these models that may be asked, or why there is none now.

        Args:
            models: ids in order of preference.
            probe: False: a half-open provider is left to others, so that nobody waits for two of them.
        """
        known, until = self._remembered.get((provider, tuple(models)), (None, 0.0))
        if known is not None and self._clock() < until:
            return Permit(provider, caller, known.generation, True, known.model, known.model_generation)
        forgotten = self._forgotten.get(provider)
        answer = self._run(provider, models, ["permit", caller, PROBE_MS, int(probe)])
        if answer is None:
            return self._local_permit(provider, caller, models)
        given = _permit(provider, caller, models, answer)
        # What another thread has heard meanwhile is newer.
        unchanged = self._forgotten.get(provider) == forgotten
        if isinstance(given, Permit) and given.healthy and given.clean and self._remember_s and unchanged:
            self._remembered[provider, tuple(models)] = given, self._clock() + self._remember_s
        return given

    def is_stale(self, permit: Permit) -> bool:
        """Whether the permit's model has turned out to be unusable in this process since the permit was given."""
        generation, until = self._set_aside.get(_place(permit), (0, 0.0))
        return self._clock() < until and LOCAL_GENERATION < permit.model_generation <= generation

    def succeeded(self, permit: Permit, latency_ms: float) -> None:
        """The call brought an answer; a slow one counts as slow."""
        self._local.record(permit.provider, failed=False)
        self._local.record(_place(permit), failed=False)
        self._record(permit, "success", latency_ms)
        if not permit.clean:
            self._record_model(permit, "success")

    def failed(self, permit: Permit, error: ProviderError, latency_ms: float, customer: str = "") -> None:
        """The call failed. What is a message's fault only frees the probe, a whole answer that we refuse shows that the
        provider is well, and a model's fault sets the model aside.

        Args:
            customer: whose message it was; kept as a short hash, and only until the model's next success.
        """
        of_model = isinstance(error, ModelFault)
        ignored = of_model or isinstance(error, RequestRefused | ThoughtAway)
        if of_model:
            self._set_aside[_place(permit)] = permit.model_generation, self._clock() + STALE_S
        self._local.record(permit.provider, failed=not ignored)
        self._local.record(_place(permit), failed=of_model, at_once=True)
        if isinstance(error, ProviderDenied):
            advice = "check the key and the balance"
            log.error("provider_denied", provider=permit.provider, model=permit.model, told=error.told, advice=advice)
        answered = isinstance(error, RequestRefused) and error.answered
        self._record(
            permit,
            "success" if answered else "ignore" if ignored else "failure",
            latency_ms,
            asked_ms=asked_wait_ms(error),
            reason=error.kind,
            at_once=isinstance(error, ProviderDenied | ProviderRateLimited),
        )
        if permit.model:
            self._model_failed(permit, error, customer)

    def released(self, permit: Permit) -> None:
        """The permit was not used after all; a probe is free for the next."""
        self._record(permit, "ignore", None)
        if permit.probing and permit.model:
            self._record_model(permit, "ignore")

    def probed(self, provider: str, model: str, error: ProviderError | None) -> None:
        """Takes in the result of a probe beside the customers' calls: a model's fault sets it aside, a good answer
        brings it back. A refused key or balance may be about this model alone; it is left to the customers' calls.
        """
        if error is None or isinstance(error, ModelFault):
            what, reason, told = ("gone", error.kind, error.told) if error else ("success", "", "")
            answer = self._run(provider, [model], ["probed", what, reason, told, MODEL_OPEN_MS, MODEL_OPEN_MAX_MS])
            if answer is not None:
                self._heard(provider, model, reason, told, answer)

    def force(self, provider: str, action: str, model: str = "") -> str:
        """Opens or closes a circuit by hand: `open` (not called until somebody closes it) or `close` (back to normal
        with all counters reset, whoever had opened it). The new state. Raises RedisError.
        """
        answer = self._run(provider, [model] if model else [], ["force", action])
        if answer is None:
            raise RedisError("circuits cannot be changed while Redis is away")
        self._on_change(provider, model, _state(answer), "operator" if action == "open" else "", "")
        return _state(answer)

    def _local_permit(self, provider: str, caller: str, models: Sequence[str]) -> Permit | Refusal:
        model = next((each for each in models if self._local.allows(f"{provider}/{each}")), "")
        if (models and not model) or not self._local.allows(provider):
            return Refusal("circuit of this process")
        return Permit(provider, caller, LOCAL_GENERATION, model=model, model_generation=LOCAL_GENERATION)

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
        if outcome == "success" and permit.healthy and self._unawaited:
            self._run(permit.provider, (), call, self._unawaited(permit.provider))
        else:
            self._forget(permit.provider)
            answer = self._run(permit.provider, (), call)
            if answer is None:
                return
            self._forget(permit.provider)
            self._heard(permit.provider, "", reason, "", answer)
        if self._on_call is not None and latency_ms is not None:
            self._on_call(permit.provider, permit.model, reason or "ok", latency_ms)

    def _model_failed(self, permit: Permit, error: ProviderError, customer: str) -> None:
        if isinstance(error, ModelFault):
            log.error("model_refused", provider=permit.provider, model=permit.model, kind=error.kind, told=error.told)
            self._record_model(permit, "gone", error.kind, error.told)
        elif isinstance(error, RequestRefused) and error.unclear:
            self._record_model(permit, "unclear", UNCLEAR, error.told, customer)
        elif isinstance(error, ThoughtAway):
            self._record_model(permit, "unclear", error.kind, error.detail, customer)
        elif permit.probing:
            self._record_model(permit, "ignore")

    def _record_model(self, permit: Permit, outcome: str, reason: str = "", told: str = "", customer: str = "") -> None:
        who = hashlib.blake2s(customer.encode(), digest_size=4).hexdigest()
        call: list[str | int | float] = ["model", permit.caller, permit.model_generation, outcome, reason, told, who]
        answer = self._run(
            permit.provider, [permit.model], [*call, UNCLEAR_CUSTOMERS, MODEL_OPEN_MS, MODEL_OPEN_MAX_MS]
        )
        self._forget(permit.provider)
        if answer is not None:
            self._heard(permit.provider, permit.model, reason, told, answer)

    def _heard(self, provider: str, model: str, reason: str, told: str, answer: list[int | bytes]) -> None:
        """Passes on that recording a result has changed a circuit."""
        if answer[0]:
            self._forget(provider)
            state = _state(answer)
            log.warning("circuit_changed", provider=provider, model=model or None, state=state, reason=reason)
            self._on_change(provider, model, state, reason, told)

    def _forget(self, provider: str) -> None:
        self._forgotten[provider] = next(self._times_forgotten)
        for known in [key for key in list(self._remembered) if key[0] == provider]:
            self._remembered.pop(known, None)

    def _run(
        self,
        provider: str,
        models: Sequence[str],
        arguments: list[str | int | float],
        client: redis.Redis | None = None,
    ) -> list[int | bytes] | None:
        keys = [CIRCUIT.key(provider), CIRCUIT_SAMPLES.key(provider)]
        keys += [MODEL_CIRCUIT.key(f"{provider}:{model}") for model in models]
        try:
            answer: list[int | bytes] = self._script(keys=keys, args=arguments, client=client)
        except RedisError as exc:
            log.warning("circuit_unavailable", provider=provider, error=type(exc).__name__)
            return None
        return answer


def _permit(provider: str, caller: str, models: Sequence[str], answer: Sequence[Any]) -> Permit | Refusal:
    permitted, generation, healthy, place, model_generation, clean, probing, wait_ms, reason = answer
    if not permitted:
        return Refusal(reason.decode(), wait_ms / 1000 if wait_ms >= 0 else None)
    model = models[place - 1] if place else ""
    return Permit(
        provider, caller, generation, bool(healthy), model, model_generation, bool(clean) or not model, bool(probing)
    )


def _place(permit: Permit) -> str:
    return f"{permit.provider}/{permit.model}"


def _state(answer: list[int | bytes]) -> str:
    return answer[1].decode() if isinstance(answer[1], bytes) else str(answer[1])


def asked_wait_ms(error: ProviderError) -> int:
    """How long the circuit stays open at least, once it opens: at most an hour, 0 where the error names no wait."""
    if isinstance(error, ProviderDenied):
        return DENIED_MS
    if isinstance(error, ProviderUnavailable) and error.retry_after_s:
        return int(min(error.retry_after_s * 1000, ASKED_MAX_MS))
    return RATE_LIMITED_MS if isinstance(error, ProviderRateLimited) else 0
