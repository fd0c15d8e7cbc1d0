"""Products from a shop's CSV file."""

from __future__ import annotations

from pathlib import Path

import pytest
from helpers.basics import SHARED_DATA

from worker.catalog.price_list import Writing, read_products
from worker.devkit.demo import CATALOG
from worker.errors import CommandError

HEADER = "sku,name,category,price\n"
SHOP_FILE = SHARED_DATA / "catalog" / "supermarket_es.csv"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where a shop's file would be."""
    return tmp_path / "products.csv"


def refusal(file: Path, content: str | bytes) -> str:
    """What a person is told of a file with this content; the place of the file is left out."""
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(CommandError) as caught:
        read_products(file)
    assert str(caught.value).startswith(str(file))
    assert "\n" not in str(caught.value)
    return str(caught.value).removeprefix(str(file)).lstrip(",: ")


def test_the_least_a_row_needs(file: Path) -> None:
    """What is left out has its default; prices have two decimals."""
    file.write_text(HEADER + "A-1, Leche entera ,Lácteos,1850\n", encoding="utf-8")
    assert read_products(file) == [
        {
            "sku": "A-1",
            "name": "Leche entera",
            "category": "Lácteos",
            "brand": "",
            "format": "",
            "price": "1850.00",
            "currency": "ARS",
            "unit": "u",
            "stock": None,
            "step": "1",
        }
    ]


def test_all_columns_in_any_order_and_unknown_ones(file: Path) -> None:
    """A stock of nothing is not an unknown stock."""
    file.write_text("stock,x,currency,price,format,brand,category,name,sku\n0,y,EUR,1.5,1 L,Sol,Aceites,Aceite,7\n")
    (row,) = read_products(file)
    assert (row["stock"], row["currency"], row["price"], row["format"], row["brand"]) == (
        "0",
        "EUR",
        "1.50",
        "1 L",
        "Sol",
    )
    assert "x" not in row


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("kg,,", ("kg", None, "0.05")),
        ("Kilos,2.5,0.1", ("kg", "2.5", "0.1")),
        ("LT.,7.000,0.250", ("l", "7", "0.25")),
        ("Unidad,12,", ("u", "12", "1")),
        (",,6", ("u", None, "6")),
    ],
)
def test_what_is_sold_by_weight(file: Path, given: str, expected: tuple[str, str | None, str]) -> None:
    """By any name of the unit; a step that is not given is that of the unit."""
    file.write_text(f"sku,name,category,price,unit,stock,step\n1,Jamón,Fiambres,9,{given}\n", "utf-8")
    (row,) = read_products(file, Writing("point"))
    assert (row["unit"], row["stock"], row["step"]) == expected


def test_other_shops_names_for_the_columns(file: Path) -> None:
    """id, brand_guess and category_l1 are understood; a byte order mark and CRLF do not disturb."""
    text = "id,name,brand_guess,category_l1,category_l2,price\r\n7,Aceite,Sol,Aceites,De oliva,4.95\r\n"
    file.write_bytes(b"\xef\xbb\xbf" + text.encode())
    (row,) = read_products(file)
    assert (row["sku"], row["brand"], row["category"]) == ("7", "Sol", "Aceites")


def test_quoted_fields_with_commas_and_lines(file: Path) -> None:
    """As spreadsheets write them."""
    file.write_text(
        HEADER + '1,"Aceite de oliva 0,4º ""extra""","Aceite, especias\ny salsas",22.95\n', encoding="utf-8"
    )
    (row,) = read_products(file)
    assert (row["name"], row["category"]) == ('Aceite de oliva 0,4º "extra"', "Aceite, especias\ny salsas")


@pytest.mark.parametrize(
    ("row", "line", "column"),
    [
        ("2,,Lácteos,10", 3, "name"),
        (",Leche,Lácteos,10", 3, "sku"),
        ("2,Leche,,10", 3, "category"),
        ("2,Leche,Lácteos,", 3, "price"),
        ("2,Leche,Lácteos", 3, "price"),
        ("2,Leche,Lácteos,diez", 3, "price"),
        ('2,Leche,Lácteos,"1.299,00.5"', 3, "price"),
        ("2,Leche,Lácteos,-1", 3, "price"),
        ("2,Leche,Lácteos,NaN", 3, "price"),
        ("2,Leche,Lácteos,Infinity", 3, "price"),
        ("2,Leche,Lácteos,1234567890123", 3, "price"),
        (f"{'2' * 101},Leche,Lácteos,10", 3, "sku"),
        (f"2,{'L' * 301},Lácteos,10", 3, "name"),
        ('2,Leche,"Lác\nteos",diez', 4, "price"),
    ],
)
def test_a_mistake_is_told_with_line_and_column(file: Path, row: str, line: int, column: str) -> None:
    """The first one, without the value; nothing of the file is imported."""
    told = refusal(file, f"{HEADER}1,Arroz,Almacén,10\n{row}\n3,,,\n")
    assert told.startswith(f"line {line}: column {column}: ")
    assert "diez" not in told


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("stock", "-1"),
        ("stock", "2.5"),
        ("stock", "mucho"),
        ("unit", "docena"),
        ("step", "0"),
        ("step", "0.5"),
        ("currency", "$"),
        ("brand", "M" * 301),
        ("format", "1" * 301),
    ],
)
def test_mistakes_in_optional_columns(file: Path, column: str, value: str) -> None:
    """Where they stand they must fit."""
    told = refusal(file, f"sku,name,category,price,{column}\n1,Arroz,Almacén,10,{value}\n")
    assert told.startswith(f"line 2: column {column}: ")


def test_a_sku_that_stands_twice(file: Path) -> None:
    """The second line of it is named; space around it makes no difference."""
    told = refusal(file, f"{HEADER}A,Arroz,Almacén,10\nB,Leche,Lácteos,1\n A ,Arroz,Almacén,11\n")
    assert told == "line 4: sku A stands twice"


def test_more_columns_than_the_header(file: Path) -> None:
    """A decimal comma would make 1,890 pesos of "1890,50". Empty ones at the end, as spreadsheets write, are none."""
    told = refusal(file, f"{HEADER}A,Arroz,Almacén,10\nB,Queso,Lácteos,1890,50\n")
    assert told.startswith("line 3: has more columns than the header")
    padded = "sku,name,category,price,,\n"
    assert refusal(file, f"{padded}B,Queso,Lácteos,1890,50,\n").startswith("line 2: has more columns")
    file.write_text(f"{HEADER}A,Arroz,Almacén,10,, \n", "utf-8")
    assert read_products(file)[0]["price"] == "10.00"


@pytest.mark.parametrize("header", ["sku,sku,name,category,price", "sku,id,name,category,price"])
def test_a_column_that_stands_twice(file: Path, header: str) -> None:
    """Also under another of its names."""
    assert refusal(file, f"{header}\nA,B,Arroz,Almacén,10\n") == "more than one column of the header is for sku"


@pytest.mark.parametrize("content", ["", "\n", HEADER, "sku;name;category;price\n"])
def test_a_file_without_products(file: Path, content: str) -> None:
    """Says what is needed."""
    assert refusal(file, content).startswith("has no products; a header with sku, name, category and price")


@pytest.mark.parametrize("header", ["name,category,price", "sku;name;category;price", "SKU,name,category,price"])
def test_a_missing_column(file: Path, header: str) -> None:
    """Another separator or spelling of the header is a missing column."""
    assert refusal(file, f"{header}\n1,Arroz,Almacén,10\n").startswith("line 2: column ")


def test_what_cannot_be_read_at_all(file: Path, tmp_path: Path) -> None:
    """Another encoding, a directory, nothing there."""
    assert refusal(file, "sku,name\n1,Lácteos".encode("latin-1")).startswith("cannot be read: ")
    for absent in (tmp_path, tmp_path / "absent.csv"):
        with pytest.raises(CommandError, match="cannot be read"):
            read_products(absent)


def test_the_sample_catalogue() -> None:
    """The one the demo imports; every row is complete."""
    rows = read_products(CATALOG)
    assert len(rows) > 50
    assert all(row["brand"] and row["format"] and float(row["price"]) > 0 for row in rows)


@pytest.mark.skipif(not SHOP_FILE.exists(), reason="the shared test data is not beside this checkout")
def test_a_real_shops_file() -> None:
    """4,488 products of a Spanish supermarket, columns under other names, prices in euros."""
    rows = read_products(SHOP_FILE)
    assert len(rows) == 4_488
    assert {row["currency"] for row in rows} == {"EUR"}
    assert len({row["sku"] for row in rows}) == 4_488
