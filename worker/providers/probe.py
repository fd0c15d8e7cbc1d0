"""Probing models before customers meet their end: each is asked now and then exactly as the service asks."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, date, datetime
from typing import Any
from uuid import uuid4

import msgspec
import redis
from msgspec import Struct
from msgspec.structs import replace
from redis.exceptions import RedisError

from worker.errors import ModelUnfit, ProviderError, RequestRefused, ThoughtAway, UnreadableAnswer
from worker.log import logger
from worker.providers.budget import Budget
from worker.providers.circuit import Breaker
from worker.providers.client import AiClient
from worker.providers.models import Model, Provider
from worker.providers.pricing import cost_microusd, estimate_tokens
from worker.redisdb.keys import BUDGET, MODEL_PROBES, PROBE_LOCK
from worker.replies.cart_guard import CartRules
from worker.replies.decision import InvalidDecision
from worker.replies.prompt import cache_key, render
from worker.replies.request import AiRequest
from worker.replies.verdict import decide, request_of
from worker.session.session import CartItem
from worker.session.turn import Plan
from worker.units import utc_day
from worker.usage import ModelCalls, Usage

#: A probe that found out what it wanted to know.
ANSWERED = "ok"
#: All probes of a UTC day together may cost a cent.
DAY_MICROUSD = 10_000
#: A fleet that starts together probes once.
LOCK_S = 600
#: Warned of this long before a model's announced end.
ENDS_SOON_DAYS = 30
THINKS = "it thinks: turn thinking off in its request"
#: A real short question, with a product to answer it with.
QUESTION = "¿Tienen leche?"
PRODUCT: dict[str, Any] = {
    "id": 1,
    "name": "Leche entera",
    "brand": "",
    "format": "1 L",
    "price": "1000.00",
    "currency": "ARS",
    "stock": 10,
}
log = logger(__name__)


class Probe(Struct, frozen=True):
    """The last result of asking a model.

    Args:
        at_s: when, in seconds since 1970.
        outcome: `ok` or the kind of a ProviderError.
        told: the provider's own sentence, or what is wrong with the answer.
        latency_ms: how long the answer took.
        answered_by: the model that the answer names, where it is another one.
    """

    provider: str
    model: str
    at_s: float
    outcome: str
    told: str = ""
    latency_ms: float = 0.0
    answered_by: str = ""


class Question(Struct, frozen=True):
    """The probe's request, and all that its answer is judged by."""

    plan: Plan
    rules: CartRules
    said: str = QUESTION
    cart: tuple[CartItem, ...] | None = None

    def request(self) -> AiRequest:
        """As the service would ask it."""
        return request_of(self.plan, self.rules, "")


def question(shop: str) -> Question:
    """The probe for a shop of this name."""
    request = render(shop, QUESTION, (), [PRODUCT], None)
    rules = CartRules(frozenset(), frozenset(), frozenset({1}), frozenset({1}))
    return Question(Plan("simple", True, (), (PRODUCT,), cache_key(request), request.system, request.user), rules)


class Looked(Struct, frozen=True):
    """A probe with what only its caller needs: the tokens it is billed for, and the error it ended with."""

    probe: Probe
    usage: Usage
    error: ProviderError | None = None


def ask(client: AiClient, provider: Provider, model: Model, asked: Question, deadline: float) -> Looked:
    """Asks a model and judges its answer; never raises a ProviderError. deadline: on the client's clock."""
    try:
        completion = client.call(provider, model, asked.request(), deadline)
    except ProviderError as error:
        if isinstance(error, RequestRefused) and error.unclear:
            # The message is ours, so it is the model that refuses.
            error = ModelUnfit(error.provider, error.detail, usage=error.usage, told=error.told)
        told = THINKS if isinstance(error, ThoughtAway) else error.told or error.detail
        return Looked(Probe(provider.name, model.id, time.time(), error.kind, told), error.usage or Usage(), error)
    other = "" if model.answers_to(completion.answered_by) else str(completion.answered_by)
    made = Probe(provider.name, model.id, time.time(), ANSWERED, "", completion.latency_ms, other)
    try:
        decide(completion.text, asked)
    except InvalidDecision as exc:
        problem = UnreadableAnswer(provider.name, f"its answer does not fit: {exc}", usage=completion.usage)
        return Looked(replace(made, outcome=problem.kind, told=problem.detail), completion.usage, problem)
    return Looked(made, completion.usage)


def ends_soon(model: Model, today: date) -> int | None:
    """Days until a model's announced end, where they are few; 0 or less where it is past."""
    left = (model.ends - today).days if model.ends else None
    return left if left is not None and left <= ENDS_SOON_DAYS else None


class Prober:
    """Probes of the fleet: one at a time for each model, for at most a cent a day.

    Args:
        record: books calls that belong to no turn.
        shop: the shop's name, which stands in every request.
    """

    def __init__(
        self,
        providers: Sequence[Provider],
        client: AiClient,
        breaker: Breaker,
        redis_client: redis.Redis,
        budget: Budget,
        record: Callable[[Sequence[ModelCalls]], None],
        shop: str,
    ) -> None:
        self._providers = providers
        self._client = client
        self._breaker = breaker
        self._redis = redis_client
        self._budget = budget
        self._record = record
        self._question = question(shop)

    def run(self) -> list[Probe]:
        """Probes every model that may be used, the one that was looked at longest ago first, as far as the day's cent
        goes; tells the circuits and the log what it found.
        """
        found: list[Probe] = []
        for provider, model in self._longest_ago_first():
            if self._may_probe(provider, model):
                found.append(self._probe(provider, model))
        return found

    def _probe(self, provider: Provider, model: Model) -> Probe:
        began = time.monotonic()
        looked = ask(self._client, provider, model, self._question, began + provider.timeout_s)
        cost = cost_microusd(model.price_at(datetime.now(UTC)), looked.usage)
        self._book(ModelCalls(provider.name, model.id, looked.probe.outcome, 1, looked.usage, cost))
        self._breaker.probed(provider.name, model.id, looked.error)
        self._tell(provider, model, looked.probe)
        return looked.probe

    def _tell(self, provider: Provider, model: Model, made: Probe) -> None:
        facts = {"provider": provider.name, "model": model.id, "told": made.told, "kind": made.outcome}
        if made.outcome == ANSWERED:
            log.info("model_probed", provider=provider.name, model=model.id, latency_ms=round(made.latency_ms))
            if made.answered_by:
                log.warning("answered_by_another_model", answered_by=made.answered_by, **facts)
        else:
            log.error("model_probe_failed", **facts)
        try:
            self._redis.hset(MODEL_PROBES.pattern, f"{provider.name}/{model.id}", _encoded(made))
            self._redis.expire(MODEL_PROBES.pattern, MODEL_PROBES.ttl_s or 0)
        except RedisError as exc:
            log.warning("probe_not_noted", error=type(exc).__name__)

    def _book(self, call: ModelCalls) -> None:
        self._record([call])
        self._budget.add(call.cost_microusd)
        key = _book_key()
        try:
            self._redis.incrby(key, call.cost_microusd)
            self._redis.expire(key, 2 * 86_400)
        except RedisError as exc:
            log.warning("probe_not_noted", error=type(exc).__name__)

    def _may_probe(self, provider: Provider, model: Model) -> bool:
        """Whether the day's money reaches, and nobody else probes it; not while Redis is away."""
        request = self._question.request()
        most = Usage(estimate_tokens(request.text), 0, request.max_output_tokens // 4)
        cost = cost_microusd(model.price_at(datetime.now(UTC)), most)
        try:
            spent: Any = self._redis.get(_book_key())
            lock = PROBE_LOCK.key(f"{provider.name}/{model.id}")
            free = int(spent or 0) + cost <= DAY_MICROUSD
            return free and bool(self._redis.set(lock, uuid4().hex, nx=True, ex=LOCK_S))
        except RedisError as exc:
            log.warning("probe_postponed", error=type(exc).__name__)
            return False

    def _longest_ago_first(self) -> list[tuple[Provider, Model]]:
        known = {(each.provider, each.model): each.at_s for each in read_probes(self._redis)}
        usable = [(provider, model) for provider in self._providers if provider.usable for model in provider.models]
        return sorted(usable, key=lambda pair: known.get((pair[0].name, pair[1].id), 0.0))


def _book_key() -> str:
    return BUDGET.key(f"probes:{utc_day()}")


def read_probes(client: redis.Redis) -> list[Probe]:
    """The latest probe of each model; none where Redis does not answer."""
    try:
        found: Any = client.hvals(MODEL_PROBES.pattern)
    except RedisError as exc:
        log.warning("probes_unavailable", error=type(exc).__name__)
        return []
    return list(_decoded(found))


def _encoded(probe: Probe) -> bytes:
    return msgspec.json.encode(probe)


def _decoded(found: Iterable[bytes]) -> Iterable[Probe]:
    for raw in found:
        try:
            yield msgspec.json.decode(raw, type=Probe)
        except msgspec.DecodeError as exc:
            # Noted by another release, say; the model counts as never looked at.
            log.warning("probe_unreadable", error=type(exc).__name__)
