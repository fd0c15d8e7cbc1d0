"""Circuit breaker of providers and their models: counters, state and probes in Redis, shared by the fleet.

A provider's circuit counts failures; a model's opens when the model itself cannot be asked.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import orjson
import redis
from msgspec.structs import replace
from redis.exceptions import RedisError

from worker.errors import ModelFault, ProviderDenied, ProviderError
from worker.log import logger
from worker.providers.circuit_rules import (
    LIMITS,
    LOCAL_GENERATION,
    PROBE_MS,
    CircuitLimits,
    LocalCircuits,
    Permit,
    PermitRefusal,
    call_report,
    provider_outcome,
)
from worker.providers.clock import SYSTEM_CLOCK, Clock
from worker.redisdb.coalescing import CoalescingRedis
from worker.redisdb.keys import CIRCUIT, CIRCUIT_SAMPLES, MODEL_CIRCUIT
from worker.telemetry.recording import ANSWERED

SCRIPT = Path(__file__).with_name("circuit.lua").read_text(encoding="utf-8")
#: Permits that were given before a model was set aside are used up within this time.
STALE_S = 0.5
#: That a model is answered by another one is noted, and said in the log, again after this time.
REROUTED_AGAIN_S = 600.0
log = logger(__name__)


class CircuitChange(NamedTuple):
    """New state of a provider's circuit, or of a model's where `model` is not empty; sentence: the provider's own."""

    provider: str
    model: str
    state: str
    reason: str
    sentence: str


class CircuitBreaker:
    """Circuit breakers in Redis: count, open, probe half-open, close. Where Redis does not answer, a breaker of this
    process takes over: never an error.

    Args:
        client: successes of healthy circuits, and notes, go fire-and-forget where it coalesces.
        on_change: called by whichever thread's result changed a circuit.
        on_call: called with provider, model, outcome (`ok` or the kind of error) and milliseconds after every call,
            while Redis answers.
        remember_s: how long a healthy circuit is not looked at again; this process's failures are known at once.
    """

    def __init__(
        self,
        client: redis.Redis,
        on_change: Callable[[CircuitChange], None],
        on_call: Callable[[str, str, str, float], None] = lambda *_: None,
        limits: CircuitLimits = LIMITS,
        clock: Clock = SYSTEM_CLOCK,
        remember_s: float = 0.0,
    ) -> None:
        self._background = client.fire_and_forget(self._announce) if isinstance(client, CoalescingRedis) else None
        self._notes = client.fire_and_forget() if isinstance(client, CoalescingRedis) else client
        self._script = client.register_script(SCRIPT)
        self._on_change = on_change
        self._on_call = on_call
        self._limits, self._limits_json = limits, orjson.dumps(limits)
        self._clock = clock
        self._remember_s = remember_s
        self._remembered: dict[str, dict[tuple[str, ...], tuple[Permit, float]]] = {}
        self._set_aside: dict[str, tuple[int, float]] = {}
        self._rerouted: dict[tuple[str, str, str], float] = {}
        self._local = LocalCircuits(limits.failures_in_a_row, limits.open_ms / 1000, clock.monotonic)

    def permit(
        self, provider: str, caller: str, models: Sequence[str] = (), *, probe: bool = True
    ) -> Permit | PermitRefusal:
        """Gives a permit for the first of these models that may be asked, or the reason why there is none now.

        Args:
            models: ids in order of preference.
            probe: False: a half-open provider is left to others, so that nobody waits for two of them.
        """
        remembered = self._remembered.setdefault(provider, {})
        known, until = remembered.get(tuple(models), (None, 0.0))
        if known is not None and self._clock.monotonic() < until:
            return replace(known, caller=caller)
        report = {"caller": caller, "models": models, "probe": probe, "probe_ms": PROBE_MS}
        answer = self._run("permit", provider, models, report)
        if answer is None:
            return self._local.permit(provider, caller, models)
        given = msgspec.json.decode(answer, type=Permit | PermitRefusal)
        if isinstance(given, Permit) and given.healthy and given.clean and self._remember_s:
            # Remembered for nobody where another thread's result has made this process forget meanwhile.
            remembered[tuple(models)] = given, self._clock.monotonic() + self._remember_s
        return given

    def is_stale(self, permit: Permit) -> bool:
        """Returns whether the permit's model has turned out to be unusable since, as this process knows."""
        generation, until = self._set_aside.get(permit.place, (0, 0.0))
        return self._clock.monotonic() < until and LOCAL_GENERATION < permit.model_generation <= generation

    def succeeded(self, permit: Permit, latency_ms: float) -> None:
        """Records an answer; a slow one counts as slow."""
        self._local.record(permit.provider, failed=False)
        self._local.record(permit.place, failed=False)
        self._record(permit, "success", latency_ms)

    def failed(self, permit: Permit, error: ProviderError, latency_ms: float, customer: str = "") -> None:
        """Records a failure. A message's fault only frees the probe, a whole answer that we refuse shows that the
        provider is well, and a model's fault sets the model aside.

        Args:
            customer: whose message it was; kept as a short hash, and only until the model's next success.
        """
        of_model, outcome = isinstance(error, ModelFault), provider_outcome(error)
        if of_model:
            self._set_aside[permit.place] = permit.model_generation, self._clock.monotonic() + STALE_S
        self._local.record(permit.provider, failed=outcome == "failure")
        self._local.record(permit.place, failed=of_model, at_once=True)
        names = {"provider": permit.provider, "model": permit.model, "told": error.sentence}
        if isinstance(error, ProviderDenied):
            log.error("provider_denied", **names, advice="check the key and the balance")
        if of_model and permit.model:
            log.error("model_refused", **names, kind=error.kind)
        self._record(permit, outcome, latency_ms, error, customer)

    def released(self, permit: Permit) -> None:
        """Returns a permit that was not used; a probe is free for the next."""
        self._record(permit, "ignore", None)

    def probed(self, provider: str, model: str, error: ProviderError | None) -> None:
        """Records a probe beside the customers' calls: a model's fault sets it aside, a good answer brings it back. A
        refused key or balance may be about this model alone; it is left to the customers' calls.
        """
        if error is None or isinstance(error, ModelFault):
            gone = {"model_outcome": "gone", "model_reason": error.kind, "told": error.sentence} if error else {}
            report = {"model_outcome": "success", "model_reason": "", "told": ""} | gone
            self._announce(self._run("probed", provider, [model], report))

    def rerouted(self, provider: str, model: str, name: str) -> None:
        """Notes with a model's circuit, for the operator, that answers name another model."""
        now = self._clock.now().timestamp()
        if now - self._rerouted.get((provider, model, name), 0.0) < REROUTED_AGAIN_S:
            return
        self._rerouted[provider, model, name] = now
        log.warning("answered_by_another_model", provider=provider, model=model, answered_by=name)
        key = MODEL_CIRCUIT.key(f"{provider}:{model}")
        try:
            self._notes.hset(key, mapping={"answered_by": name, "answered_at": int(now)})
            self._notes.expire(key, MODEL_CIRCUIT.ttl_s or 0)
        except RedisError as exc:
            log.warning("reroute_not_noted", provider=provider, model=model, error=type(exc).__name__)

    def force(self, provider: str, action: str, model: str = "") -> str:
        """Opens or closes a circuit by hand, and returns its new state.

        Args:
            action: `open` (not called until somebody closes it) or `close` (all counters reset, whoever had opened it).

        Raises:
            RedisError: circuits cannot be changed while Redis is away.
        """
        answer = self._run("force", provider, [model] if model else [], {"outcome": action})
        if answer is None:
            raise RedisError("circuits cannot be changed while Redis is away")
        (change,) = msgspec.json.decode(answer, type=list[CircuitChange])
        self._on_change(change)
        return change.state

    def _record(
        self,
        permit: Permit,
        outcome: str,
        latency_ms: float | None,
        error: ProviderError | None = None,
        customer: str = "",
    ) -> None:
        slow = latency_ms is not None and latency_ms >= self._limits.slow_ms
        report = call_report(permit, outcome, error, customer) | {"slow": slow, "jitter": self._clock.random()}
        models = [permit.model] if "model_outcome" in report else []
        if outcome == "success" and permit.healthy and not models and self._background:
            self._run("record", permit.provider, models, report, self._background)
        else:
            self._forget(permit.provider)
            answer = self._run("record", permit.provider, models, report)
            self._forget(permit.provider)
            if answer is None:
                return
            self._announce(answer)
        if latency_ms is not None:
            self._on_call(permit.provider, permit.model, error.kind if error else ANSWERED, latency_ms)

    def _announce(self, answer: bytes | None) -> None:
        """Passes on the changes that a report has made, if any."""
        for change in msgspec.json.decode(answer, type=list[CircuitChange]) if answer else ():
            self._forget(change.provider)
            names = {"provider": change.provider, "model": change.model or None}
            log.warning("circuit_changed", **names, state=change.state, reason=change.reason)
            self._on_change(change)

    def _forget(self, provider: str) -> None:
        self._remembered[provider] = {}

    def _run(
        self,
        action: str,
        provider: str,
        models: Sequence[str],
        report: dict[str, Any],
        client: redis.Redis | None = None,
    ) -> bytes | None:
        keys = [CIRCUIT.key(provider), CIRCUIT_SAMPLES.key(provider)]
        keys += [MODEL_CIRCUIT.key(f"{provider}:{model}") for model in models]
        names = {"provider": provider, "model": models[0] if models else ""}
        try:
            arguments: list[str | bytes] = [action, orjson.dumps(names | report), self._limits_json]
            answer: bytes | None = self._script(keys=keys, args=arguments, client=client)
        except RedisError as exc:
            log.warning("circuit_unavailable", provider=provider, error=type(exc).__name__)
            return None
        return answer
