"""The provider side of a process, with the simulated providers or with plain servers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

import redis

from helpers.circuit import Circuit
from helpers.factories import ANA
from helpers.turns import SHOP
from worker.devkit.simulator import Simulator
from worker.providers.budget import Budget, BudgetLimits
from worker.providers.circuit import CircuitBreaker
from worker.providers.client import AiClient
from worker.providers.clock import Clock
from worker.providers.completion import Completer
from worker.providers.models import Provider
from worker.providers.paid_calls import PaidCalls
from worker.providers.progress import PlannedRequest
from worker.providers.providers_file import load_providers
from worker.replies.scene import NOBODY, Scene
from worker.session.session import Session
from worker.session.turn import Plan
from worker.settings import read_settings

SIMULATED = ("openai", "gemini", "deepseek")


def providers_of(simulator: Simulator, **keys: str) -> tuple[Provider, ...]:
    """The packaged providers at the simulator, with these keys (`openai="..."`); each has one where none is given."""
    given = keys or dict.fromkeys(SIMULATED, "sk-test")
    settings = {f"{name.upper()}_API_KEY": key for name, key in given.items()}
    return load_providers(read_settings(settings | simulator.base_urls))


def request_of(
    plan: Plan,
    said: str = "",
    token: str = "token-1",
    customer: str = ANA,
    deadline: float = float("inf"),
    session: Session = NOBODY,
) -> PlannedRequest:
    """The planned request of a customer who said this. deadline: on the monotonic clock."""
    scene = Scene(SHOP, session, token, plan.products, plan.searched, said)
    return PlannedRequest(plan, scene, token, customer, deadline)


def patient(providers: Sequence[Provider]) -> list[Provider]:
    """The same providers with a time limit of their own that no test lives to see."""
    return [replace(provider, timeout_s=600.0) for provider in providers]


def no_limits(client: redis.Redis) -> Budget:
    """A budget that pays for all calls."""
    return Budget(client, BudgetLimits(None, None, 1_000_000), lambda: (0, 0))


@contextmanager
def completer_on(
    client: redis.Redis,
    providers: Sequence[Provider],
    breaker: CircuitBreaker | None = None,
    budget: Budget | None = None,
    *,
    sleep: Callable[[float], None] = lambda _seconds: None,
) -> Iterator[Completer]:
    """A completer that does not pause between attempts; its breaker is one without jitter unless another is given."""
    ai = AiClient()
    paid_by = budget or no_limits(client)
    yield Completer(PaidCalls(providers, ai, breaker or Circuit(client).breaker, paid_by, Clock(sleep=sleep)))
    ai.close()


def calls(simulator: Simulator) -> dict[str, int]:
    """Calls each simulated provider has taken; those without any are left out."""
    return {name: count for name in SIMULATED if (count := simulator.calls(name))}


def well_behaved(simulator: Simulator) -> Simulator:
    """The simulator as it is at first."""
    simulator.set("all", mode="ok", status=None, error_rate=None, latency_ms=(0.0, 0.0), retry_after_s=None)
    simulator.reset()
    return simulator
