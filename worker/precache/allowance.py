"""Allowance: what replies made ahead may cost in a day, counted in Redis before each call and corrected after it."""

from datetime import UTC, datetime

import redis
from redis.exceptions import RedisError
from sqlalchemy import Connection

from db import report
from worker.log import logger
from worker.redisdb.keys import BUDGET, DAY_S
from worker.settings import Settings
from worker.telemetry.report import AHEAD
from worker.units import microusd, utc_day

#: Where nothing is set: this part of what yesterday cost.
SHARE_OF_YESTERDAY = 10
log = logger(__name__)


class Allowance:
    """The day's money for replies made ahead, apart from the budgets of all calls, which hold as well. What a process
    has set aside when it is killed counts as spent until the day is over.

    Args:
        day_microusd: of a UTC day, for the whole fleet.
    """

    def __init__(self, client: redis.Redis, day_microusd: int) -> None:
        self._client = client
        self._day_microusd = day_microusd
        self._key = spent_key()

    @property
    def any(self) -> bool:
        """Returns whether there is any money at all for this."""
        return self._day_microusd > 0

    def reserve(self, most_microusd: int) -> bool:
        """Sets money aside for one call at its highest likely price; False where it does not reach, or Redis is away:
        what nobody waits for can be left.
        """
        return self._add(most_microusd, at_most=self._day_microusd)

    def settle(self, most_microusd: int, spent_microusd: int) -> None:
        """Corrects what was set aside to what the call has cost."""
        self._add(spent_microusd - most_microusd)

    def _add(self, amount_microusd: int, at_most: int | None = None) -> bool:
        try:
            pipeline = self._client.pipeline(transaction=False)
            pipeline.incrby(self._key, amount_microusd)
            pipeline.expire(self._key, 2 * DAY_S)
            spent, _ = pipeline.execute()
            if at_most is not None and spent > at_most:
                self._client.decrby(self._key, amount_microusd)
                return False
        except RedisError as exc:
            log.warning("allowance_unavailable", error=type(exc).__name__)
            return False
        return True


def day_microusd(connection: Connection, settings: Settings) -> int:
    """Returns what may be spent today: PRECACHE_DAILY_USD, or a tenth of what customers cost yesterday (UTC)."""
    if settings.precache_daily_usd is not None:
        return microusd(settings.precache_daily_usd)
    midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    yesterday = report.sums(connection, report.window(connection, DAY_S, midnight))
    return int(sum(row["cost_microusd"] for row in yesterday if row["source"] != AHEAD)) // SHARE_OF_YESTERDAY


def spent_key() -> str:
    """Returns the key under which the day's spending is counted."""
    return BUDGET.key(f"precache:{utc_day()}")
