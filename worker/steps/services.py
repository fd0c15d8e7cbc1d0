"""Everything a process needs to do its steps, built once per process and only when first used: nothing connects at
import, and no connection crosses a fork.
"""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache, partial
from threading import Lock
from uuid import uuid4

import redis
from msgspec.structs import asdict
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from db import queries, retry
from db.engine import LOCK_TIMEOUT_MS, make_engine
from db.reachability import Reachability
from worker.catalog.search import Catalog
from worker.log import logger, warned
from worker.providers.budget import Budget, BudgetLimits
from worker.providers.circuit import CircuitBreaker, CircuitChange
from worker.providers.client import AiClient
from worker.providers.completion import Completer
from worker.providers.dispatch import Dispatcher
from worker.providers.models import Provider
from worker.providers.paid_calls import PaidCalls
from worker.providers.pricing import with_costs
from worker.providers.probe import Prober
from worker.providers.providers_file import load_providers
from worker.providers.single_flight import SingleFlight
from worker.redisdb.cache import Cache
from worker.redisdb.coalescing import CoalescingRedis
from worker.redisdb.connect import connect_cache, connect_durable
from worker.redisdb.streams import Streams
from worker.session.outcome import Outcome, StoredOutcome
from worker.settings import Settings, settings
from worker.shop.shop import Shop
from worker.shop.shop_file import load_shop
from worker.steps.call_leases import CallLeases, lease_of_call_s
from worker.telemetry.asked import AskedCounts
from worker.telemetry.recording import count_call, metrics_row
from worker.units import microusd
from worker.usage import ModelCalls

FLIGHT_MARGIN_S = 60.0
#: Another process's failures, or an operator's hand, are heeded that much later. Under load it saves most looks.
REMEMBER_CIRCUIT_S = 0.05
#: How long a customer may wait for a note about a circuit to be written.
NOTE_S = 1.0
log = logger(__name__)


@dataclass(frozen=True, slots=True)
class Services:
    """Clients, settings and caches that the steps of one process share."""

    settings: Settings
    engine: Engine
    redis: redis.Redis
    streams: Streams
    cache: Cache
    catalog: Catalog
    budget: Budget
    providers: tuple[Provider, ...]
    prober: Prober
    completer: Completer
    dispatcher: Dispatcher
    leases: CallLeases
    shop: Shop
    asked: AskedCounts
    reachability: Reachability


def budget_limits(configuration: Settings) -> BudgetLimits:
    """The budgets of the environment, in micro-dollars."""
    month, day = configuration.ai_monthly_budget_usd, configuration.ai_daily_budget_usd
    return BudgetLimits(
        month_microusd=None if month is None else microusd(month),
        day_microusd=None if day is None else microusd(day),
        calls_per_customer_hour=configuration.ai_calls_per_customer_hour,
    )


def record_calls(engine: Engine, calls: Sequence[ModelCalls]) -> None:
    """Records what calls have cost that belong to no turn, as is done for a turn that was lost."""
    outcome = with_costs(Outcome("ai", provider=calls[0].provider, model=calls[0].model), calls)
    row = metrics_row(str(uuid4()), StoredOutcome(**asdict(outcome)), messages=0, committed=False)
    with warned(log, "cost_not_recorded", SQLAlchemyError, cost_microusd=outcome.cost_microusd):
        retry.run(engine, lambda connection: queries.record_metrics(connection, [row]))


def note_circuit(engine: Engine, change: CircuitChange) -> None:
    """Notes a change of a circuit for the report and the dashboard."""
    data = {"provider": change.provider, "state": change.state, "reason": change.reason}
    data |= {"model": change.model, "told": change.sentence} if change.model else {}
    # The note is not worth the answer that a customer waits for.
    with warned(log, "circuit_not_noted", SQLAlchemyError, provider=change.provider):
        retry.run(engine, lambda connection: queries.add_event(connection, "circuit", data), give_up_after_s=NOTE_S)


def build(configuration: Settings) -> Services:
    """Builds the services of a process; connects nothing yet. Raises ConfigurationError where a setting is missing or
    does not fit.
    """
    engine = make_engine(configuration.required("database_url"), pool_size=8, lock_timeout_ms=LOCK_TIMEOUT_MS)
    durable = connect_durable(configuration)
    cache = Cache(connect_cache(configuration))
    providers = load_providers(configuration)
    shop = load_shop(configuration)

    shared = CoalescingRedis(durable)
    unawaited = shared.fire_and_forget()
    single_flight = SingleFlight(shared, configuration.ai_deadline_s + FLIGHT_MARGIN_S)
    breaker = CircuitBreaker(
        shared,
        partial(note_circuit, engine),
        on_call=partial(count_call, unawaited),
        remember_s=REMEMBER_CIRCUIT_S,
    )
    spent_so_far = partial(retry.run, engine, queries.spent_microusd)
    budget = Budget(shared, budget_limits(configuration), spent_so_far)
    client = AiClient()
    completer = Completer(PaidCalls(providers, client, breaker, budget))
    prober = Prober(providers, client, breaker, durable, budget, partial(record_calls, engine), shop)
    call_lease_s = lease_of_call_s(configuration.ai_deadline_s)
    pool = ThreadPoolExecutor(configuration.ai_parallel_calls, thread_name_prefix="provider")
    return Services(
        settings=configuration,
        engine=engine,
        redis=durable,
        streams=Streams(durable, connect_durable(configuration, repeats=0)),
        cache=cache,
        catalog=Catalog(engine, cache),
        budget=budget,
        providers=providers,
        prober=prober,
        completer=completer,
        dispatcher=Dispatcher(completer, single_flight, cache, pool, budget, shop),
        leases=CallLeases(engine, single_flight, call_lease_s),
        shop=shop,
        asked=AskedCounts(),
        reachability=Reachability(engine, lambda: log.info("database_reached_again")),
    )


_building = Lock()


@lru_cache(maxsize=1)
def _of_process(_pid: int) -> Services:
    return build(settings())


def services() -> Services:
    """The services of this process; a forked child gets its own."""
    with _building:
        return _of_process(os.getpid())
