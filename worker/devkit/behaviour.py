"""Behaviour, counters and prompt cache of a simulated provider."""

import copy
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from random import Random
from threading import Event, Lock
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass as checked_dataclass

from worker.devkit.prompt_cache import PromptCache

Delivery = Literal["ok", "hang", "drip", "cut", "html"]
Spoilt = Literal["garbage", "empty", "truncated", "refuse", "no_money", "blank", "prose", "parts", "echo"]
Mode = Literal[Delivery, Spoilt]
#: State of a model: sold (also where the catalogue does not sell it), gone, closed to new keys, unfit (a newer rule
#: refuses the request's way), thinks (whatever is asked), as:OTHER (another model answers).
ModelState = Annotated[str, Field(pattern=r"^(sold|gone|closed|unfit|thinks|as:.+)$")]
Milliseconds = Annotated[float, Field(ge=0)]


@checked_dataclass(frozen=True, slots=True, config=ConfigDict(extra="forbid"))
class Behaviour:
    """Behaviour of one provider.

    Args:
        latency_ms: least and most wait before an answer.
        error_rate: share of calls that fail, 0..1; all where only a status is given.
        status: of a failing call; 500 where only a rate is given.
        retry_after_s: wait that a failure names.
        mode: of the other calls: ok; hang (nothing, until the mode changes or the server closes); drip (a byte every
            100 ms); cut (half a body); html (a page); garbage (content that is no JSON); empty (no content); truncated
            (half the content, finish reason length); refuse (content filter); no_money (the account is empty); blank
            (nothing but blanks, finish reason stop); prose (thoughts and courtesies around the JSON); parts (content in
            several parts); echo (the user text sent back).
        models: states of models, see ModelState.
    """

    latency_ms: tuple[Milliseconds, Milliseconds] = (0.0, 0.0)
    error_rate: Annotated[float, Field(ge=0, le=1)] | None = None
    status: Annotated[int, Field(ge=400, le=599)] | None = None
    retry_after_s: Annotated[float, Field(ge=0)] | None = None
    mode: Mode = "ok"
    models: Mapping[str, ModelState] = field(default_factory=dict)


@dataclass(slots=True)
class CallCounters:
    """Completion calls of one provider, refused ones too; those without a fit key count by status alone."""

    calls: int = 0
    in_flight: int = 0
    max_in_flight: int = 0
    by_user_sha256: dict[str, int] = field(default_factory=dict)
    calls_by_model: dict[str, int] = field(default_factory=dict)
    calls_by_status: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CallPlan:
    """Treatment of one call. status: None where it does not fail; changed: set once the behaviour is no more."""

    behaviour: Behaviour
    latency_s: float
    status: int | None
    changed: Event


class SimulatedProvider:
    """Behaviour, counters and prompt cache of one provider, shared by the handler threads."""

    def __init__(self, seed: str) -> None:
        self._lock = Lock()
        self._random = Random(seed)  # noqa: S311 - repeatable latencies and failures, nothing secret
        self._behaviour = Behaviour()
        self._changed = Event()
        self._calls = CallCounters()
        self.cache = PromptCache()

    def change(self, fields: Mapping[str, Any]) -> None:
        """Replaces fields, wakes calls that hang; models not named keep their states. Raises ValueError, TypeError."""
        with self._lock:
            models = {**self._behaviour.models, **fields.get("models", {})}
            self._behaviour = replace(self._behaviour, **{**fields, "models": models})
            self._changed.set()
            self._changed = Event()

    def plan(self) -> CallPlan:
        """Draws the next call's treatment from the behaviour as it is now."""
        with self._lock:
            now, latency_ms = self._behaviour, self._random.uniform(*self._behaviour.latency_ms)
            rate = now.error_rate if now.error_rate is not None else float(now.status is not None)
            status = (now.status or 500) if self._random.random() < rate else None
            return CallPlan(now, latency_ms / 1000, status, self._changed)

    @contextmanager
    def call(self, user_sha256: str, model: str) -> Iterator[None]:
        """Counts one call, as under way until the end of the block."""
        with self._lock:
            calls = self._calls
            calls.calls += 1
            calls.in_flight += 1
            calls.max_in_flight = max(calls.max_in_flight, calls.in_flight)
            calls.by_user_sha256[user_sha256] = calls.by_user_sha256.get(user_sha256, 0) + 1
            calls.calls_by_model[model] = calls.calls_by_model.get(model, 0) + 1
        try:
            yield
        finally:
            with self._lock:
                self._calls.in_flight -= 1

    def ended(self, status: int) -> None:
        """Counts the status that a call is about to be answered with."""
        with self._lock:
            ended = self._calls.calls_by_status
            ended[str(status)] = ended.get(str(status), 0) + 1

    def reset(self) -> None:
        """Sets the counters to zero, but for the calls under way."""
        with self._lock:
            self._calls = CallCounters(in_flight=self._calls.in_flight, max_in_flight=self._calls.in_flight)

    def counted(self) -> CallCounters:
        """Copies the counters."""
        with self._lock:
            return copy.deepcopy(self._calls)

    def shown(self) -> dict[str, Any]:
        """Returns behaviour and counters as JSON values."""
        return {"behaviour": asdict(self._behaviour), **asdict(self.counted())}
