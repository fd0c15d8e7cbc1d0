"""One HTTP call to a language model within a deadline: built, sent, read or refused."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from http import HTTPStatus
from types import ModuleType

import orjson

from worker.errors import GivenUp, ProviderDenied, ProviderError, ProviderTimeout, UnreadableAnswer
from worker.providers.models import Model, Provider
from worker.providers.pricing import estimate_tokens
from worker.providers.traced_call import TracedCall
from worker.providers.transport import HttpAnswer, Transport
from worker.providers.wires import gemini, openai
from worker.providers.wires.refusals import error_for
from worker.providers.wires.values import at
from worker.replies.request import AiRequest, Completion
from worker.usage import Usage

_WIRES: dict[str, ModuleType] = {"openai": openai, "gemini": gemini}
#: A provider's sentence is told up to here.
_LONGEST_TOLD = 300
#: Words that may be a customer's: long enough to say something, or figures.
_WORD = re.compile(r"\w{4,}|\d{3,}")
#: A letter as servers that answer in ASCII write it.
_ESCAPED = re.compile(r"\\u([0-9a-fA-F]{4})")
#: A local server's "none" is no secret, and may be a word of its sentence.
_LEAST_KEY = 8
#: Keys as providers quote them back, whole or in part.
_KEY_LIKE = re.compile(r"\b(?:sk|gsk|xai|AIza|pplx)[-_A-Za-z0-9*.]{6,}")


class AiClient:
    """HTTP client of the providers. Built once per process, after the fork; safe for 256 threads side by side.

    Args:
        providers: all that will be called.
        clock: seconds.
    """

    def __init__(self, providers: Sequence[Provider], clock: Callable[[], float] = time.monotonic) -> None:
        self._transport = Transport()
        self._clock = clock

    def call(self, provider: Provider, model: Model, request: AiRequest, deadline: float) -> Completion:
        """The model's complete answer, at the latest at `deadline` (on this client's clock).

        Raises a ProviderError whatever goes wrong: a surprise in an answer is the provider's, never the turn's.
        """
        started = self._clock()
        if not provider.usable:
            raise ProviderDenied(provider.name, "no API key is set")
        if started >= deadline:
            raise ProviderTimeout(provider.name, "the deadline had passed before the call")
        traced = TracedCall(provider, model, request)
        try:
            text, usage, name = self._ask(provider, model, request, deadline - started)
        except ProviderError as error:
            error.told = redacted(error.told, provider, model, request)
            traced.ended(error.usage, error.kind)
            raise
        traced.ended(usage)
        return Completion(provider.name, model.id, text, usage, (self._clock() - started) * 1000, name)

    def listed_models(self, provider: Provider, limit_s: float) -> dict[str, str | None]:
        """Models that the provider's own list names, with the day on which each ends or None. Raises ProviderError."""
        wire = _WIRES[provider.wire]
        path, _, query = wire.MODELS_PATH.partition("?")
        url = provider.url(path)
        joined = f"{url}{'&' if '?' in url else '?'}{query}" if query else url
        answer = self._transport.send(provider, joined, wire.headers(provider), None, limit_s)
        if answer.status != HTTPStatus.OK:
            raise _refusal(provider, answer)
        found: dict[str, str | None] = wire.listed_models(_json(answer.body))
        return found

    def close(self) -> None:
        """Closes the connections."""
        self._transport.close()

    def _ask(
        self, provider: Provider, model: Model, request: AiRequest, left_s: float
    ) -> tuple[str, Usage, str | None]:
        try:
            url, headers, body = _WIRES[provider.wire].build(provider, model, request)
            headers["Content-Type"] = "application/json"
            answer = self._transport.send(provider, url, headers, orjson.dumps(body), left_s)
            return _read(provider, request, answer)
        except GivenUp as error:
            if error.sent and error.usage is None:
                # It may be billed to the end: better a little too much in the books than money nobody knows of.
                error.usage = Usage(estimate_tokens(request.text), 0, request.max_output_tokens)
            raise
        except ProviderError:
            raise
        except Exception as exc:
            raise UnreadableAnswer(provider.name, f"unexpected: {type(exc).__name__}") from exc


def _read(provider: Provider, request: AiRequest, answer: HttpAnswer) -> tuple[str, Usage, str | None]:
    if answer.status != HTTPStatus.OK:
        raise _refusal(provider, answer)
    body = _json(answer.body)
    if body is None:
        raise UnreadableAnswer(provider.name, "not JSON")
    status = at(body, "error", "code")
    if isinstance(status, int) and status >= HTTPStatus.BAD_REQUEST:  # a router's error in an answer of status 200
        raise error_for(provider.name, status, answer.retry_after, body, datetime.now(UTC))
    result: tuple[str, Usage, str | None] = _WIRES[provider.wire].parse(provider, request, body)
    return result


def _refusal(provider: Provider, answer: HttpAnswer) -> ProviderError:
    return error_for(provider.name, answer.status, answer.retry_after, _json(answer.body), datetime.now(UTC))


def _json(body: bytes) -> object:
    """The decoded body, None where it is no JSON: an error page need not be, its status says enough."""
    try:
        value: object = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    return value


def redacted(told: str, provider: Provider, model: Model, request: AiRequest) -> str:
    """A provider's sentence without its key and without a word of the customer, on one line."""
    if not told:
        return ""
    key = provider.api_key.get_secret_value() if provider.api_key else ""
    line = told.replace(key, "…") if len(key) >= _LEAST_KEY else told
    line = " ".join(_ESCAPED.sub(lambda found: chr(int(found[1], 16)), line).split())
    private = _words(_texts(request.user)) - _words(f"{request.system} {model.id}")
    line = _WORD.sub(lambda found: "…" if found[0].lower() in private else found[0], _KEY_LIKE.sub("…", line))
    return line[:_LONGEST_TOLD]


def _texts(user: str) -> str:
    """All texts of a request's JSON as they are, and as they stand in it."""
    value = _json(user.encode("utf-8", "replace"))
    return f"{user} {' '.join(_strings(value))}"


def _strings(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | dict):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _strings(item)


def _words(text: str) -> set[str]:
    return {word.lower() for word in _WORD.findall(text)}
