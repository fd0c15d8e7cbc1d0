"""What a model, and a cart, is told of a product. Pure thought."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

#: Up to this many pieces a product counts as "few"; the exact stock stays out, so that a sale keeps the cache.
FEW_IN_STOCK = 5


def availability(stock: int) -> str:
    """none, few or available."""
    if stock <= 0:
        return "none"
    return "few" if stock <= FEW_IN_STOCK else "available"


def product_facts(product: Mapping[str, Any]) -> dict[str, Any]:
    """What a model is told of a product."""
    return {
        "id": product["id"],
        "name": " ".join(filter(None, (product["name"], product["brand"], product["format"]))),
        "price": product["price"],
        "currency": product["currency"],
        "availability": availability(product["stock"]),
    }
