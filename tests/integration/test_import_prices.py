"""`chasqui catalog import` against prices that are there: what changes steeply is asked about."""

from __future__ import annotations

import os
from decimal import Decimal
from pathlib import Path

import pytest
from helpers.basics import Servers
from helpers.command_line import run, run_in, urls_of
from helpers.factories import product, row
from sqlalchemy import Connection

from db.products import put_products
from worker.catalog.price_list import import_products, is_steep, steep_changes

PRICE = "select price::text, currency from products where sku = 'A'"


@pytest.fixture
def shop(connection: Connection) -> Connection:
    """A shop with one product for 1,850 pesos."""
    put_products(connection, [product("A", "Leche", price="1850.00")])
    return connection


def price_list(directory: Path, price: str, currency: str = "ARS") -> str:
    """A file with another price for the product, and a new product."""
    file = directory / "products.csv"
    file.write_text(f"sku;name;category;price;currency\nA;Leche;Almacén;{price};{currency}\nB;Pan;Pan;1;ARS\n", "utf-8")
    return str(file)


@pytest.mark.parametrize(
    ("before", "after", "steep"),
    [
        ("1850", "1.85", True),
        ("10", "50", False),
        ("10", "50.01", True),
        ("10", "2", False),
        ("10", "1.99", True),
        ("0", "5", True),
        ("5", "0", True),
        ("0", "0", False),
    ],
)
def test_what_is_steep(before: str, after: str, steep: bool) -> None:
    """More than five times as high or as low; from or to nothing."""
    assert is_steep(Decimal(before), Decimal(after)) is steep


def test_a_steep_change_is_refused_where_nobody_can_be_asked(
    shop: Connection, servers: Servers, tmp_path: Path
) -> None:
    """With the list; nothing is imported. `--yes` takes it."""
    file = price_list(tmp_path, "1.85")
    refused = run(tmp_path, "catalog", "import", file, **urls_of(servers))
    assert refused.returncode == 1
    assert "A  Leche: 1850.00 ARS -> 1.85 ARS" in refused.stderr
    assert "--yes takes them" in refused.stderr
    assert row(shop, "select count(*) as products from products") == {"products": 1}
    taken = run(tmp_path, "catalog", "import", file, "--yes", **urls_of(servers))
    assert (taken.returncode, taken.stdout) == (0, "2 products imported.\n")
    assert row(shop, PRICE) == {"price": "1.85", "currency": "ARS"}


@pytest.mark.parametrize(("answer", "price", "code"), [(b"y\n", "1.85", 0), (b"n\n", "1850.00", 1)])
def test_a_steep_change_is_asked_about_on_a_terminal(
    shop: Connection, servers: Servers, tmp_path: Path, answer: bytes, price: str, code: int
) -> None:
    """Nothing but a yes takes it."""
    keyboard, terminal = os.openpty()
    os.write(keyboard, answer)
    environ = os.environ | urls_of(servers)
    done = run_in(environ, tmp_path, "catalog", "import", price_list(tmp_path, "1.85"), stdin=terminal)
    os.close(keyboard)
    os.close(terminal)
    assert done.returncode == code
    assert "Take them?" in done.stderr
    assert row(shop, PRICE)["price"] == price


def test_an_ordinary_change_is_not_asked_about(shop: Connection, servers: Servers, tmp_path: Path) -> None:
    """Prices go up."""
    done = run(tmp_path, "catalog", "import", price_list(tmp_path, "2.100,50"), **urls_of(servers))
    assert done.returncode == 0
    assert row(shop, PRICE) == {"price": "2100.50", "currency": "ARS"}


def test_an_ambiguous_list_changes_nothing(shop: Connection, servers: Servers, tmp_path: Path) -> None:
    """Before any question; the option decides it."""
    file = price_list(tmp_path, "2.100")
    refused = run(tmp_path, "catalog", "import", file, **urls_of(servers))
    assert refused.returncode == 1
    assert 'line 2: column price: "2.100" can be read as 2100 (--decimal comma) or 2.100' in refused.stderr
    assert row(shop, PRICE)["price"] == "1850.00"
    done = run(tmp_path, "catalog", "import", file, "--decimal", "comma", **urls_of(servers))
    assert done.returncode == 0
    assert row(shop, PRICE)["price"] == "2100.00"


def test_another_currency_is_asked_about(shop: Connection, servers: Servers) -> None:
    """The same figure in euros is another price; a product that is new is none."""
    rows = [product("A", "Leche", price="1850.00", currency="EUR"), product("B", "Pan")]
    (change,) = steep_changes(servers.database_url, rows)
    assert change == "A  Leche: 1850.00 ARS -> 1850.00 EUR"
    import_products(servers.database_url, rows, lambda _rows: None)
    assert steep_changes(servers.database_url, rows) == []


def test_an_encoding_without_a_name(tmp_path: Path, servers: Servers) -> None:
    """Is wrong usage."""
    done = run(tmp_path, "catalog", "import", price_list(tmp_path, "1"), "--encoding", "nada", **urls_of(servers))
    assert done.returncode == 2
