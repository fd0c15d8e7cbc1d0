"""The shop's money: a monthly and a daily budget and a limit per customer, kept in Redis, founded on PostgreSQL."""

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
from worker.providers.clock import SYSTEM_CLOCK, Clock
from worker.providers.models import Price
from worker.providers.pricing import cost_microusd, estimate_tokens
from worker.redisdb.coalescing import CoalescingRedis
from worker.redisdb.keys import BUDGET, BUDGET_RESERVED, CALL_LIMIT
from worker.replies.prompt import AiRequest
from worker.units import utc_day, utc_month
from worker.usage import Usage

SCRIPT = Path(__file__).with_name("budget.lua").read_text(encoding="utf-8")
#: A reservation of a worker that died lapses after this time: longer than any call may take.
RESERVATION_MS = 120_000
log = logger(__name__)


@dataclass(frozen=True, slots=True)
class BudgetLimits:
    """Micro-dollars per calendar month and day (UTC), None for no limit; calls per customer and hour."""

    month_microusd: int | None
    day_microusd: int | None
    calls_per_customer_hour: int


class Reservation(Struct, frozen=True):
    """Money set aside for one call; `periods` are the month and day it is booked on."""

    id: str
    amount_microusd: int
    periods: tuple[str, str]


class Budget:
    """Money of the shop's calls: a reservation before a call, its settlement after. At most the calls under way can
    exceed a budget, and only by what they cost more than was estimated. Where Redis does not answer calls are allowed:
    an outage must not silence the shop.

    Args:
        client: settlements go fire-and-forget where it coalesces.
        spent_so_far: returns micro-dollars of this month and of this day according to PostgreSQL.
    """

    def __init__(
        self,
        client: redis.Redis,
        limits: BudgetLimits,
        spent_so_far: Callable[[], tuple[int, int]],
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._client = client
        self._script = client.register_script(SCRIPT)
        background = client.fire_and_forget() if isinstance(client, CoalescingRedis) else client
        self._settle_script = background.register_script(SCRIPT)
        self._limits = limits
        self._spent_so_far = spent_so_far
        self._clock = clock
        # Ids of reservations: to ask the system for a random number for each would let another thread go on first.
        self._process, self._numbers = uuid4().hex, count()

    def reserve(self, provider: str, price: Price, request: AiRequest, customer: str) -> Reservation | None:
        """Reserves one call at its highest likely price; None where a budget or the customer's limit is used up.

        Args:
            customer: empty for a call that is nobody's.
        """
        usage = Usage(estimate_tokens(request.text), 0, request.max_output_tokens)
        id_ = f"{self._process}-{next(self._numbers)}"
        held = Reservation(id_, cost_microusd(price, usage), self._periods())
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
        return frozenset(name for name, calls in zip(names, counts, strict=True) if int(calls or 0) >= most)

    def settle(self, held: Reservation, spent_microusd: int) -> None:
        """Books what the call really cost, and frees the reservation."""
        self._run(self._settle_script, held.periods, "", "settle", held.id, held.amount_microusd, spent_microusd)

    def add(self, spent_microusd: int) -> None:
        """Books a call that nothing was reserved for."""
        self.settle(Reservation("", 0, self._periods()), spent_microusd)

    def seed(self) -> None:
        """Raises both periods' sums to what PostgreSQL knows: after Redis lost them, and now and then to be sure."""
        self._run(self._script, self._periods(), "", "seed", *self._spent_so_far())

    def _reserve(self, held: Reservation, customer: str) -> str:
        limits = self._limits
        budgets = [-1 if amount is None else amount for amount in (limits.month_microusd, limits.day_microusd)]
        call = held.id, held.amount_microusd, RESERVATION_MS
        most = limits.calls_per_customer_hour if customer else -1
        return self._run(self._script, held.periods, customer, "reserve", *call, *budgets, most)

    def _periods(self) -> tuple[str, str]:
        now_s = self._clock.now().timestamp()
        return utc_month(now_s), utc_day(now_s)

    def _run(self, script: Script, periods: tuple[str, str], customer: str, *arguments: str | int) -> str:
        keys = [BUDGET.key(periods[0]), BUDGET.key(periods[1]), BUDGET_RESERVED.pattern, CALL_LIMIT.key(customer)]
        try:
            answer: bytes | None = script(keys=keys, args=arguments)
        except RedisError as exc:
            log.warning("budget_unavailable", error=type(exc).__name__)
            return "ok"
        return answer.decode() if answer is not None else "ok"
