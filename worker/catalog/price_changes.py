"""Prices that a price list changes so much that somebody should look: often a comma was taken for a point."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from db import queries
from db.engine import connect

#: A price may become this many times as high or as low without a question.
FACTOR = 5


@dataclass(frozen=True, slots=True)
class SteepChange:
    """A product whose price changes by more than the factor, or to another currency."""

    sku: str
    name: str
    before: Decimal
    currency_before: str
    after: Decimal
    currency: str

    def __str__(self) -> str:
        """One line for the operator."""
        return f"{self.sku}  {self.name}: {self.before} {self.currency_before} -> {self.after} {self.currency}"


def steep_changes(url: str, rows: Sequence[Mapping[str, Any]]) -> list[SteepChange]:
    """What rows of `read_products` would change steeply of what is stored, in their order."""
    with connect(url) as connection:
        stored = queries.stored_prices(connection, [row["sku"] for row in rows])
    return list(_steep(rows, stored))


def _steep(rows: Sequence[Mapping[str, Any]], stored: Mapping[str, tuple[Decimal, str]]) -> Iterator[SteepChange]:
    for row in rows:
        if row["sku"] in stored:
            before, currency = stored[row["sku"]]
            change = SteepChange(row["sku"], row["name"], before, currency, Decimal(row["price"]), row["currency"])
            # Two currencies cannot be compared without a rate.
            if change.currency != currency or is_steep(before, change.after):
                yield change


def is_steep(before: Decimal, after: Decimal) -> bool:
    """Whether the larger is more than FACTOR times the smaller; from or to nothing always is, where it is a change."""
    low, high = sorted((before, after))
    return high > low * FACTOR
