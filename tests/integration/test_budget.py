"""Money in a real Redis: reserved, settled, never leaked, founded again on PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from threading import Thread

import pytest
import redis

from worker.providers.budget import Budget, BudgetLimits, Reservation
from worker.providers.clock import Clock
from worker.providers.models import Price
from worker.providers.pricing import cost_microusd, estimate_tokens
from worker.replies.prompt import AiRequest
from worker.usage import Usage

DOLLAR = Price(Decimal(1), Decimal(1), Decimal(1), Decimal(1))
REQUEST = AiRequest("s" * 400, "u" * 400, max_output_tokens=800)
PRICE = cost_microusd(DOLLAR, Usage(estimate_tokens(REQUEST.system + REQUEST.user), 0, 800))
NOON = datetime(2025, 11, 22, 12, 0, tzinfo=UTC)


@pytest.fixture
def make(redis_client: redis.Redis) -> Callable[..., Budget]:
    """A budget over the test's Redis; nothing spent so far according to PostgreSQL unless said."""

    def budget(month: int | None = None, day: int | None = None, calls: int = 1_000, spent: int = 0) -> Budget:
        return Budget(redis_client, BudgetLimits(month, day, calls), lambda: (spent, spent), Clock(now=lambda: NOON))

    return budget


def reserve(budget: Budget, customer: str = "549") -> Reservation | None:
    """A reservation for the usual request."""
    return budget.reserve("p", DOLLAR, REQUEST, customer)


def test_reservations_count_before_they_are_settled(make: Callable[..., Budget]) -> None:
    """With money for two calls a third one under way at the same time is refused; a cheaper end makes room again."""
    budget = make(month=2 * PRICE)
    first, second = reserve(budget), reserve(budget)
    assert first is not None
    assert second is not None
    assert reserve(budget) is None
    budget.settle(first, 0)
    assert reserve(budget) is not None


def test_processes_reserve_for_themselves(make: Callable[..., Budget]) -> None:
    """Each has its own calls under way, though they begin to count alike."""
    for budget in (make(month=2 * PRICE), make(month=2 * PRICE)):
        assert reserve(budget) is not None
    assert reserve(make(month=2 * PRICE)) is None


@pytest.mark.parametrize("limits", [{"month": 3 * PRICE}, {"day": 3 * PRICE}])
def test_what_was_spent_stays_spent(make: Callable[..., Budget], limits: dict[str, int]) -> None:
    """Three calls at full price use the budget up, of the month as of the day."""
    budget = make(**limits)
    for _ in range(3):
        held = reserve(budget)
        assert held is not None
        budget.settle(held, PRICE)
    assert reserve(budget) is None


def test_a_reservation_of_a_dead_worker_lapses(make: Callable[..., Budget], redis_client: redis.Redis) -> None:
    """Money that nobody settles is free again when its time is over."""
    budget = make(month=PRICE)
    assert reserve(budget) is not None
    assert reserve(budget) is None
    for member in redis_client.zrange("budget:reserved", 0, -1):
        redis_client.zadd("budget:reserved", {member: 1})
    assert reserve(budget) is not None


def test_lost_books_are_founded_on_postgresql(make: Callable[..., Budget], redis_client: redis.Redis) -> None:
    """After FLUSHALL nothing is spent again that PostgreSQL knows of; seeding never lowers the books."""
    budget = make(month=5 * PRICE, spent=5 * PRICE)
    redis_client.flushall()
    assert reserve(budget) is None
    held = reserve(make(month=9 * PRICE))
    assert held is not None
    budget.settle(held, PRICE)
    make(spent=1).seed()
    assert int(redis_client.hget("budget:2025-11", "spent") or 0) == 6 * PRICE


def test_the_warning_comes_once(make: Callable[..., Budget], redis_client: redis.Redis) -> None:
    """At 80 % of a budget it is noted once."""
    budget = make(day=5 * PRICE)
    for _ in range(5):
        assert reserve(budget) is not None
    assert redis_client.hget("budget:2025-11-22", "warned") == b"1"
    assert redis_client.hget("budget:2025-11", "warned") is None


def test_calls_per_customer_and_hour(make: Callable[..., Budget], redis_client: redis.Redis) -> None:
    """One customer's calls do not use up another's, and the counter ends by itself."""
    budget = make(calls=2)
    assert [reserve(budget, "a") is not None for _ in range(3)] == [True, True, False]
    assert reserve(budget, "b") is not None
    assert 0 < redis_client.ttl("limit:a") <= 3_600


def test_racing_workers_never_overspend(make: Callable[..., Budget]) -> None:
    """Eight threads, money for ten calls: ten are made."""
    budget = make(month=10 * PRICE)
    made: list[Reservation] = []

    def work() -> None:
        for _ in range(5):
            if (held := reserve(budget)) is not None:
                made.append(held)
                budget.settle(held, PRICE)

    threads = [Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 10
