"""Delivery areas: their prices, and which one an address names. Pure: no I/O."""

import re
from collections.abc import Iterable
from decimal import Decimal

from msgspec import Struct

from worker.language.normalise import without_accents
from worker.shop.hours import Hours

_WORD = re.compile(r"[^\W_]+")


class DeliveryArea(Struct, frozen=True):
    """Area the shop delivers to. What is None is not known.

    Args:
        names: others by which customers call it.
        fee: of a delivery.
        minimum: subtotal of an order below which nothing is delivered.
        free_from: subtotal from which on the delivery costs nothing.
        hours: of deliveries there; None where those of the shop hold.
    """

    name: str
    names: tuple[str, ...] = ()
    fee: Decimal | None = None
    minimum: Decimal | None = None
    free_from: Decimal | None = None
    hours: Hours | None = None

    def fee_of(self, subtotal: Decimal) -> Decimal | None:
        """Returns what the delivery of an order costs, 0 from `free_from` on; None where it is not known."""
        return Decimal(0) if self.free_from is not None and subtotal >= self.free_from else self.fee

    def missed_minimum(self, subtotal: Decimal) -> Decimal | None:
        """Returns the minimum where an order does not reach it, else None."""
        return self.minimum if self.minimum is not None and subtotal < self.minimum else None


def folded(text: str) -> str:
    """Returns the words of a text without case, accents and signs, with a space around each; "Ñuñoa" is "nunoa"."""
    return f" {' '.join(_WORD.findall(without_accents(text).replace('ñ', 'n')))} "


def area_in(text: str, areas: Iterable[DeliveryArea]) -> DeliveryArea | None:
    """Returns the one area that a text names by whole words; none where it names several, for only the customer knows
    which is the street ("San Martín 500, Flores"). "Palermo Soho" names no "Palermo".
    """
    words = folded(text)
    found = [
        (name, area)
        for area in areas
        for name in map(folded, (area.name, *area.names))
        if name in words and name.strip()
    ]
    named = {area.name: area for name, area in found if not any(name != other and name in other for other, _ in found)}
    return next(iter(named.values())) if len(named) == 1 else None
