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

Mode = Literal["ok", "hang", "drip", "cut", "html", "garbage", "empty", "truncated", "refuse"]


@checked_dataclass(frozen=True, slots=True, config=ConfigDict(extra="forbid"))
class Behaviour:
    """How one provider answers.

    latency_ms: least and most wait before an answer. status: what a failing call answers (500 where only a rate is
    given); error_rate: the share of calls that fail, 0..1 (all where only a status is given). retry_after_s: the
    wait a failure names. mode: what the other calls get: ok; hang (nothing, until the mode changes or the server
    closes); drip (a byte every 100 ms); cut (half a body); html (a page); garbage (content that is no JSON); empty (no
    content); truncated (half the content, finish reason length); refuse (content filter).
    """

    latency_ms: tuple[Annotated[float, Field(ge=0)], Annotated[float, Field(ge=0)]] = (0.0, 0.0)
    error_rate: Annotated[float, Field(ge=0, le=1)] | None = None
    status: Annotated[int, Field(ge=400, le=599)] | None = None
    retry_after_s: Annotated[float, Field(ge=0)] | None = None
    mode: Mode = "ok"


@dataclass(slots=True)
class Calls:
    """Completion calls of one provider: taken, under way, most at once, and by SHA-256 of the user text."""

    calls: int = 0
    in_flight: int = 0
    max_in_flight: int = 0
    by_user_sha256: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Plan:
    """What one call gets. status: None where it does not fail; changed: set once its behaviour is no more."""

    latency_s: float
    status: int | None
    retry_after_s: float | None
    mode: Mode
    changed: Event


class SimulatedProvider:
    """One provider's behaviour and counters, shared by the handler threads."""

    def __init__(self, behaviour: Behaviour, seed: str) -> None:
        self._lock = Lock()
        self._random = Random(seed)  # noqa: S311 - repeatable latencies and failures, nothing secret
        self._behaviour = behaviour
        self._changed = Event()
        self._calls = Calls()

    def change(self, fields: Mapping[str, Any]) -> None:
        """Replaces the given fields of the behaviour and wakes the calls that hang. ValueError for a bad field."""
        with self._lock:
            self._behaviour = replace(self._behaviour, **fields)
            self._changed.set()
            self._changed = Event()

    def plan(self) -> Plan:
        """What the next call gets, drawn from the behaviour as it is now."""
        with self._lock:
            now, latency_ms = self._behaviour, self._random.uniform(*self._behaviour.latency_ms)
            rate = now.error_rate if now.error_rate is not None else float(now.status is not None)
            status = (now.status or 500) if self._random.random() < rate else None
            return Plan(latency_ms / 1000, status, now.retry_after_s, now.mode, self._changed)

    @contextmanager
    def call(self, user_sha256: str) -> Iterator[None]:
        """Counts one call, as under way until the end of the block."""
        with self._lock:
            calls = self._calls
            calls.calls += 1
            calls.in_flight += 1
            calls.max_in_flight = max(calls.max_in_flight, calls.in_flight)
            calls.by_user_sha256[user_sha256] = calls.by_user_sha256.get(user_sha256, 0) + 1
        try:
            yield
        finally:
            with self._lock:
                self._calls.in_flight -= 1

    def reset(self) -> None:
        """Sets the counters to zero, but for the calls under way."""
        with self._lock:
            self._calls = Calls(in_flight=self._calls.in_flight, max_in_flight=self._calls.in_flight)

    def counted(self) -> Calls:
        """A copy of the counters."""
        with self._lock:
            return replace(self._calls, by_user_sha256=dict(self._calls.by_user_sha256))

    def shown(self) -> dict[str, Any]:
        """Behaviour and counters as JSON values."""
        return {"behaviour": asdict(self._behaviour), **asdict(self.counted())}
