"""Prices of what nobody waits for: where it is cheapest, and how far ahead it is worth answering now. Pure: no I/O."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from worker.language.classifier import COMPLEX, MEDIUM, SIMPLE
from worker.providers.models import Price, Provider, candidates

#: A reply that nobody asks for leaves the cache after so many hours.
LONGEST_H = 24
#: Complexities whose models can answer one, its own first: who answers hard messages answers simple ones too.
ABLE = {SIMPLE: (SIMPLE, MEDIUM, COMPLEX), MEDIUM: (MEDIUM, COMPLEX), COMPLEX: (COMPLEX,)}


#: A model for harder messages is asked where its output costs less than this part: what the other one reads from its
#: prompt cache may be worth as much as a smaller difference.
MUCH_CHEAPER = Decimal("0.5")


def cheapest(providers: Sequence[Provider], complexity: str, now: datetime) -> str:
    """Returns the complexity, of those that can answer this one, whose model is much cheaper now; else this one. A
    customer's call goes to the model that was chosen for it; this one has time.
    """
    prices = {able: price for able in ABLE[complexity] if (price := price_of(providers, able, now))}
    able = min(prices, key=lambda able: _by_price(prices[able]), default=complexity)
    much = able in prices and prices[able].output_usd < MUCH_CHEAPER * prices[complexity].output_usd
    return able if much else complexity


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
    return next((n for n, hour in enumerate(hours, 1) if _by_price(model.price_at(hour)) < _by_price(price)), LONGEST_H)


def _by_price(price: Price) -> tuple[Decimal, Decimal]:
    return (price.output_usd, price.input_usd)


def price_of(providers: Sequence[Provider], complexity: str, at: datetime) -> Price | None:
    """Price of a customer's call at a moment, at the provider that is asked first; None without one."""
    asked = candidates(providers, complexity, at.astimezone(UTC))
    return asked[0].models[0].price_at(at) if asked else None
