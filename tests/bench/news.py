"""What changes in a replayed shop from one day to the next: prices, promotions, the list itself. Pure, from a seed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from random import Random
from typing import Any, Final

Row = dict[str, Any]
#: Of all products, and by how much their prices change at most.
CHANGED: Final = 0.2
LOWEST, HIGHEST = Decimal("0.85"), Decimal("1.20")
#: Of all products so many are on promotion for one day, for this part of their price.
PROMOTED: Final = 0.01
PROMOTION: Final = Decimal("0.70")
#: The day, counted from 0, before which a new list comes, and the parts of all products that it brings and takes away.
LIST_DAY: Final = 2
COMING, LEAVING = 0.05, 0.05


@dataclass(frozen=True, slots=True)
class ShopDay:
    """What is on the price list of a day, and what of it is on promotion."""

    products: Sequence[Row]
    promoted: Sequence[Row] = ()


def shop_days(products: Sequence[Row], seed: int, days: int) -> tuple[ShopDay, ...]:
    """Returns the days of one shop. Every night a fifth of the prices change, and others are promoted; before the third
    day a new list comes, on which what the shop sells no longer is sold out.
    """
    rng = Random(seed)
    coming = {row["sku"] for row in _share(rng, products, COMING)}
    usual = [row for row in products if row["sku"] not in coming]
    found = [ShopDay(usual)]
    for day in range(1, days):
        usual = [_other_price(rng, row) if rng.random() < CHANGED else row for row in usual]
        if day == LIST_DAY:
            leaving = {row["sku"] for row in _share(rng, usual, LEAVING)}
            usual = [row | {"stock": "0"} if row["sku"] in leaving else row for row in usual]
            usual += [row for row in products if row["sku"] in coming]
        promoted = {row["sku"]: _priced(row, PROMOTION) for row in _share(rng, usual, PROMOTED)}
        found.append(ShopDay([promoted.get(row["sku"], row) for row in usual], list(promoted.values())))
    return tuple(found)


def _share(rng: Random, products: Sequence[Row], share: float) -> list[Row]:
    return rng.sample(list(products), max(1, round(share * len(products))))


def _other_price(rng: Random, row: Row) -> Row:
    return _priced(row, LOWEST + (HIGHEST - LOWEST) * Decimal(rng.randrange(1_000)) / 1_000)


def _priced(row: Row, factor: Decimal) -> Row:
    price = (Decimal(str(row["price"])) * factor).quantize(Decimal("0.01"))
    return row | {"price": type(row["price"])(price)}
