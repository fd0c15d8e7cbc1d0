"""Hours of prices: how far ahead it is worth answering now. Pure: no I/O."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from worker.providers.models import Price, Provider, candidates

#: A reply that nobody asks for leaves the cache after so many hours.
LONGEST_H = 24


def horizon_h(providers: Sequence[Provider], complexity: str, now: datetime) -> int:
    """Returns for how many of the next hours replies are made now: until they are cheaper, at most as long as they are
    kept.
    """
    asked = candidates(providers, complexity, now)
    if not asked:
        return 0
    model = asked[0].models[0]
    price = model.price_at(now)
    hours = (now.replace(minute=0, second=0, microsecond=0) + timedelta(hours=n) for n in range(1, LONGEST_H))
    return next((n for n, hour in enumerate(hours, 1) if _cheaper(model.price_at(hour), price)), LONGEST_H)


def _cheaper(one: Price, other: Price) -> bool:
    return (one.output_usd, one.input_usd) < (other.output_usd, other.input_usd)


def price_of(providers: Sequence[Provider], complexity: str, at: datetime) -> Price | None:
    """Price of a customer's call at a moment, at the provider that is asked first; None without one."""
    asked = candidates(providers, complexity, at.astimezone(UTC))
    return asked[0].models[0].price_at(at) if asked else None
