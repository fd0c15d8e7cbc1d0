"""How a simulated provider behaves, and what it has counted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from random import Random
from threading import Event, Lock
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass as checked_dataclass

from worker.devkit.prompt_cache import PromptCache

Mode = Literal[
    "ok",
    "hang",
    "drip",
    "cut",
    "html",
    "garbage",
    "empty",
    "truncated",
    "refuse",
    "no_money",
    "blank",
    "prose",
    "parts",
    "echo",
]
#: What has become of a model: sold (also where the catalogue does not sell it), gone, closed to new keys, unfit (a
#: newer rule refuses the request's way), thinks (whatever is asked), as:OTHER (another model answers).
ModelState = Annotated[str, Field(pattern=r"^(sold|gone|closed|unfit|thinks|as:.+)$")]


@checked_dataclass(frozen=True, slots=True, config=ConfigDict(extra="forbid"))
class Behaviour:
    """How one provider answers.

    latency_ms: least and most wait before an answer. status: what a failing call answers (500 where only a rate is
    given); error_rate: the share of calls that fail, 0..1 (all where only a status is given). retry_after_s: the
    wait a failure names. mode: what the other calls get: ok; hang (nothing, until the mode changes or the server
    closes); drip (a byte every 100 ms); cut (half a body); html (a page); garbage (content that is no JSON); empty (no
    content); truncated (half the content, finish reason length); refuse (content filter); no_money (the account is
    empty); blank (nothing but blanks, finish reason stop); prose (thoughts and courtesies around the JSON); parts
    (content in several parts); echo (the user text sent back). models: states of models, see ModelState.
    """

    latency_ms: tuple[Annotated[float, Field(ge=0)], Annotated[float, Field(ge=0)]] = (0.0, 0.0)
    error_rate: Annotated[float, Field(ge=0, le=1)] | None = None
    status: Annotated[int, Field(ge=400, le=599)] | None = None
    retry_after_s: Annotated[float, Field(ge=0)] | None = None
    mode: Mode = "ok"
    models: Mapping[str, ModelState] = field(default_factory=dict)


@dataclass(slots=True)
class Calls:
    """Completion calls of one provider, refused ones too: taken, under way, most at once, by SHA-256 of the user text,
    by the model that was asked, and by the status they ended with. Calls without a fit key count in the last alone.
    """

    calls: int = 0
    in_flight: int = 0
    max_in_flight: int = 0
    by_user_sha256: dict[str, int] = field(default_factory=dict)
    calls_by_model: dict[str, int] = field(default_factory=dict)
    calls_by_status: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Plan:
    """What one call gets. status: None where it does not fail; changed: set once its behaviour is no more."""

    latency_s: float
    status: int | None
    retry_after_s: float | None
    mode: Mode
    changed: Event
    models: Mapping[str, str] = field(default_factory=dict)


class SimulatedProvider:
    """One provider's behaviour, counters and prompt cache, shared by the handler threads."""

    def __init__(self, behaviour: Behaviour, seed: str) -> None:
        self._lock = Lock()
        self._random = Random(seed)  # noqa: S311 - repeatable latencies and failures, nothing secret
        self._behaviour = behaviour
        self._changed = Event()
        self._calls = Calls()
        self.cache = PromptCache()

    def change(self, fields: Mapping[str, Any]) -> None:
        """Replaces the given fields of the behaviour and wakes the calls that hang; models that are not named keep
        their states. ValueError or TypeError for a bad field.
        """
        with self._lock:
            models = {**self._behaviour.models, **fields.get("models", {})}
            self._behaviour = replace(self._behaviour, **{**fields, "models": models})
            self._changed.set()
            self._changed = Event()

    def plan(self) -> Plan:
        """What the next call gets, drawn from the behaviour as it is now."""
        with self._lock:
            now, latency_ms = self._behaviour, self._random.uniform(*self._behaviour.latency_ms)
            rate = now.error_rate if now.error_rate is not None else float(now.status is not None)
            status = (now.status or 500) if self._random.random() < rate else None
            return Plan(latency_ms / 1000, status, now.retry_after_s, now.mode, self._changed, now.models)

    @contextmanager
    def call(self, user_sha256: str, model: str) -> Iterator[None]:
        """Counts one call, as under way until the end of the block."""
        with self._lock:
            calls = self._calls
            calls.calls += 1
            calls.in_flight += 1
            calls.max_in_flight = max(calls.max_in_flight, calls.in_flight)
            _count(calls.by_user_sha256, user_sha256)
            _count(calls.calls_by_model, model)
        try:
            yield
        finally:
            with self._lock:
                self._calls.in_flight -= 1

    def ended(self, status: int) -> None:
        """Counts the status that a call is about to be answered with."""
        with self._lock:
            _count(self._calls.calls_by_status, str(status))

    def reset(self) -> None:
        """Sets the counters to zero, but for the calls under way."""
        with self._lock:
            self._calls = Calls(in_flight=self._calls.in_flight, max_in_flight=self._calls.in_flight)

    def counted(self) -> Calls:
        """A copy of the counters."""
        with self._lock:
            calls = self._calls
            return replace(
                calls,
                by_user_sha256=dict(calls.by_user_sha256),
                calls_by_model=dict(calls.calls_by_model),
                calls_by_status=dict(calls.calls_by_status),
            )

    def shown(self) -> dict[str, Any]:
        """Behaviour and counters as JSON values."""
        return {"behaviour": asdict(self._behaviour), **asdict(self.counted())}


def _count(counts: dict[str, int], name: str) -> None:
    counts[name] = counts.get(name, 0) + 1
