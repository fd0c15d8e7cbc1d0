"""Traces: one per turn, from its acceptance to the publication of its reply. Off, with nothing imported and nothing
spent, unless OTEL_EXPORTER_OTLP_ENDPOINT is set.

Nothing travels beside a turn for this. Its trace id is its token, which is also the reply id; the ids of its spans
follow from the token and their names. So every process adds its part by itself. No attribute holds a phone number or a
text.

turn
├── accept, fetch_session, route_ai, update_session
└── call_provider
    └── chat <model>        one per HTTP call
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from threading import Lock
from typing import TYPE_CHECKING

from worker.log import logger
from worker.settings import settings

if TYPE_CHECKING:
    from worker.telemetry.otlp import Exporter

#: Names of spans: the whole turn, its acceptance, and the step that calls belong to.
TURN, ACCEPT, CALL_PROVIDER = "turn", "accept", "call_provider"
Value = str | int | float | bool
log = logger(__name__)


@dataclass(frozen=True, slots=True)
class Span:
    """Something that took time, in seconds since 1970. parent: the name of the span it is part of, None for a turn.
    error: the kind of error it ended with.
    """

    token: str
    name: str
    parent: str | None
    began_at_s: float
    ended_at_s: float
    attributes: Mapping[str, Value] = field(default_factory=dict)
    error: str | None = None


def steps(name: str, began_at_s: Mapping[str, float], error: str | None = None) -> None:
    """A step of these turns that ends now. began_at_s: by token, when it began."""
    now, size = time.time(), {"chasqui.turns": len(began_at_s)}
    add(Span(token, name, TURN, began, now, size, error) for token, began in began_at_s.items())


def turn(token: str, facts: Mapping[str, Value | None], began_at_s: float) -> None:
    """The whole turn, which ends now. facts: what is known of it."""
    attributes = {f"chasqui.{name}": value for name, value in facts.items() if value is not None}
    add([Span(token, TURN, None, began_at_s, time.time(), attributes)])


def is_on() -> bool:
    """Returns whether spans are sent anywhere."""
    return _exporter() is not None


def add(spans: Iterable[Span]) -> None:
    """Spans that have ended."""
    if (exporter := _exporter()) is not None:
        exporter.add(spans)


def flush() -> None:
    """Sends what waits, before a process ends that runs no exit handlers."""
    if (exporter := _exporter()) is not None:
        exporter.flush()


_making = Lock()


def _exporter() -> Exporter | None:
    """This process's own; a forked child makes another."""
    configured = settings()
    if configured.otel_exporter_otlp_endpoint is None:
        return None
    with _making:
        return _of_process(os.getpid(), configured.otel_exporter_otlp_endpoint)


@lru_cache(maxsize=1)
def _of_process(_pid: int, _endpoint: str) -> Exporter | None:
    try:
        from worker.telemetry.otlp import Exporter
    except ImportError:
        # Customers are answered all the same.
        log.error("tracing_not_installed", install="chasqui[tracing]")
        return None
    return Exporter(settings())
