"""Price lists: CSV files with products, read, checked, compared with the prices of before, and imported."""

from __future__ import annotations

import csv
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator, model_validator
from pydantic_core import PydanticCustomError

from db.engine import connect
from db.products import lock_products, put_products, stored_prices
from worker.catalog.csv_files import read_text, reader_of
from worker.catalog.numbers import AmbiguousFigure, NoFigure, figure
from worker.errors import CommandError
from worker.language.normalise import without_accents

#: Other names under which shops keep these columns.
SYNONYMS = {"id": "sku", "brand_guess": "brand", "category_l1": "category", "category_l2": "subcategory"}
ROWS_PER_STATEMENT = 1_000
#: The three units that products are sold by.
UNITS: Final = ("u", "kg", "l")
#: Least difference of two quantities where the price list names none, by unit.
STEPS: Final = {"u": Decimal(1), "kg": Decimal("0.05"), "l": Decimal("0.05")}
UNIT_OF: Final = {
    word: unit
    for unit, words in tomllib.loads((Path(__file__).parent / "units.toml").read_text("utf-8")).items()
    for word in words
}
WITHOUT_DECIMALS: Final = frozenset(
    tomllib.loads((Path(__file__).parent / "currencies.toml").read_text("utf-8"))["without_decimals"]
)
#: A price may become this many times as high or as low without a question: often a comma was taken for a point.
FACTOR = 5


@dataclass(frozen=True, slots=True)
class Writing:
    """Notation of a price list; None is found out, or refused where two ways are possible.

    Args:
        decimal: `comma` or `point`.
        encoding: a name that Python knows.
        separator: a name of `SEPARATORS`.
    """

    decimal: str | None = None
    encoding: str | None = None
    separator: str | None = None


class ProductRow(BaseModel):
    """Line of a price list. Columns: sku (or id), name, category, price; optional brand, format, currency, unit, stock,
    step. A stock of None is one that the shop does not count: always there.
    """

    model_config = ConfigDict(extra="ignore", str_strip_whitespace=True)
    sku: str = Field(min_length=1, max_length=100)
    name: str = Field(min_length=1, max_length=300)
    category: str = Field(min_length=1, max_length=120)
    brand: str = Field("", max_length=300)
    format: str = Field("", max_length=300)
    # Before the price, whose decimals it decides.
    currency: str = Field("ARS", pattern="^[A-Z]{3}$")
    price: Decimal = Field(ge=0, max_digits=12, decimal_places=2)
    # Before stock and step, which are whole numbers where it is a piece.
    unit: str = "u"
    stock: Decimal | None = Field(None, ge=0, le=100_000_000, decimal_places=3)
    step: Decimal | None = Field(None, gt=0, le=1_000, decimal_places=3)

    @field_validator("price", "stock", "step", mode="before")
    @classmethod
    def one_reading(cls, value: str, info: ValidationInfo) -> Decimal:
        """Reads a figure that can be read in one way only, or in the way that the operator has named."""
        try:
            return figure(value.strip(), (info.context or Writing()).decimal)
        except (NoFigure, AmbiguousFigure) as exc:
            raise PydanticCustomError("figure", "{problem}", {"problem": str(exc)}) from exc

    @field_validator("unit", mode="before")
    @classmethod
    def known_unit(cls, value: str) -> str:
        """Reads a unit by any of its names."""
        if unit := UNIT_OF.get(without_accents(value.strip().lower()).removesuffix(".")):
            return unit
        raise PydanticCustomError("unit", "is none of {units}", {"units": ", ".join(UNITS)})

    @field_validator("stock", "step")
    @classmethod
    def whole_pieces(cls, value: Decimal | None, info: ValidationInfo) -> Decimal | None:
        """Takes fractions of a kilogram or a litre, none of a piece."""
        if value is None:
            return None
        if info.data.get("unit") == "u" and value != value.to_integral_value():
            raise PydanticCustomError("pieces", "is no valid integer, and the product is sold by the piece")
        return value.quantize(Decimal(1)) if value == value.to_integral_value() else value.normalize()

    @model_validator(mode="after")
    def usual_step(self) -> ProductRow:
        """Gives a product without a step that of its unit."""
        self.step = self.step or STEPS[self.unit]
        return self

    @field_validator("price")
    @classmethod
    def in_cents(cls, value: Decimal, info: ValidationInfo) -> Decimal:
        """Takes two decimals, as prices are stored; none that count where the currency has none."""
        if info.data.get("currency") in WITHOUT_DECIMALS and value != value.to_integral_value():
            raise PydanticCustomError("decimals", "{currency} has no decimals", {"currency": info.data["currency"]})
        return abs(value.quantize(Decimal("0.01")))


COLUMNS: Final = frozenset(ProductRow.model_fields) | SYNONYMS.keys()


def read_products(file: Path, writing: Writing | None = None) -> list[dict[str, Any]]:
    """Returns all rows of a CSV file with a header. Raises CommandError with line and column of the first mistake:
    nothing of a file with mistakes is imported.
    """
    writing = writing or Writing()
    text = read_text(file, writing.encoding)
    try:
        rows = list(_rows(reader_of(text, writing.separator, COLUMNS), file, writing))
    except csv.Error as exc:
        raise CommandError(f"{file}: cannot be read: {exc}") from exc
    if not rows:
        raise CommandError(f"{file}: has no products; a header with sku, name, category and price is needed")
    return rows


def _rows(reader: csv.DictReader[str], file: Path, writing: Writing) -> Iterator[dict[str, Any]]:
    header = _header(reader, file)
    reader.fieldnames = header
    seen: set[str] = set()
    for raw in reader:
        place = f"{file}, line {reader.line_num}"
        row = _checked(raw, place, writing)
        if any(cell.strip() for cell in raw.get(reader.restkey, ())):
            raise CommandError(
                f"{place}: has more columns than the header; a field with the separator in it, as 1890,50 where that "
                "is a comma, stands between quotes"
            )
        if row["sku"] in seen:
            raise CommandError(f"{place}: sku {row['sku']} stands twice")
        seen.add(row["sku"])
        yield row


def _header(reader: csv.DictReader[str], file: Path) -> list[str]:
    header = [name.strip() for name in reader.fieldnames or ()]
    # Spreadsheets fill up with empty columns, in the header too.
    while header and not header[-1]:
        header.pop()
    names = [SYNONYMS.get(name, name) for name in header]
    if twice := [name for name in ProductRow.model_fields if names.count(name) > 1]:
        raise CommandError(f"{file}: more than one column of the header is for {twice[0]}")
    return header


def _checked(raw: Mapping[str | Any, Any], place: str, writing: Writing) -> dict[str, Any]:
    if any(isinstance(value, str) and "\0" in value for value in raw.values()):
        raise CommandError(f"{place}: holds a NUL character")
    given = {SYNONYMS.get(name, name): value for name, value in raw.items() if name and value not in (None, "")}
    try:
        return ProductRow.model_validate(given, context=writing).model_dump(mode="json")
    except ValidationError as exc:
        error = exc.errors()[0]
        column = ".".join(str(part) for part in error["loc"])
        raise CommandError(f"{place}: column {column}: {error['msg']}") from None


def import_products(url: str, rows: Sequence[dict[str, Any]], progress: Callable[[int], None]) -> None:
    """Inserts or updates all rows by sku in one transaction; calls `progress` with how many more are in."""
    with connect(url) as connection, connection.begin():
        # All at once and before anything changes, so that no sale waits for the import while the import waits for it.
        lock_products(connection, [row["sku"] for row in rows])
        for first in range(0, len(rows), ROWS_PER_STATEMENT):
            part = list(rows[first : first + ROWS_PER_STATEMENT])
            put_products(connection, part)
            progress(len(part))


def steep_changes(url: str, rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Returns a line for each price that rows of `read_products` would change by more than the factor, or to another
    currency, in their order.
    """
    with connect(url) as connection:
        stored = stored_prices(connection, [row["sku"] for row in rows])
    lines: list[str] = []
    for row in rows:
        before, currency = stored.get(row["sku"], (None, ""))
        # Two currencies cannot be compared without a rate.
        if before is not None and (row["currency"] != currency or is_steep(before, Decimal(row["price"]))):
            lines.append(f"{row['sku']}  {row['name']}: {before} {currency} -> {row['price']} {row['currency']}")
    return lines


def is_steep(before: Decimal, after: Decimal) -> bool:
    """Returns whether the larger is more than FACTOR times the smaller, as a change from or to nothing always is."""
    low, high = sorted((before, after))
    return high > low * FACTOR
