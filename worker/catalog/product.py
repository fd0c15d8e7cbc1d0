"""Product of the catalogue, and the facts about it that a model is told. Pure: no I/O."""

from __future__ import annotations

from msgspec import Struct

#: Up to this many pieces a product counts as "few"; the exact stock stays out, so that a sale keeps the cache.
FEW_IN_STOCK = 5


class ProductFacts(Struct, frozen=True):
    """Facts about a product that stand in a request; their order is part of the request, and so of its cache key."""

    id: int
    name: str
    price: str
    currency: str
    availability: str


class Product(Struct, frozen=True):
    """Product as a search finds it; `price` is a decimal text, `stock` in pieces."""

    id: int
    name: str
    brand: str | None
    category: str
    format: str | None
    currency: str
    stock: int
    price: str

    @property
    def full_name(self) -> str:
        """Name, brand and format, as customers know it."""
        return " ".join(filter(None, (self.name, self.brand, self.format)))

    @property
    def facts(self) -> ProductFacts:
        """The facts that a model is told."""
        return ProductFacts(self.id, self.full_name, self.price, self.currency, availability(self.stock))


def availability(stock: int) -> str:
    """none, few or available."""
    if stock <= 0:
        return "none"
    return "few" if stock <= FEW_IN_STOCK else "available"
