"""Scoring of labelled cart turns: the cart that results counts, not the way to it."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import msgspec
import pytest
from helpers.cart_model import goods_in, id_of
from helpers.cart_turns import Careless, CartTurn, Exchange, Played, read_turns, table, write_price_list

from worker.catalog.price_list import Writing, read_products

LINE = {
    "id": "x1",
    "country": "UY",
    "history": [{"customer": "dame dos cosas ricas", "reply": "Listo, 2 Cosa rica 1 L."}],
    "products": [
        {"id": "c1", "name": "Cosa rica 1 L", "price": 10.5, "unit": "u", "stock": 3},
        {"id": "c2", "name": "Cosa suelta", "price": 7, "unit": "kg", "stock": 9},
    ],
    "cart": [{"id": "c1", "name": "Cosa rica 1 L", "price": 10.5, "quantity": 2}],
    "message": "y 150 de la suelta",
    "expected": [{"op": "add", "product_id": "c2", "quantity": 0.15}],
    "note": "weight: a remark",
}


def turn(**changes: object) -> CartTurn:
    """The line with these changes."""
    return msgspec.convert(LINE | changes, CartTurn, strict=False)


@pytest.mark.parametrize(
    ("operations", "after"),
    [
        ([("add", "c1", 3)], {"c1": 5}),
        ([("set", "c1", 3)], {"c1": 3}),
        ([("remove", "c1", 0), ("add", "c2", 0.5)], {"c2": 0.5}),
        ([("clear", "", 0)], {}),
        ([], {"c1": 2}),
    ],
)
def test_operations_make_a_cart(operations: list[tuple[str, str, float]], after: dict[str, float]) -> None:
    """In their order, on top of what is there."""
    expected = [dict(zip(("op", "product_id", "quantity"), each, strict=True)) for each in operations]
    assert turn(expected=expected).after == after


@pytest.mark.parametrize(
    ("grams", "missing", "refusals", "outcome"),
    [
        ("0.1508", (), (), "right"),
        ("0.152", (), (), "wrong"),
        ("0", ("Cosa suelta",), ("refused",), "not offered"),
        ("0", (), ("refused",), "refused"),
    ],
)
def test_a_line_has_one_outcome(grams: str, missing: tuple[str, ...], refusals: tuple[str, ...], outcome: str) -> None:
    """Right within a gram, or the first reason why not."""
    cart = {"c1": Decimal(2)} | ({"c2": Decimal(grams)} if grams != "0" else {})
    played = Played(turn(), cart, missing, refusals)
    assert played.outcome == outcome
    assert [(name.strip(), dict(outcomes)) for name, outcomes in table([played])] == [
        ("order lines", {outcome: 1}),
        ("nothing may change", {}),
        ("weight", {outcome: 1}),
    ]


@pytest.mark.parametrize(
    ("added", "is_shown", "is_undone", "outcome"),
    [
        ((), False, False, "unchanged"),
        (("Cosa suelta",), True, True, "told"),
        (("Cosa suelta",), False, True, "unsaid"),
        (("Cosa suelta",), True, False, "stuck"),
    ],
)
def test_what_a_careless_model_adds_is_told_or_not(
    added: tuple[str, ...], is_shown: bool, is_undone: bool, outcome: str
) -> None:
    """Shown and undone by a tap, or what is missing first."""
    assert Careless(turn(), added, is_shown, is_undone).outcome == outcome


def test_what_was_ordered_before_is_known_by_its_words() -> None:
    """The customer named it and the reply too; a list of what is in the cart puts nothing there."""
    line = turn()
    assert [each.id for each in line.ordered_in(line.history[0])] == ["c1"]
    assert line.ordered_in(Exchange("qué llevo?", "- 2 x Cosa rica 1 L")) == []
    assert line.has_fractions


def test_a_product_is_found_by_name_and_price_wherever_it_stands() -> None:
    """Among products, in the cart, on offer; two of one name are told apart by the price."""
    context = {
        "products": [{"id": 1, "name": "Cosa suelta", "price": "9.00"}],
        "session": {"cart": [{"id": 2, "name": "Cosa suelta", "price": 7.0}], "history": [{"customer": "x"}]},
    }
    offered = list(goods_in(context))
    assert [each["id"] for each in offered] == [1, 2]
    assert id_of(turn().goods["c2"], offered) == 2
    assert id_of(turn().goods["c1"], offered) is None


def test_lines_and_price_list_are_files(tmp_path: Path) -> None:
    """What the lines name can be imported, each product once, in its country's money."""
    file, prices = tmp_path / "lines.jsonl", tmp_path / "prices.csv"
    file.write_bytes(b"\n".join([msgspec.json.encode(LINE), msgspec.json.encode(LINE | {"id": "x2"})]))
    lines = read_turns(file)
    write_price_list(lines, prices)
    rows = read_products(prices, Writing(decimal="point"))
    assert [line.kind for line in lines] == ["weight"] * 2
    assert [(row["sku"], row["price"], row["currency"]) for row in rows] == [
        ("c1", "10.50", "UYU"),
        ("c2", "7.00", "UYU"),
    ]
