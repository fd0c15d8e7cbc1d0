"""Product of the catalogue, and the facts about it that a model is told. Pure: no I/O."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

from msgspec import Struct

#: Piece, kilogram, litre.
Unit = Literal["u", "kg", "l"]
#: Up to this many a product counts as "few" (as in `availability_v1.sql`); the exact stock stays out, so that a sale
#: keeps the cache.
FEW_IN_STOCK = 5


class ProductFacts(Struct, frozen=True):
    """Facts about a product that stand in a request; their order is part of the request, and so of its cache key."""

    id: int
    name: str
    price: str
    currency: str
    availability: str


class Product(Struct, frozen=True):
    """Product as a search finds it.

    Args:
        price: of one unit, a decimal text.
        stock: in units; None: the shop does not count it, it is always there.
        step: least difference of two quantities of it.
        active: whether it is sold at the moment; what a search finds is.
    """

    id: int
    name: str
    brand: str | None
    category: str
    format: str | None
    currency: str
    stock: Decimal | None
    price: str
    # With defaults, since turns under way and cached searches of the version before have none of these.
    sku: str = ""
    unit: Unit = "u"
    step: Decimal = Decimal(1)
    active: bool = True

    @property
    def full_name(self) -> str:
        """Name, brand and format, as customers know it."""
        return " ".join(filter(None, (self.name, self.brand, self.format)))

    @property
    def facts(self) -> ProductFacts:
        """The facts that a model is told."""
        return ProductFacts(self.id, self.full_name, self.price, self.currency, availability(self.stock))

    def has(self, quantity: Decimal | int) -> bool:
        """Returns whether so much of it is left, as far as the shop counts."""
        return self.stock is None or quantity <= self.stock


def availability(stock: Decimal | None) -> str:
    """none, few or available."""
    if stock is None:
        return "available"
    if stock <= 0:
        return "none"
    return "few" if stock <= FEW_IN_STOCK else "available"
