"""Products from a CSV file: reading, checking, importing."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from db import queries
from db.engine import connect
from worker.errors import CommandError

#: Other names under which shops keep these columns.
SYNONYMS = {"id": "sku", "brand_guess": "brand", "category_l1": "category", "category_l2": "subcategory"}
ROWS_PER_STATEMENT = 1_000
#: A price list without a stock column is one of things that are there.
STOCK_UNKNOWN = 100


class ProductRow(BaseModel):
    """One line of the file. Columns: sku (or id), name, category; optional brand, format, price, currency, stock."""

    model_config = ConfigDict(extra="ignore", str_strip_whitespace=True)
    sku: str = Field(min_length=1, max_length=100)
    name: str = Field(min_length=1, max_length=300)
    category: str = Field(min_length=1, max_length=120)
    brand: str = Field("", max_length=300)
    format: str = Field("", max_length=300)
    price: Decimal = Field(ge=0, max_digits=12)
    currency: str = Field("ARS", pattern="^[A-Z]{3}$")
    stock: int = Field(STOCK_UNKNOWN, ge=0, le=2_000_000_000)

    @field_validator("price")
    @classmethod
    def in_cents(cls, value: Decimal) -> Decimal:
        """Two decimals, as prices are stored."""
        return value.quantize(Decimal("0.01"))


def read_products(file: Path) -> list[dict[str, Any]]:
    """All rows of a CSV file with a header (UTF-8, a byte order mark is allowed). Raises CommandError with the line
    and the column of the first mistake: nothing of a file with mistakes is imported.
    """
    try:
        with file.open(encoding="utf-8-sig", newline="") as lines:
            rows = list(_rows(csv.DictReader(lines), file))
    except (OSError, UnicodeDecodeError, csv.Error) as exc:
        raise CommandError(f"{file}: cannot be read: {exc}") from exc
    if not rows:
        raise CommandError(f"{file}: has no products; a header with sku, name, category and price is needed")
    return rows


def _rows(reader: csv.DictReader[str], file: Path) -> Iterator[dict[str, Any]]:
    header = list(reader.fieldnames or ())
    # Spreadsheets fill up with empty columns, in the header too.
    while header and not header[-1].strip():
        header.pop()
    reader.fieldnames = header
    names = [SYNONYMS.get(name, name) for name in header]
    if twice := [name for name in ProductRow.model_fields if names.count(name) > 1]:
        raise CommandError(f"{file}: more than one column of the header is for {twice[0]}")
    seen: set[str] = set()
    for raw in reader:
        row = _checked(raw, f"{file}, line {reader.line_num}")
        if any(cell.strip() for cell in raw.get(reader.restkey, ())):
            raise CommandError(
                f"{file}, line {reader.line_num}: has more columns than the header; a price is written with a point "
                "(1890.50), and a field with a comma in it stands between quotes"
            )
        if row["sku"] in seen:
            raise CommandError(f"{file}, line {reader.line_num}: sku {row['sku']} stands twice")
        seen.add(row["sku"])
        yield row


def _checked(raw: Mapping[str | Any, Any], place: str) -> dict[str, Any]:
    if any(isinstance(value, str) and "\0" in value for value in raw.values()):
        raise CommandError(f"{place}: holds a NUL character")
    given = {SYNONYMS.get(name, name): value for name, value in raw.items() if name and value not in (None, "")}
    try:
        return ProductRow.model_validate(given).model_dump(mode="json")
    except ValidationError as exc:
        error = exc.errors()[0]
        column = ".".join(str(part) for part in error["loc"])
        raise CommandError(f"{place}: column {column}: {error['msg']}") from None


def import_products(url: str, rows: Sequence[dict[str, Any]], progress: Callable[[int], None]) -> None:
    """Inserts or updates all rows by sku in one transaction; `progress` is told how many more are in."""
    with connect(url) as connection, connection.begin():
        for first in range(0, len(rows), ROWS_PER_STATEMENT):
            part = list(rows[first : first + ROWS_PER_STATEMENT])
            queries.put_products(connection, part)
            progress(len(part))
