"""Price lists in other ways of writing: figures, separators, encodings."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from helpers.basics import SHARED_DATA

from worker.catalog.price_list import Writing, read_products
from worker.errors import CommandError

SHOP_FILE = SHARED_DATA / "catalog" / "supermarket_es.csv"
HEADER = "sku;name;category;price;currency;stock\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where a shop's file would be."""
    return tmp_path / "products.csv"


def one_row(price: str = "10", currency: str = "ARS", stock: str = "5") -> str:
    """A list of one product, as a spreadsheet in Spanish saves it."""
    return f"{HEADER}A;Leche Ñandú;Lácteos;{price};{currency};{stock}\n"


def refusal(file: Path, content: str | bytes, writing: Writing | None = None) -> str:
    """What a person is told of a file with this content; the place of the file is left out."""
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(CommandError) as caught:
        read_products(file, writing)
    return str(caught.value).removeprefix(str(file)).lstrip(",: ")


def price(file: Path, content: str, writing: Writing | None = None) -> str:
    """The price of the only product."""
    file.write_text(content, "utf-8")
    (row,) = read_products(file, writing)
    return str(row["price"])


@pytest.mark.parametrize(
    ("written", "stored"),
    [("1850.00", "1850.00"), ("1.850,00", "1850.00"), ("1850,5", "1850.50"), ("1850.000", "1850.00"), ("-0", "0.00")],
)
def test_figures_with_one_reading(file: Path, written: str, stored: str) -> None:
    """Decimal comma or point, thousands or none."""
    assert price(file, one_row(written)) == stored


@pytest.mark.parametrize("written", ["1.850", "1,850", "12.500", "8,734"])
def test_a_price_that_can_be_read_in_two_ways(file: Path, written: str) -> None:
    """Refused with row, column and both readings, also where another row shows which is likely."""
    told = refusal(file, one_row("1850,50") + f"B;Pan;Pan;{written};ARS;1\n")
    assert told.startswith(f'line 3: column price: "{written}" can be read as ')
    assert all(f"(--decimal {name})" in told for name in ("comma", "point"))


def test_the_named_sign_decides(file: Path) -> None:
    """And what it leaves too many decimals of is refused, never rounded."""
    assert price(file, one_row("1.850"), Writing("comma")) == "1850.00"
    assert price(file, one_row("1,850"), Writing("point")) == "1850.00"
    assert price(file, one_row("1.850"), Writing("point")) == "1.85"
    assert "no more than 2 decimal places" in refusal(file, one_row("8.734"), Writing("point"))
    assert "no number with a decimal comma" in refusal(file, one_row("1850.00"), Writing("comma"))


@pytest.mark.parametrize(
    ("written", "currency", "reason"),
    [
        ("0,999", "ARS", "no more than 2 decimal places"),
        ("1234.567", "EUR", "no more than 2 decimal places"),
        ("1850,50", "CLP", "CLP has no decimals"),
        ("12345678901", "ARS", "no more than 10 digits before the decimal point"),
    ],
)
def test_nothing_is_rounded_or_cut(file: Path, written: str, currency: str, reason: str) -> None:
    """More decimals than the currency has or the column holds, and more digits."""
    told = refusal(file, one_row(written, currency))
    assert told.startswith("line 2: column price: ")
    assert reason in told


def test_a_currency_without_decimals(file: Path) -> None:
    """Noughts are none."""
    assert price(file, one_row("1850,00", "CLP")) == "1850.00"
    assert price(file, one_row("1.850", "CLP"), Writing("comma")) == "1850.00"


@pytest.mark.parametrize(
    ("stock", "reason"), [("2,5", "valid integer"), ("1.850", "can be read as"), ("12.000", "1200")]
)
def test_a_stock_that_is_no_whole_number(file: Path, stock: str, reason: str) -> None:
    """Or could be two."""
    told = refusal(file, one_row(stock=stock))
    assert told.startswith("line 2: column stock: ")
    assert reason in told


def test_a_whole_stock(file: Path) -> None:
    """With noughts after the comma, or with the thousands that were named."""
    file.write_text(one_row(stock="5,00"), "utf-8")
    assert read_products(file)[0]["stock"] == "5"
    file.write_text(one_row(stock="1.500"), "utf-8")
    assert read_products(file, Writing("comma"))[0]["stock"] == "1500"


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_the_separator_is_seen_in_the_header(file: Path, separator: str) -> None:
    """It is what most of the known columns stand between."""
    file.write_text(one_row().replace(";", separator), "utf-8")
    assert read_products(file)[0]["name"] == "Leche Ñandú"


def test_a_named_separator(file: Path) -> None:
    """Is the only one that counts."""
    file.write_text(one_row(), "utf-8")
    assert read_products(file, Writing(separator="semicolon"))[0]["sku"] == "A"
    assert refusal(file, one_row(), Writing(separator="comma")).startswith("line 2: column ")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_encodings_that_say_what_they_are(file: Path, encoding: str) -> None:
    """UTF-8, and what begins with a byte order mark."""
    file.write_bytes(one_row().encode(encoding))
    assert read_products(file)[0]["name"] == "Leche Ñandú"


@pytest.mark.parametrize("encoding", ["latin-1", "windows-1252"])
def test_an_encoding_that_has_to_be_named(file: Path, encoding: str) -> None:
    """It cannot be told from others, so it is suggested with what it would make of a word."""
    content = one_row().encode(encoding)
    told = refusal(file, content)
    assert told == (
        'cannot be read: line 2 is not utf-8; if "A;Leche Ñandú;Láct" is right there, say --encoding windows-1252'
    )
    assert read_products(file, Writing(encoding=encoding))[0]["category"] == "Lácteos"
    assert "Ñandú" not in refusal(file, one_row().encode("cp850"))


def test_utf_16_without_a_mark(file: Path) -> None:
    """Is suggested, and read where it is named."""
    content = one_row().encode("utf-16-le")
    assert refusal(file, content).endswith("if it is UTF-16, say --encoding utf-16-le")
    assert read_products(file, Writing(encoding="utf-16-le"))[0]["name"] == "Leche Ñandú"


def test_a_named_encoding_that_does_not_fit(file: Path) -> None:
    """Byte 0x81 is nothing in Windows-1252."""
    assert refusal(file, b"sku\n\x81", Writing(encoding="windows-1252")) == "cannot be read: line 2 is not windows-1252"


@pytest.mark.skipif(not SHOP_FILE.exists(), reason="the shared test data is not beside this checkout")
@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_real_shops_file_written_the_spanish_way(file: Path, encoding: str) -> None:
    """With semicolons and decimal commas it is the same 4,488 products at the same prices."""
    with SHOP_FILE.open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))
    with file.open("w", encoding=encoding, newline="") as written:
        writer = csv.DictWriter(written, list(rows[0]), delimiter=";")
        writer.writeheader()
        writer.writerows(row | {"price": row["price"].replace(".", ",")} for row in rows)
    assert read_products(file) == read_products(SHOP_FILE)
