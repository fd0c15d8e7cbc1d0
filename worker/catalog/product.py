"""Product of the catalogue, and the facts about it that a model is told. Pure: no I/O."""

from decimal import Decimal
from typing import Final, Literal

from msgspec import Struct

#: Piece, kilogram, litre.
Unit = Literal["u", "kg", "l"]
#: Up to this many a product counts as "few" (as in `availability_v1.sql`); the exact stock stays out, so that a sale
#: keeps the cache.
FEW_IN_STOCK = 5
#: Unit of what is sold in whole pieces.
PIECES: Final = "u"


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
        stock: in its unit; None: the shop does not count it, it is always there.
        price: of one unit.
        sku: the shop's own id for it.
        step: quantities are multiples of it.
        active: whether it is sold at the moment; what a search finds is.
    """

    id: int
    name: str
    brand: str | None
    category: str
    format: str | None
    currency: str
    stock: Decimal | None
    price: Decimal
    # With defaults, since turns under way and cached searches of the version before have none of these.
    sku: str = ""
    unit: Unit = PIECES
    step: Decimal = Decimal(1)
    active: bool = True

    @property
    def full_name(self) -> str:
        """Name, brand and format, as customers know it."""
        return " ".join(filter(None, (self.name, self.brand, self.format)))

    @property
    def facts(self) -> ProductFacts:
        """The facts that a model is told."""
        unit = "" if self.unit == PIECES else self.unit
        return ProductFacts(self.id, self.full_name, str(self.price), self.currency, availability(self.stock), unit)

    def has(self, quantity: Decimal | int) -> bool:
        """Returns whether so much of it is left, as far as the shop counts."""
        return self.stock is None or quantity <= self.stock


def availability(stock: Decimal | int | None) -> str:
    """none, few or available; what the shop does not count is there."""
    if stock is None:
        return "available"
    if stock <= 0:
        return "none"
    return "few" if stock <= FEW_IN_STOCK else "available"
