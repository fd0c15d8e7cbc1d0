"""Product of the catalogue, and the facts about it that a model is told. Pure: no I/O."""

from __future__ import annotations

from decimal import Decimal

from msgspec import Struct

#: Up to this many pieces a product counts as "few"; the exact stock stays out, so that a sale keeps the cache.
FEW_IN_STOCK = 5
#: Unit of what is sold in whole pieces.
PIECES = "u"


class ProductFacts(Struct, frozen=True, omit_defaults=True):
    """Facts about a product that stand in a request; their order is part of the request, and so of its cache key.

    Args:
        price: of one unit, a decimal text.
        unit: kg or l for what is weighed or measured out, absent for pieces.
    """

    id: int
    name: str
    price: str
    currency: str
    availability: str
    unit: str = ""


class Product(Struct, frozen=True):
    """Product as a search finds it.

    Args:
        stock: in its unit, None where the shop does not count it.
        price: of one unit.
        sku: the shop's own id for it.
        unit: u (pieces), kg or l.
        step: quantities are multiples of it.
    """

    id: int
    name: str
    brand: str | None
    category: str
    format: str | None
    currency: str
    stock: Decimal | None
    price: Decimal
    sku: str = ""
    unit: str = PIECES
    step: Decimal = Decimal(1)

    @property
    def full_name(self) -> str:
        """Name, brand and format, as customers know it."""
        return " ".join(filter(None, (self.name, self.brand, self.format)))

    @property
    def facts(self) -> ProductFacts:
        """The facts that a model is told."""
        unit = "" if self.unit == PIECES else self.unit
        return ProductFacts(self.id, self.full_name, str(self.price), self.currency, availability(self.stock), unit)


def availability(stock: Decimal | int | None) -> str:
    """none, few or available; what the shop does not count is there."""
    if stock is None:
        return "available"
    if stock <= 0:
        return "none"
    return "few" if stock <= FEW_IN_STOCK else "available"
