"""The shop's money: a monthly and a daily budget and a limit per customer, kept in Redis, founded on PostgreSQL."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any
from uuid import uuid4

import redis
from msgspec import Struct
from redis.commands.core import Script
from redis.exceptions import RedisError

from worker.log import logger
from worker.providers.models import Price
from worker.providers.pricing import cost_microusd, estimate_tokens
from worker.redisdb.keys import BUDGET, BUDGET_RESERVED, CALL_LIMIT
from worker.replies.request import AiRequest
from worker.units import utc_day, utc_month
from worker.usage import Usage

SCRIPT = Path(__file__).with_name("budget.lua").read_text(encoding="utf-8")
#: A reservation of a worker that died lapses after this time: longer than any call may take.
RESERVATION_MS = 120_000
log = logger(__name__)


@dataclass(frozen=True, slots=True)
class Limits:
    """Micro-dollars per calendar month and day (UTC), None for no limit; calls per customer and hour."""

    month_microusd: int | None
    day_microusd: int | None
    calls_per_customer_hour: int


class Reservation(Struct, frozen=True):
    """Money set aside for one call; `books` are the month and day it is booked on."""

    id: str
    amount_microusd: int
    books: tuple[str, str]


class Budget:
    """Reserve before a call, settle after it. At most the calls under way can exceed a budget, and only by what they
    cost more than was estimated. Where Redis does not answer calls are allowed: an outage must not silence the shop.
    """

    def __init__(
        self,
        client: redis.Redis,
        limits: Limits,
        spent_so_far: Callable[[], tuple[int, int]],
        wall_clock: Callable[[], float] = time.time,
        fire_and_forget: redis.Redis | None = None,
    ) -> None:
        """spent_so_far: micro-dollars of this month and this day according to PostgreSQL. fire_and_forget: a
        client that nobody waits for, to settle with; None: the same.
        """
        self._client = client
        self._script = client.register_script(SCRIPT)
        self._settling = (fire_and_forget or client).register_script(SCRIPT)
        self._limits = limits
        self._spent_so_far = spent_so_far
        self._wall_clock = wall_clock
        # Ids of reservations: to ask the system for a random number for each would let another thread go on first.
        self._process, self._numbers = uuid4().hex, count()

    def reserve(self, provider: str, price: Price, request: AiRequest, customer: str) -> Reservation | None:
        """Money for one call at its highest likely price; None where a budget or the customer's limit is used up."""
        usage = Usage(estimate_tokens(request.text), 0, request.max_output_tokens)
        id_ = f"{self._process}-{next(self._numbers)}"
        held = Reservation(id_, cost_microusd(price, usage), self._books())
        answer = self._reserve(held, customer)
        if answer == "unknown":
            self.seed()
            answer = self._reserve(held, customer)
        if answer == "warn":
            log.warning("budget_nearly_spent", percent=80)
        elif answer != "ok":
            log.warning("call_not_paid_for", limit=answer, provider=provider)
            return None
        return held

    def over_limit(self, customers: Collection[str]) -> frozenset[str]:
        """Customers whose calls of this hour are used up, in one round trip; nobody where Redis does not answer."""
        names = list(dict.fromkeys(customers))
        try:
            counts: Any = self._client.mget([CALL_LIMIT.key(name) for name in names]) if names else []
        except RedisError as exc:
            log.warning("budget_unavailable", error=type(exc).__name__)
            return frozenset()
        most = self._limits.calls_per_customer_hour
        return frozenset(name for name, count in zip(names, counts, strict=True) if int(count or 0) >= most)

    def settle(self, held: Reservation, spent_microusd: int) -> None:
        """Books what the call really cost, and frees the reservation."""
        settled: list[str | int] = ["settle", held.id, held.amount_microusd, spent_microusd]
        self._run(held.books, "", settled, self._settling)

    def add(self, spent_microusd: int) -> None:
        """Books a call that nothing was reserved for."""
        self._run(self._books(), "", ["settle", "", 0, spent_microusd], self._settling)

    def seed(self) -> None:
        """Raises the books to what PostgreSQL knows: after Redis lost them, and now and then to be sure."""
        month, day = self._spent_so_far()
        self._run(self._books(), "", ["seed", month, day])

    def _reserve(self, held: Reservation, customer: str) -> str:
        limits = self._limits
        budgets: list[str | int] = [
            -1 if amount is None else amount for amount in (limits.month_microusd, limits.day_microusd)
        ]
        call: list[str | int] = ["reserve", held.id, held.amount_microusd, RESERVATION_MS]
        return self._run(held.books, customer, [*call, *budgets, limits.calls_per_customer_hour])

    def _books(self) -> tuple[str, str]:
        now_s = self._wall_clock()
        return utc_month(now_s), utc_day(now_s)

    def _run(
        self, books: tuple[str, str], customer: str, arguments: list[str | int], script: Script | None = None
    ) -> str:
        keys = [BUDGET.key(books[0]), BUDGET.key(books[1]), BUDGET_RESERVED.pattern, CALL_LIMIT.key(customer)]
        try:
            answer: bytes | None = (script or self._script)(keys=keys, args=arguments)
        except RedisError as exc:
            log.warning("budget_unavailable", error=type(exc).__name__)
            return "ok"
        return answer.decode() if answer is not None else "ok"
