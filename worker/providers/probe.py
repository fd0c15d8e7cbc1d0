"""Probing models before customers meet their end: each is asked now and then exactly as the service asks."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import cached_property
from typing import Any

import msgspec
import redis
from msgspec import Struct
from msgspec.structs import replace
from redis.exceptions import RedisError

from worker.catalog.product import Product
from worker.errors import ModelUnfit, ProviderError, RequestRefused, ThoughtAway, UnreadableAnswer
from worker.log import logger
from worker.providers.budget import Budget
from worker.providers.circuit import CircuitBreaker
from worker.providers.client import AiClient
from worker.providers.models import Model, Provider
from worker.providers.pricing import cost_microusd, estimate_tokens, priced_call
from worker.providers.progress import PlannedRequest
from worker.redisdb.keys import BUDGET, MODEL_PROBES, PROBE_LOCK
from worker.replies.decision import InvalidDecision
from worker.replies.prompt import cache_key, render
from worker.replies.scene import NOBODY, Scene
from worker.replies.verdict import decide, request_of
from worker.session.turn import Plan
from worker.shop.shop import Shop
from worker.telemetry.recording import ANSWERED
from worker.units import utc_day
from worker.usage import ModelCalls, Usage

#: All probes of a UTC day together may cost a cent.
DAY_MICROUSD = 10_000
#: A fleet that starts together probes once.
LOCK_S = 600
#: Warned of this long before a model's announced end.
ENDS_SOON_DAYS = 30
THINKS = "it thinks: turn thinking off in its request"
#: A real short question, with a product to answer it with.
QUESTION = "¿Tienen leche?"
PRODUCT = Product(1, "Leche entera", "", "", "1 L", currency="ARS", stock=Decimal(10), price=Decimal("1000.00"))
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


def probe_request(shop: Shop) -> PlannedRequest:
    """The probe for a shop: a short question of no customer, as the service would ask it."""
    request = render(shop, QUESTION, (), [PRODUCT], None)
    plan = Plan("simple", True, (), (PRODUCT,), cache_key(request), request.system, request.user)
    return PlannedRequest(plan, Scene(shop, NOBODY, "", text=QUESTION))


class ProbeResult(Struct, frozen=True):
    """A probe with the tokens it is billed for, and the error it ended with."""

    probe: Probe
    usage: Usage
    error: ProviderError | None = None


def probe_model(client: AiClient, provider: Provider, model: Model, planned: PlannedRequest) -> ProbeResult:
    """Asks a model, within the provider's own time limit, and judges its answer; never raises a ProviderError."""
    request, deadline = request_of(planned.plan, planned.scene, ""), time.monotonic() + provider.timeout_s
    try:
        completion = client.call(provider, model, request, deadline)
    except ProviderError as error:
        if isinstance(error, RequestRefused) and error.unclear:
            # The message is ours, so it is the model that refuses.
            error = ModelUnfit(error.provider, error.detail, usage=error.usage, sentence=error.sentence)
        told = THINKS if isinstance(error, ThoughtAway) else error.sentence or error.detail
        return ProbeResult(Probe(provider.name, model.id, time.time(), error.kind, told), error.usage or Usage(), error)
    other = "" if model.answers_to(completion.answered_by) else str(completion.answered_by)
    made = Probe(provider.name, model.id, time.time(), ANSWERED, "", completion.latency_ms, other)
    try:
        decide(completion.text, planned.plan, planned.scene)
    except InvalidDecision as exc:
        problem = UnreadableAnswer(provider.name, f"its answer does not fit: {exc}", usage=completion.usage)
        return ProbeResult(replace(made, outcome=problem.kind, told=problem.detail), completion.usage, problem)
    return ProbeResult(made, completion.usage)


def ends_soon(model: Model, today: date) -> bool:
    """Returns whether a model's announced end is near, or past."""
    return model.ends is not None and (model.ends - today).days <= ENDS_SOON_DAYS


@dataclass(frozen=True)
class Prober:
    """Probes of the fleet: one at a time for each model, for at most a cent a day.

    Args:
        record: records the cost of calls that belong to no turn.
        shop: its facts stand in every request.
    """

    providers: Sequence[Provider]
    client: AiClient
    breaker: CircuitBreaker
    redis: redis.Redis
    budget: Budget
    record: Callable[[Sequence[ModelCalls]], None]
    shop: Shop

    @cached_property
    def request(self) -> PlannedRequest:
        """The probe, the same for all models."""
        return probe_request(self.shop)

    def run(self) -> list[Probe]:
        """Probes every usable model, the one longest ago first, as far as the day's cent goes; records what it finds
        with the circuits, as cost and in the log.
        """
        known = {(each.provider, each.model): each.at_s for each in read_probes(self.redis)}
        usable = [(provider, model) for provider in self.providers if provider.usable for model in provider.models]
        longest_ago_first = sorted(usable, key=lambda pair: known.get((pair[0].name, pair[1].id), 0.0))
        return [self._probe(*pair) for pair in longest_ago_first if self._may_probe(*pair)]

    def _may_probe(self, provider: Provider, model: Model) -> bool:
        """Returns whether the day's money reaches, and nobody else probes it; not while Redis is away."""
        request = request_of(self.request.plan, self.request.scene, "")
        most = Usage(estimate_tokens(request.text), 0, request.max_output_tokens // 4)
        cost = cost_microusd(model.price_at(datetime.now(UTC)), most)
        try:
            spent: Any = self.redis.get(_spent_key())
            lock = PROBE_LOCK.key(f"{provider.name}/{model.id}")
            free = int(spent or 0) + cost <= DAY_MICROUSD
            return free and bool(self.redis.set(lock, 1, nx=True, ex=LOCK_S))
        except RedisError as exc:
            log.warning("probe_postponed", error=type(exc).__name__)
            return False

    def _probe(self, provider: Provider, model: Model) -> Probe:
        result = probe_model(self.client, provider, model, self.request)
        call = priced_call(provider, model, model.id, result.usage, result.probe.outcome, datetime.now(UTC))
        self.record([call])
        self.budget.add(call.cost_microusd)
        self.breaker.probed(provider.name, model.id, result.error)
        _log(result.probe)
        try:
            self.redis.incrby(_spent_key(), call.cost_microusd)
            self.redis.expire(_spent_key(), 2 * 86_400)
            self.redis.hset(MODEL_PROBES.pattern, f"{provider.name}/{model.id}", msgspec.json.encode(result.probe))
            self.redis.expire(MODEL_PROBES.pattern, MODEL_PROBES.ttl_s or 0)
        except RedisError as exc:
            log.warning("probe_not_noted", error=type(exc).__name__)
        return result.probe


def _log(probe: Probe) -> None:
    facts = {"provider": probe.provider, "model": probe.model, "told": probe.told, "kind": probe.outcome}
    if probe.outcome != ANSWERED:
        log.error("model_probe_failed", **facts)
        return
    log.info("model_probed", provider=probe.provider, model=probe.model, latency_ms=round(probe.latency_ms))
    if probe.answered_by:
        log.warning("answered_by_another_model", answered_by=probe.answered_by, **facts)


def _spent_key() -> str:
    return BUDGET.key(f"probes:{utc_day()}")


def read_probes(client: redis.Redis) -> list[Probe]:
    """The latest probe of each model; none where Redis does not answer. One that another release noted otherwise is
    left out: the model counts as never probed.
    """
    probes: list[Probe] = []
    try:
        found: Any = client.hvals(MODEL_PROBES.pattern)
    except RedisError as exc:
        log.warning("probes_unavailable", error=type(exc).__name__)
        return []
    for raw in found:
        try:
            probes.append(msgspec.json.decode(raw, type=Probe))
        except msgspec.DecodeError as exc:
            log.warning("probe_unreadable", error=type(exc).__name__)
    return probes
