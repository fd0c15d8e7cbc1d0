"""One call to a language model: asked within a deadline, tried again once where that may help, read or refused."""

from __future__ import annotations

import random as _random
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from http import HTTPStatus
from types import ModuleType

import orjson
from tenacity import RetryCallState, Retrying, retry_if_exception

from worker import tracing
from worker.errors import (
    ProviderDenied,
    ProviderError,
    ProviderRateLimited,
    ProviderTimeout,
    ProviderUnavailable,
    UnreadableAnswer,
)
from worker.providers.providers_file import Provider
from worker.providers.request import AiRequest, Completion
from worker.providers.transport import Answer, Transport
from worker.providers.wires import gemini as wire_gemini
from worker.providers.wires import openai as wire_openai
from worker.providers.wires.common import error_for
from worker.usage import Usage

_DELAY_S = 1.0  # on average; the jitter keeps callers who failed together from coming back together
_JITTER = 0.5
_LONGEST_WAIT_S = 2.0  # a provider that asks for more is left to the next candidate
_LEAST_TIME_S = 1.0  # with less than this left an attempt would cost money and bring nothing

_WIRES: dict[str, ModuleType] = {"openai": wire_openai, "gemini": wire_gemini}


class AiClient:
    """Asks providers. Built once per process, after the fork; safe for 256 threads side by side.

    providers: all that will be called. clock, sleep, random: seconds, and a number in [0, 1).
    """

    def __init__(
        self,
        providers: Sequence[Provider],
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        random: Callable[[], float] = _random.random,
    ) -> None:
        self._transport = Transport(hosts=max(1, len(providers)))
        self._clock = clock
        self._random = random
        self._retrying = Retrying(
            retry=retry_if_exception(_may_pass), wait=self._wait_s, stop=self._is_over, sleep=sleep, reraise=True
        )

    def call(self, provider: Provider, request: AiRequest, deadline: float, attempts: int = 2) -> Completion:
        """The provider's complete answer, at the latest at `deadline` (on this client's clock).

        At most `attempts`, a second one only after a failure that may be gone in a second. `latency_ms` is that of
        the attempt that succeeded. Raises a ProviderError: see `worker.errors`.
        """
        if provider.api_key is None:
            raise ProviderDenied(provider.name, "no API key is set")
        return self._retrying(self._attempt, provider, request, deadline, attempts)

    def close(self) -> None:
        """Closes the connections."""
        self._transport.close()

    def _attempt(self, provider: Provider, request: AiRequest, deadline: float, _attempts: int) -> Completion:
        started = self._clock()
        if started >= deadline:
            raise ProviderTimeout(provider.name, "the deadline had passed before the call")
        traced = tracing.Call(provider, request)
        try:
            call = _WIRES[provider.wire].build(provider, request)
            answer = self._transport.post(provider, call, deadline - started)
            text, usage = _read(provider, request, answer)
        except ProviderError as error:
            traced.ended(error.usage, error.kind)
            raise
        traced.ended(usage)
        return Completion(provider.name, provider.model, text, usage, (self._clock() - started) * 1000)

    def _is_over(self, state: RetryCallState) -> bool:
        """Whether this was the last attempt, by what `_attempt` was called with."""
        deadline: float = state.args[2]
        attempts: int = state.args[3]
        return state.attempt_number >= attempts or self._clock() + state.upcoming_sleep + _LEAST_TIME_S > deadline

    def _wait_s(self, state: RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        asked_s = error.retry_after_s if isinstance(error, ProviderUnavailable) else None
        return max(asked_s or 0.0, _DELAY_S + _JITTER * (self._random() - 0.5))


def _may_pass(error: BaseException) -> bool:
    """Whether a second attempt may succeed soon. One that was billed is not repeated: its cost would be forgotten."""
    return (
        isinstance(error, ProviderUnavailable)
        and not isinstance(error, ProviderRateLimited)
        and (error.retry_after_s or 0.0) <= _LONGEST_WAIT_S
        and error.usage is None
    )


def _read(provider: Provider, request: AiRequest, answer: Answer) -> tuple[str, Usage]:
    if answer.status != HTTPStatus.OK:
        raise error_for(provider, answer.status, answer.retry_after, _json_or_none(answer.body), datetime.now(UTC))
    try:
        body = orjson.loads(answer.body)
    except orjson.JSONDecodeError as exc:
        raise UnreadableAnswer(provider.name, "not JSON") from exc
    result: tuple[str, Usage] = _WIRES[provider.wire].parse(provider, request, body)
    return result


def _json_or_none(body: bytes) -> object:
    """An error page need not be JSON; its status says enough."""
    try:
        value: object = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    return value
