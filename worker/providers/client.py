"""One HTTP call to a language model within a deadline: built, sent, read or refused, and traced."""

import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from http import HTTPStatus
from types import ModuleType
from urllib.parse import urlsplit

import orjson

from worker.errors import GivenUp, ProviderDenied, ProviderError, ProviderTimeout, UnreadableAnswer
from worker.messages.fields import at
from worker.providers.clock import SYSTEM_CLOCK, Clock
from worker.providers.models import Model, Provider
from worker.providers.pricing import estimate_tokens
from worker.providers.transport import HttpAnswer, Transport
from worker.providers.wires import gemini, openai
from worker.providers.wires.refusals import error_for
from worker.providers.wires.values import Reading, decoded
from worker.replies.prompt import AiRequest, Completion
from worker.telemetry import tracing
from worker.telemetry.tracing import CALL_PROVIDER, Span, Value
from worker.usage import Usage

_WIRES: dict[str, ModuleType] = {"openai": openai, "gemini": gemini}
#: Characters of a sentence that are kept.
_LONGEST = 300
#: Words that may be a customer's: long enough to say something, or figures.
_WORD = re.compile(r"\w{4,}|\d{3,}")
#: A letter as servers that answer in ASCII write it.
_ESCAPED = re.compile(r"\\u([0-9a-fA-F]{4})")
#: A local server's "none" is no secret, and may be a word of its sentence.
_LEAST_KEY = 8
#: Keys as providers quote them back, whole or in part.
_KEY_LIKE = re.compile(r"\b(?:sk|gsk|xai|AIza|pplx)[-_A-Za-z0-9*.]{6,}")


class AiClient:
    """HTTP client of the language models. Built once per process, after the fork; safe for 256 threads side by side."""

    def __init__(self, clock: Clock = SYSTEM_CLOCK) -> None:
        self._transport = Transport()
        self._clock = clock

    def call(self, provider: Provider, model: Model, request: AiRequest, deadline: float) -> Completion:
        """Calls a model once, and returns its complete answer at the latest at `deadline` (on the monotonic clock).

        Raises:
            ProviderError: whatever goes wrong; a surprise in an answer is the provider's, never the turn's.
        """
        started, began_at_s = self._clock.monotonic(), time.time()
        if not provider.usable:
            raise ProviderDenied(provider.name, "no API key is set")
        if started >= deadline:
            raise ProviderTimeout(provider.name, "the deadline had passed before the call")
        try:
            text, usage, name = self._ask(provider, model, request, deadline - started)
        except ProviderError as error:
            error.sentence = without_private_words(error.sentence, provider, model, request) if error.sentence else ""
            trace_call(provider, model, request, began_at_s, error.usage, error.kind)
            raise
        trace_call(provider, model, request, began_at_s, usage)
        return Completion(provider.name, model.id, text, usage, (self._clock.monotonic() - started) * 1000, name)

    def listed_models(self, provider: Provider, limit_s: float) -> dict[str, str | None]:
        """Asks for the provider's own list of models, with the day on which each ends or None. Raises ProviderError."""
        wire = _WIRES[provider.wire]
        url = provider.url(wire.MODELS_PATH)
        if wire.MODELS_QUERY:
            url += ("&" if "?" in url else "?") + wire.MODELS_QUERY
        answer = self._transport.send(provider, url, wire.headers(provider), None, limit_s)
        found: dict[str, str | None] = wire.listed_models(_accepted(provider, answer))
        return found

    def close(self) -> None:
        """Closes the connections."""
        self._transport.close()

    def _ask(self, provider: Provider, model: Model, request: AiRequest, left_s: float) -> Reading:
        try:
            url, headers, body = _WIRES[provider.wire].build(provider, model, request)
            headers["Content-Type"] = "application/json"
            answer = self._transport.send(provider, url, headers, orjson.dumps(body), left_s)
            if (said := _accepted(provider, answer)) is None:
                raise UnreadableAnswer(provider.name, "not JSON")
            reading: Reading = _WIRES[provider.wire].parse(provider, request, said)
            return reading
        except GivenUp as error:
            if error.sent and error.usage is None:
                # It may be billed to the end: better a little too much on the bill than money nobody knows of.
                error.usage = Usage(estimate_tokens(request.text), 0, request.max_output_tokens)
            raise
        except ProviderError:
            raise
        except Exception as exc:
            raise UnreadableAnswer(provider.name, f"unexpected: {type(exc).__name__}") from exc


def _accepted(provider: Provider, answer: HttpAnswer) -> object:
    """The decoded body of an answer, None where it is no JSON. Raises what a refusal stands for."""
    body = decoded(answer.body)
    inner = at(body, "error", "code")  # a router's error in an answer of status 200
    status = inner if answer.status == HTTPStatus.OK and isinstance(inner, int) else answer.status
    if answer.status != HTTPStatus.OK or status >= HTTPStatus.BAD_REQUEST:
        raise error_for(provider.name, status, answer.retry_after, body, datetime.now(UTC))
    return body


def trace_call(
    provider: Provider,
    model: Model,
    request: AiRequest,
    began_at_s: float,
    usage: Usage | None,
    error: str | None = None,
) -> None:
    """Adds the span of a call that ends now to the trace of the turn that asks, if any.

    Args:
        usage: tokens it was billed for, where that is known.
        error: kind of a ProviderError, None for an answer.
    """
    if request.caller is not None and tracing.is_on():
        attributes = _attributes(provider, model.id, request.max_output_tokens, usage)
        name = f"chat {model.id}"
        tracing.add([Span(request.caller, name, CALL_PROVIDER, began_at_s, time.time(), attributes, error)])


def _attributes(provider: Provider, model: str, max_tokens: int, usage: Usage | None) -> dict[str, Value]:
    """Attributes of generative AI by the semantic conventions; `gen_ai.system` is an older name that tools look for."""
    maker = "gcp.gemini" if provider.wire == "gemini" else "deepseek" if "deepseek" in model else "openai"
    attributes: dict[str, Value] = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": maker,
        "gen_ai.system": maker,
        "gen_ai.request.model": model,
        "gen_ai.request.max_tokens": max_tokens,
        "server.address": urlsplit(provider.base_url).hostname or "",
        "chasqui.provider": provider.name,
    }
    if usage is not None:
        attributes |= {
            "gen_ai.usage.input_tokens": usage.prompt_tokens,
            "gen_ai.usage.cache_read.input_tokens": usage.cached_tokens,
            "gen_ai.usage.output_tokens": usage.completion_tokens,
        }
    return attributes


def without_private_words(sentence: str, provider: Provider, model: Model, request: AiRequest) -> str:
    """A provider's sentence without its key and without a word of the customer, on one line."""
    key = provider.api_key.get_secret_value() if provider.api_key else ""
    line = sentence.replace(key, "…") if len(key) >= _LEAST_KEY else sentence
    line = " ".join(_ESCAPED.sub(lambda found: chr(int(found[1], 16)), line).split())
    line = line.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    # The customer's texts as they are, and as they stand in the request's JSON.
    texts = (request.user, *_strings(decoded(request.user.encode("utf-8", "replace"))))
    private = _words(" ".join(texts)) - _words(f"{request.system} {model.id}")
    line = _WORD.sub(lambda found: "…" if found[0].lower() in private else found[0], _KEY_LIKE.sub("…", line))
    return line[:_LONGEST]


def _strings(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | dict):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _strings(item)


def _words(text: str) -> set[str]:
    return {word.lower() for word in _WORD.findall(text)}
