"""Units of the figures: micro-dollars of money, days and months of UTC. Pure: no I/O."""

import time
from decimal import Decimal

#: Money is summed in whole micro-dollars, so that sums in SQL and Redis stay exact.
MICROUSD_PER_USD = 1_000_000


def usd(microusd: int) -> float:
    """Returns micro-dollars as dollars."""
    return microusd / MICROUSD_PER_USD


def microusd(amount_usd: Decimal) -> int:
    """Returns dollars as whole micro-dollars, rounded down."""
    return int(amount_usd * MICROUSD_PER_USD)


def utc_day(at_s: float | None = None) -> str:
    """Returns the UTC day of a time in seconds since 1970 (None: now), like 2026-11-30."""
    return time.strftime("%Y-%m-%d", time.gmtime(at_s))


def utc_month(at_s: float | None = None) -> str:
    """Returns the UTC month of a time in seconds since 1970 (None: now), like 2026-11."""
    return time.strftime("%Y-%m", time.gmtime(at_s))
