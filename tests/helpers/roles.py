"""Providers of a test's own, each a plain server that plays answers, and their circuits in a real Redis."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

import redis
from pydantic import SecretStr

from helpers.answering import completer_on, request_of
from helpers.http_provider import Answer, Server, say, serving
from helpers.turns import MILK, decision_of, plan_of
from worker.providers.circuit import CircuitBreaker, CircuitChange
from worker.providers.clock import Clock
from worker.providers.completion import Completer
from worker.providers.models import Model, Price, Provider, Wire
from worker.providers.progress import PlannedRequest
from worker.session.outcome import Outcome

GONE = say(404, {"error": {"message": "The model `x` does not exist.", "code": "model_not_found"}})
UNFIT = say(400, {"error": {"message": "Unsupported parameter: 'max_tokens'.", "code": "unsupported_parameter"}})
UNCLEAR = say(400, {"error": {"message": "Request contains an invalid argument.", "status": "INVALID_ARGUMENT"}})
DOWN = say(503, {"error": {"message": "busy"}})
DENIED = say(401, {"error": {"message": "Incorrect API key provided", "code": "invalid_api_key"}})


def limited(wait_s: float) -> Answer:
    """A rate limit whose sentence names a wait."""
    return say(429, {"error": {"message": f"Rate limit reached. Please try again in {wait_s:g}s."}})


def chat(reply: str = "¡Hola! ¿Qué necesitás?", name: str | None = None, **changes: Any) -> Answer:
    """A chat completion with a good decision; name: of the model that it says it is."""
    choice = {"message": {"content": json.dumps(decision_of(reply=reply, **changes))}, "finish_reason": "stop"}
    named = {} if name is None else {"model": name}
    return say(200, {"choices": [choice], "usage": {"prompt_tokens": 1_000, "completion_tokens": 100}, **named})


def model_of(name: str, usd: int = 1, ends: date | None = None) -> Model:
    """A model at so many dollars per million tokens of any kind."""
    price = Price(Decimal(usd), Decimal(usd), Decimal(usd), Decimal(usd))
    return Model(name, (price,), ends=ends)


def role(
    name: str, server: Server, *models: str, usd: int = 1, wire: Wire = "openai", timeout_s: float = 5.0
) -> Provider:
    """A provider of these models, first choice for nothing: the cheaper is asked first."""
    made = tuple(model_of(each, usd) for each in models)
    return Provider(name, wire, server.url, "", SecretStr("sk-Secret0123"), "KEY", None, (), 1.0, timeout_s, made)


@dataclass
class Fleet:
    """Two providers, the first with models a and b, the second with c, and processes that share their circuits."""

    client: redis.Redis
    first: Server
    second: Server
    providers: tuple[Provider, ...]
    stack: ExitStack
    changes: list[CircuitChange] = field(default_factory=list)
    slept: list[float] = field(default_factory=list)

    def breaker(self, **given: Any) -> CircuitBreaker:
        """The circuits as another process sees them."""
        return CircuitBreaker(self.client, self.changes.append, clock=Clock(random=lambda: 0.5), **given)

    def process(self, providers: Sequence[Provider] | None = None, **given: Any) -> Completer:
        """Another process."""
        asked = self.providers if providers is None else providers
        made = completer_on(self.client, asked, self.breaker(), sleep=self.slept.append, **given)
        return self.stack.enter_context(made)

    def asked(self) -> list[str]:
        """The models that requests named, at either provider."""
        return [str(seen.body.get("model", seen.path)) for server in (self.first, self.second) for seen in server.seen]

    def state(self, name: str) -> dict[str, str]:
        """A circuit in Redis: PROVIDER or PROVIDER:MODEL."""
        found: Any = self.client.hgetall(f"ai_circuit:{name}")
        return {key.decode(): value.decode() for key, value in found.items()}

    def play(self, first: Sequence[Answer], second: Sequence[Answer] = ()) -> None:
        """What they answer from now on; nothing has been asked."""
        self.first.answers, self.second.answers = list(first), list(second) or [chat("Soy la segunda.")]
        self.first.seen.clear()
        self.second.seen.clear()


@contextmanager
def fleet_on(client: redis.Redis, wire: Wire = "openai", timeout_s: float = 5.0) -> Iterator[Fleet]:
    """A fleet on an empty Redis, whose providers are well."""
    with ExitStack() as stack:
        first, second = (stack.enter_context(serving(chat())) for _ in range(2))
        providers = (
            role("first", first, "a", "b", wire=wire, timeout_s=timeout_s),
            role("second", second, "c", usd=9, timeout_s=timeout_s),
        )
        yield Fleet(client, first, second, providers, stack)


def ask(
    text: str = "tenes leche?", customer: str = "5491100000001", within_s: float = 20.0, token: str = "t"
) -> PlannedRequest:
    """A turn's request."""
    return request_of(plan_of(text, MILK), text, token, customer, time.monotonic() + within_s)


def done(outcome: Outcome) -> tuple[str, str | None, str | None]:
    """Source, provider and model of an outcome."""
    return (outcome.source, outcome.provider, outcome.model)
