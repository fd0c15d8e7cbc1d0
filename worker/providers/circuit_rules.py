"""Rules of the circuits: limits and waits, permits, and the breaker of one process for when Redis is away.

Pure: no I/O.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Any

from msgspec import Struct

from worker.errors import (
    ModelFault,
    ProviderDenied,
    ProviderError,
    ProviderRateLimited,
    ProviderUnavailable,
    RequestRefused,
    ThoughtAway,
)

#: Of permits that were given without Redis: results with it count for nothing there.
LOCAL_GENERATION = -1
RATE_LIMITED = ProviderRateLimited.kind
#: How long one probe may keep the half-open circuit to itself: longer than any call takes.
PROBE_MS = 45_000
#: A wrong key or an empty balance does not mend itself in seconds.
DENIED_MS = 300_000
#: A rate limit that names no wait.
RATE_LIMITED_MS = 20_000
#: The longest wait that is granted; a date in a header, read by a wrong clock, must not shut a provider out for days.
ASKED_MAX_MS = 3_600_000
#: Why refusals without a reason have opened a model's circuit.
UNCLEAR = "model_unfit"


@dataclass(frozen=True, slots=True)
class CircuitLimits:
    """Limits at which a circuit opens, and its cooldown. Times in milliseconds, rates as shares.

    failures_in_a_row is the threshold of the flow that Chasqui replaces; the window and the rates are those that
    resilience libraries use as defaults, with a cooldown that doubles from 5 s to 5 min. A model that is gone seldom
    comes back: one probe after an hour, later every six.

    Args:
        unclear_customers: customers in a row whose messages are refused without a reason before the model is unfit.
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
    model_open_ms: int = 3_600_000
    model_open_max_ms: int = 6 * 3_600_000
    unclear_customers: int = 3


LIMITS = CircuitLimits()


class Permit(Struct, frozen=True, tag="permit"):
    """The right to call one model of a provider once.

    Args:
        model: the most preferred one that may be asked; empty where none was named.
        generation, model_generation: tie the result to the circuits as they were.
        healthy: the provider's last call did not fail, so that a failure now may be a passing one.
        clean: nothing is held against the model, so that a success need not be recorded there.
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

    @property
    def place(self) -> str:
        """PROVIDER/MODEL."""
        return f"{self.provider}/{self.model}"


class PermitRefusal(Struct, frozen=True, tag="refusal"):
    """Refusal of a permit. wait_s: seconds until a call may be tried, None where that is not a matter of time."""

    reason: str
    wait_s: float | None = None


def provider_outcome(error: ProviderError) -> str:
    """Outcome of a failed call for its provider's circuit: `ignore` where the message or the model is at fault, and
    `success` where it is we who refuse a whole answer.
    """
    if isinstance(error, RequestRefused) and error.answered:
        return "success"
    return "ignore" if isinstance(error, ModelFault | RequestRefused | ThoughtAway) else "failure"


def call_report(permit: Permit, outcome: str, error: ProviderError | None, customer: str) -> dict[str, Any]:
    """Report of a call's end as `circuit.lua` records it.

    Args:
        outcome: for the provider's circuit.
        customer: whose message it was; only a short hash is kept.
    """
    return _model_outcome(permit, outcome, error) | {
        "caller": permit.caller,
        "generation": permit.generation,
        "model_generation": permit.model_generation,
        "outcome": outcome,
        "reason": error.kind if error else "",
        "asked_ms": _asked_wait_ms(error),
        "at_once": isinstance(error, ProviderDenied | ProviderRateLimited),
        "customer": hashlib.blake2s(customer.encode(), digest_size=4).hexdigest(),
    }


def _asked_wait_ms(error: ProviderError | None) -> int:
    """Least cooldown that an error asks for, in milliseconds: at most an hour, 0 where it names no wait."""
    if isinstance(error, ProviderDenied):
        return DENIED_MS
    if isinstance(error, ProviderUnavailable) and error.retry_after_s:
        return int(min(error.retry_after_s * 1000, ASKED_MAX_MS))
    return RATE_LIMITED_MS if isinstance(error, ProviderRateLimited) else 0


def _model_outcome(permit: Permit, outcome: str, error: ProviderError | None) -> dict[str, str]:
    """Outcome of a call for its model's circuit, as the script takes it; empty where there is nothing to record."""
    reason, sentence = "", ""
    if not permit.model:
        return {}
    if error is None and outcome == "success":
        of_model = "" if permit.clean else outcome
    elif isinstance(error, ModelFault):
        of_model, reason, sentence = "gone", error.kind, error.sentence
    elif isinstance(error, RequestRefused) and error.unclear:
        of_model, reason, sentence = "unclear", UNCLEAR, error.sentence
    elif isinstance(error, ThoughtAway):
        of_model, reason, sentence = "unclear", error.kind, error.detail
    else:
        of_model = "ignore" if permit.probing else ""
    return {"model_outcome": of_model, "model_reason": reason, "told": sentence} if of_model else {}


class LocalCircuits:
    """Circuit breaker of one process: opens after failures in a row, probes after its cooldown. Thread safe."""

    def __init__(self, threshold: int, open_s: float, clock: Callable[[], float]) -> None:
        self._threshold = threshold
        self._open_s = open_s
        self._clock = clock
        self._failures: dict[str, int] = {}
        self._opens_until: dict[str, float] = {}
        self._lock = Lock()

    def permit(self, provider: str, caller: str, models: Sequence[str]) -> Permit | PermitRefusal:
        """Gives a permit for the first model whose circuit, and the provider's, allow a call."""
        model = next((each for each in models if self._allows(f"{provider}/{each}")), "")
        if (models and not model) or not self._allows(provider):
            return PermitRefusal("circuit of this process")
        return Permit(provider, caller, LOCAL_GENERATION, model=model, model_generation=LOCAL_GENERATION)

    def record(self, name: str, *, failed: bool, at_once: bool = False) -> None:
        """Counts a result, also of calls that the shared breaker permitted. at_once: this failure opens it."""
        with self._lock:
            more = self._threshold if at_once else 1
            self._failures[name] = self._failures.get(name, 0) + more if failed else 0
            if failed:
                self._opens_until[name] = self._clock() + self._open_s

    def _allows(self, name: str) -> bool:
        """Returns whether a call may be made now; after the cooldown one call at a time probes."""
        with self._lock:
            if self._failures.get(name, 0) < self._threshold:
                return True
            if self._clock() < self._opens_until[name]:
                return False
            self._opens_until[name] = self._clock() + self._open_s
            return True
