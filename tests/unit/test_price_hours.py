"""How far ahead replies are made, by the hours of a price."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

from worker.precache.price_hours import LONGEST_H, horizon_h, price_of
from worker.providers.models import Model, Price, Provider, week_hours

DEAR, CHEAP = (Price(Decimal(cost), Decimal(cost), Decimal(cost)) for cost in (2, 1))
PEAK = Price(Decimal(2), Decimal(2), Decimal(2), hours=(week_hours("Mon-Sun 09:00-12:00"),))


def provider(*prices: Price, name: str = "one", key_name: str | None = None) -> Provider:
    """A provider of one model for everything."""
    complexities = ("simple", "medium", "complex")
    model = Model("m", prices)
    return Provider(name, "openai", "http://x", "", None, key_name, None, complexities, 1.0, 1.0, (model,))


def at(hour: int, minute: int = 0) -> datetime:
    """On some Monday."""
    return datetime(2026, 11, 30, hour, minute, tzinfo=UTC)


def test_a_price_that_stays_is_paid_for_a_day() -> None:
    """As long as a reply is kept that nobody asks for."""
    assert horizon_h([provider(CHEAP)], "simple", at(9)) == LONGEST_H


def test_at_the_peak_only_what_cannot_wait() -> None:
    """Until the hour in which it is cheaper; off-peak for the whole day."""
    known = [provider(CHEAP, PEAK)]
    assert [horizon_h(known, "simple", at(*time)) for time in ((9, 0), (10, 30), (11, 59), (12, 0), (8, 0))] == [
        3,
        2,
        1,
        LONGEST_H,
        LONGEST_H,
    ]


def test_without_a_usable_provider_there_is_nothing() -> None:
    """Its key is not known here."""
    unusable = [provider(CHEAP, key_name="KEY")]
    assert horizon_h(unusable, "simple", at(9)) == 0
    assert price_of(unusable, "simple", at(9)) is None


def test_what_a_hit_saves_is_the_price_at_its_hour() -> None:
    """Made off-peak and asked for at the peak."""
    known = [provider(CHEAP, PEAK), provider(DEAR, name="two")]
    assert price_of(known, "simple", at(8)) == CHEAP
    assert price_of(known, "simple", at(10)) == PEAK
