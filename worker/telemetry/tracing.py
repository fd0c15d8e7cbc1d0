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
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from threading import Lock
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from worker.log import logger
from worker.providers.models import Model, Provider
from worker.replies.request import AiRequest
from worker.settings import Settings, settings
from worker.usage import Usage

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
    if (exporter := _exporter()) is not None:
        now, size = time.time(), {"chasqui.turns": len(began_at_s)}
        exporter.add(Span(token, name, TURN, began, now, size, error) for token, began in began_at_s.items())


def turn(token: str, facts: Mapping[str, Value | None], began_at_s: float) -> None:
    """The whole turn, which ends now. facts: what is known of it."""
    if (exporter := _exporter()) is not None:
        attributes = {f"chasqui.{name}": value for name, value in facts.items() if value is not None}
        exporter.add([Span(token, TURN, None, began_at_s, time.time(), attributes)])


class Call:
    """One HTTP call to a model, from when this is made; part of the trace of the turn that asks."""

    def __init__(self, provider: Provider, model: Model, request: AiRequest) -> None:
        self._token = request.caller
        self._provider = provider
        self._model = model.id
        self._max_tokens = request.max_output_tokens
        self._began_at_s = time.time()

    def ended(self, usage: Usage | None, error: str | None = None) -> None:
        """It ends now, with the tokens it was billed for, if that is known."""
        exporter = _exporter() if self._token else None
        if exporter is not None and self._token is not None:
            name, now = f"chat {self._model}", time.time()
            attributes = _of_call(self._provider, self._model, self._max_tokens) | _of_usage(usage)
            exporter.add([Span(self._token, name, CALL_PROVIDER, self._began_at_s, now, attributes, error)])


def flush() -> None:
    """Sends what waits, before a process ends that runs no exit handlers."""
    if (exporter := _exporter()) is not None:
        exporter.flush()


_making = Lock()


def _of_call(provider: Provider, model: str, max_tokens: int) -> dict[str, Value]:
    """By the semantic conventions for generative AI. `gen_ai.system` is the older name, which tools still look for."""
    maker = {"gemini": "gcp.gemini"}.get(provider.wire) or ("deepseek" if "deepseek" in model else "openai")
    return {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": maker,
        "gen_ai.system": maker,
        "gen_ai.request.model": model,
        "gen_ai.request.max_tokens": max_tokens,
        "server.address": urlsplit(provider.base_url).hostname or "",
        "chasqui.provider": provider.name,
    }


def _of_usage(usage: Usage | None) -> dict[str, Value]:
    if usage is None:
        return {}
    return {
        "gen_ai.usage.input_tokens": usage.prompt_tokens,
        "gen_ai.usage.cache_read.input_tokens": usage.cached_tokens,
        "gen_ai.usage.output_tokens": usage.completion_tokens,
    }


def _exporter() -> Exporter | None:
    """This process's own; a forked child makes another."""
    configured = settings()
    if configured.otel_exporter_otlp_endpoint is None:
        return None
    with _making:
        return _of_process(os.getpid(), configured.otel_exporter_otlp_endpoint)


@lru_cache(maxsize=1)
def _of_process(_pid: int, _endpoint: str) -> Exporter | None:
    return _make(settings())


def _make(configured: Settings) -> Exporter | None:
    try:
        from worker.telemetry.otlp import Exporter
    except ImportError:
        # Customers are answered all the same.
        log.error("tracing_not_installed", install="chasqui[tracing]")
        return None
    return Exporter(configured)
