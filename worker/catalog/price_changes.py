"""Steep changes of price that a price list would make: often a comma was taken for a point."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from db.engine import connect
from db.products import stored_prices

#: A price may become this many times as high or as low without a question.
FACTOR = 5


@dataclass(frozen=True, slots=True)
class SteepChange:
    """Product whose price changes by more than the factor, or to another currency."""

    sku: str
    name: str
    before: Decimal
    currency_before: str
    after: Decimal
    currency: str

    def __str__(self) -> str:
        """Returns one line for the operator."""
        return f"{self.sku}  {self.name}: {self.before} {self.currency_before} -> {self.after} {self.currency}"


def steep_changes(url: str, rows: Sequence[Mapping[str, Any]]) -> list[SteepChange]:
    """Returns the steep changes that rows of `read_products` would make, in their order."""
    with connect(url) as connection:
        stored = stored_prices(connection, [row["sku"] for row in rows])
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
    """Returns whether the larger is more than FACTOR times the smaller, as a change from or to nothing always is."""
    low, high = sorted((before, after))
    return high > low * FACTOR
