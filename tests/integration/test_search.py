"""`search_products`: Spanish words in any order, with or without accents, against a real full-text index."""

from __future__ import annotations

import pytest
from helpers.factories import product, row, rows
from sqlalchemy import Connection, text

from db.products import put_products, search_products


@pytest.fixture
def shop(connection: Connection) -> Connection:
    """A connection to a database with a small catalogue."""
    put_products(
        connection,
        [
            product("1", "Azúcar blanca", brand="Ledesma", format="1 kg"),
            product("2", "Jabón de tocador", brand="Dove", category="Perfumería"),
            product("3", "Jabón en polvo", brand="Ala", category="Limpieza"),
            product("4", "Leche entera", brand="La Serenísima", category="Lácteos", format="1 l"),
            product("5", "Leche descremada", brand="Sancor", category="Lácteos", stock=0),
            product("6", "Dulce de leche", brand="Sancor", category="Lácteos"),
            product("7", "Ñoquis de papa", category="Pastas"),
            product("8", "Pingüinos de chocolate", category="Golosinas"),
        ],
    )
    return connection


def names(connection: Connection, term: str, max_results: int = 10) -> list[str]:
    """Names found, best first."""
    return [found["name"] for found in search_products(connection, [term], max_results)]


@pytest.mark.parametrize(
    ("term", "name"),
    [
        ("azucar", "Azúcar blanca"),
        ("AZÚCAR", "Azúcar blanca"),
        ("noquis", "Ñoquis de papa"),
        ("ñoquis papas", "Ñoquis de papa"),
        ("pinguino", "Pingüinos de chocolate"),
        ("jabones de tocador", "Jabón de tocador"),
        ("tocador jabon", "Jabón de tocador"),
        ("serenisima leche", "Leche entera"),
        ("entera leche 1 l", "Leche entera"),
        ("el azúcar, por favor!", "Azúcar blanca"),
    ],
)
def test_a_product_is_found_by_its_words(shop: Connection, term: str, name: str) -> None:
    """Whatever their case, accents, number and order; brand and format count, little words do not."""
    assert names(shop, term)[0] == name


def test_a_product_is_found_by_its_sku(shop: Connection) -> None:
    """That one and nothing else, as long as it is sold; without the sign it is a word like others."""
    name = str(row(shop, "select name from products where sku = '1'")["name"])
    assert names(shop, "#1") == [name]
    assert names(shop, "#nope") == []
    shop.execute(text("update products set active = false where sku = '1'"))
    assert names(shop, "#1") == []


def test_the_answer_has_all_that_a_customer_is_told(shop: Connection) -> None:
    """A row per product with its category, and the term it was found for."""
    (found,) = search_products(shop, ["ledesma"], 5)
    price = row(shop, "select id, price from products where sku = '1'")
    first = ["term", "id", "name", "brand", "category", "format", "price", "currency", "stock"]
    assert list(found) == [*first, "sku", "unit", "step"]
    assert found == price | {
        "term": "ledesma",
        "name": "Azúcar blanca",
        "brand": "Ledesma",
        "category": "Almacén",
        "format": "1 kg",
        "currency": "ARS",
        "stock": 5,
        "sku": "1",
        "unit": "u",
        "step": 1,
    }


def test_the_version_before_finds_whole_pieces(shop: Connection) -> None:
    """The same products in the same order, with a number of pieces where there is a fraction, or nobody counts."""
    shop.execute(text("update products set stock = 2.750, unit = 'kg' where sku = '1'"))
    shop.execute(text("update products set stock = null where sku <> '1'"))
    for term in ("azucar", "jabon"):
        old = rows(shop, "select * from search_products(:term, 5)", term=term)
        new = search_products(shop, [term], 5)
        assert [{**one, "stock": None} for one in old] == [
            {name: value for name, value in one.items() if name != "term"} | {"stock": None} for one in new
        ]
        assert {type(one["stock"]) for one in old} == {int}
    assert row(shop, "select stock from search_products('azucar', 5)") == {"stock": 2}
    assert {one["stock"] for one in rows(shop, "select stock from search_products('jabon', 5)")} == {100}


def test_several_terms_are_searched_at_once(shop: Connection) -> None:
    """Each product under its term; a term that finds nothing has no row."""
    found = search_products(shop, ["azucar", "jabon", "caviar"], 5)
    by_term = sorted((one["term"], one["name"]) for one in found)
    assert by_term == [("azucar", "Azúcar blanca"), ("jabon", "Jabón de tocador"), ("jabon", "Jabón en polvo")]


def test_all_words_come_before_some(connection: Connection) -> None:
    """What has only one of the words is still offered, but later, however much it is about that word."""
    part, whole = product("1", "Leche con sabor a leche"), product("2", "Manjar", brand="Dulce Leche")
    put_products(connection, [part, whole, product("3", "Arroz")])
    assert names(connection, "dulce leche") == ["Manjar", "Leche con sabor a leche"]


def test_among_equals_stock_comes_first(connection: Connection) -> None:
    """A product that can be bought stands before one that cannot, however short the latter's name."""
    put_products(connection, [product("1", "Yerba mate", stock=0), product("2", "Yerba mate suave", stock=1)])
    assert names(connection, "yerba") == ["Yerba mate suave", "Yerba mate"]


def test_a_name_counts_more_than_a_brand(connection: Connection) -> None:
    """Who asks for coffee wants coffee, not a cup of the brand of that name."""
    put_products(connection, [product("1", "Taza", brand="Café"), product("2", "Molido Café intenso", stock=0)])
    assert names(connection, "cafe") == ["Molido Café intenso", "Taza"]


def test_inactive_products_are_left_out(shop: Connection) -> None:
    """Also where they match best, and where their category is asked for."""
    shop.execute(text("update products set active = false where sku in ('4', '7')"))
    assert "Leche entera" not in names(shop, "leche entera")
    assert names(shop, "pastas") == []


def test_a_category_is_found_by_its_name(shop: Connection) -> None:
    """Before products of other categories that have the word themselves."""
    assert set(names(shop, "lácteos")) == {"Leche entera", "Leche descremada", "Dulce de leche"}
    put_products(shop, [product("9", "Crema para pastas", stock=0)])
    assert names(shop, "pastas") == ["Ñoquis de papa", "Crema para pastas"]


def test_no_more_than_asked_for(shop: Connection) -> None:
    """The best ones, for each term."""
    assert names(shop, "leche", max_results=2) == names(shop, "leche")[:2]
    assert len(search_products(shop, ["leche", "jabon"], 1)) == 2
    assert names(shop, "leche", max_results=0) == []


@pytest.mark.parametrize(
    "term", ["", " ", "!!!", "a & b | !", "de la", "caviar", "x" * 5_000, "'", "\\", ":*", "zz:*", "🧉", "<->", "%"]
)
def test_what_finds_nothing_is_no_error(shop: Connection, term: str) -> None:
    """Signs of the query language are signs of the customer here, and nothing else."""
    assert names(shop, term) == []


@pytest.mark.parametrize(
    "term", ["!azucar", "azucar & ", "azucar:*", "'azucar'", "(azucar", "azucar " * 2_000, "azucar\n"]
)
def test_odd_signs_around_a_word_do_no_harm(shop: Connection, term: str) -> None:
    """The word is found all the same."""
    assert names(shop, term) == ["Azúcar blanca"]


def test_a_changed_product_is_found_by_its_new_name_only(shop: Connection) -> None:
    """The search column follows the row; importing a product again also makes it active."""
    shop.execute(text("update products set active = false where sku = '1'"))
    put_products(shop, [product("1", "Edulcorante")])
    assert (names(shop, "azucar"), names(shop, "edulcorantes")) == ([], ["Edulcorante"])
