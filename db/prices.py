"""The prices that the shop has now, for who is about to change them."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from sqlalchemy import Connection, text

STORED_PRICES = text("select sku, price, currency from products where sku = any (cast(:skus as text[]))")


def stored_prices(connection: Connection, skus: Sequence[str]) -> dict[str, tuple[Decimal, str]]:
    """Price and currency by sku, of those that are there, whether they are sold at the moment or not."""
    rows = connection.execute(STORED_PRICES, {"skus": list(skus)})
    return {sku: (price, currency) for sku, price, currency in rows}
