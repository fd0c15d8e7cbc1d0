"""The span of one HTTP call to a model."""

from __future__ import annotations

import time
from urllib.parse import urlsplit

from worker.providers.models import Model, Provider
from worker.replies.request import AiRequest
from worker.telemetry import tracing
from worker.telemetry.tracing import CALL_PROVIDER, Span, Value
from worker.usage import Usage


class TracedCall:
    """One HTTP call to a model, from when this is made; part of the trace of the turn that asks."""

    def __init__(self, provider: Provider, model: Model, request: AiRequest) -> None:
        self._token = request.caller
        self._provider = provider
        self._model = model.id
        self._max_tokens = request.max_output_tokens
        self._began_at_s = time.time()

    def ended(self, usage: Usage | None, error: str | None = None) -> None:
        """It ends now, with the tokens it was billed for, if that is known."""
        if self._token is not None and tracing.is_on():
            name, now = f"chat {self._model}", time.time()
            attributes = _of_call(self._provider, self._model, self._max_tokens) | _of_usage(usage)
            tracing.add([Span(self._token, name, CALL_PROVIDER, self._began_at_s, now, attributes, error)])


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
