"""A conversation as a value: its cart, its history, its stored form."""

from __future__ import annotations

from decimal import Decimal

import pytest
from helpers.factories import ANA
from helpers.turns import CHEESE_ITEM, MILK_ITEM, RICE_ITEM, session_of
from msgspec import json, to_builtins
from msgspec.structs import asdict, replace

from worker.session.cart import MAX_QUANTITY, Cart, CartItem, CartOperation, apply_operation, by_currency, cost
from worker.session.session import (
    HISTORY_CHARS,
    HISTORY_TURNS,
    Checkout,
    Context,
    Exchange,
    Undo,
    new_session,
    resumed,
    session_from_row,
    with_exchange,
)

YERBA = CartItem(9, "Yerba", Decimal(3200), Decimal(1))
PRODUCTS = {9: YERBA, 7: CartItem(7, "Leche nueva", Decimal("9.99"), Decimal(1))}
CART = (MILK_ITEM, RICE_ITEM)


def totals(cart: Cart) -> dict[str, Decimal]:
    """The cost of a cart by currency."""
    return {currency: cost(items) for currency, items in by_currency(cart).items()}


@pytest.mark.parametrize(
    ("operation", "quantities"),
    [
        (CartOperation("add", 9, Decimal(2)), {7: 2, 8: 1, 9: 2}),
        (CartOperation("add", 7, Decimal(3)), {7: 5, 8: 1}),
        (CartOperation("add", 7, Decimal(98)), {7: MAX_QUANTITY, 8: 1}),
        (CartOperation("add", 9, Decimal(500)), {7: 2, 8: 1, 9: MAX_QUANTITY}),
        (CartOperation("add", 9, Decimal(0)), {7: 2, 8: 1, 9: 1}),
        (CartOperation("add", 9, None), {7: 2, 8: 1, 9: 1}),
        (CartOperation("add", 10, Decimal(1)), {7: 2, 8: 1}),
        (CartOperation("add", None, Decimal(1)), {7: 2, 8: 1}),
        (CartOperation("set", 7, Decimal(4)), {7: 4, 8: 1}),
        (CartOperation("set", 7, Decimal(500)), {7: MAX_QUANTITY, 8: 1}),
        (CartOperation("set", 9, Decimal(4)), {7: 2, 8: 1, 9: 4}),
        (CartOperation("remove", 7), {8: 1}),
        (CartOperation("remove", 10), {7: 2, 8: 1}),
        (CartOperation("remove"), {7: 2, 8: 1}),
        (CartOperation("clear"), {}),
    ],
)
def test_one_operation(operation: CartOperation, quantities: dict[int, int]) -> None:
    """Adding adds up, setting sets, an unknown product changes nothing, quantities stay at most 99."""
    assert {item.id: item.quantity for item in apply_operation(CART, operation, PRODUCTS)} == quantities


def test_a_product_keeps_the_price_it_was_put_in_at() -> None:
    """More of it does not change the name and price the customer has seen."""
    more = apply_operation(CART, CartOperation("add", 7, Decimal(1)), PRODUCTS)
    assert more[0] == replace(MILK_ITEM, quantity=Decimal(3))
    assert apply_operation((), CartOperation("add", 9, Decimal(1)), PRODUCTS) == (YERBA,)


def test_a_new_session_is_empty_and_like_no_other() -> None:
    """Two customers who begin never share an id."""
    one, other = new_session(ANA, "Ana"), new_session(ANA, "Ana")
    assert one.id != other.id
    assert (one.state, one.cart, one.context, one.version, one.customer_name) == ("browsing", (), Context(), 0, "Ana")


def test_the_json_form_and_back() -> None:
    """The names of `get_session_optimized`, and nothing lost."""
    context = Context(
        checkout=Checkout(address="Calle 1"), asking="confirm", undo=Undo("v", CART), shown=("LAC-7",), kept=CART
    )
    session = session_of(cart=(*CART, CHEESE_ITEM), context=context, total_orders=2, customer_name="Ana")
    for stored in (session.row(), json.decode(json.encode(session)), json.decode(json.encode(session.row()))):
        assert session_from_row(stored) == session
    name = {"id": 7, "name": "Leche entera Nubelinda 1 L", "currency": "ARS", "unit": "u", "sku": "LAC-7"}
    lines = session.row()["cart_data"]
    assert lines[0] == name | {"price": 1850, "quantity": 2}
    assert (lines[1]["price"], lines[2]["quantity"], lines[2]["unit"]) == (1200.5, 0.5, "kg")


def test_money_is_exact() -> None:
    """Ten times a tenth is one."""
    cart = (CartItem(1, "a", Decimal("0.1"), Decimal(10)), CartItem(2, "b", Decimal("0.7"), Decimal(1)))
    assert totals(cart) == {"ARS": Decimal("1.7")}
    assert totals(()) == {}


def test_amounts_of_two_currencies_are_not_added() -> None:
    """Each has a total of its own."""
    cart = (MILK_ITEM, CartItem(3, "Vino", Decimal("9.5"), Decimal(2), "USD"), RICE_ITEM)
    assert totals(cart) == {"ARS": Decimal("4900.5"), "USD": Decimal("19.0")}


def test_a_line_keeps_the_currency_it_was_put_in_at() -> None:
    """More of it is in the same one, whatever the shop asks now."""
    euros = {9: replace(PRODUCTS[9], currency="EUR")}
    (item,) = apply_operation((), CartOperation("add", 9, Decimal(1)), euros)
    assert item == replace(YERBA, currency="EUR")
    assert apply_operation((item,), CartOperation("add", 9, Decimal(1)), PRODUCTS) == (
        replace(item, quantity=Decimal(2)),
    )


def test_lines_from_before_they_named_their_currency() -> None:
    """They have the one that the conversation names; what a newer version adds to a line is left out."""
    row = to_builtins(session_of(context={"currency": "EUR"}))
    old = {"id": 7, "name": "Leche", "price": 1.85, "quantity": 2}
    read = session_from_row(row | {"cart_data": [old, old | {"currency": "USD", "of_tomorrow": "u"}]})
    assert [item.currency for item in read.cart] == ["EUR", "USD"]
    assert [item.currency for item in session_from_row(row | {"cart_data": [old], "context_data": {}}).cart] == ["ARS"]


def test_the_history_is_bounded() -> None:
    """The last exchanges, oldest first, each clipped; the session before is a value that does not change."""
    session = before = session_of(context={"asking": "address"})
    for number in range(HISTORY_TURNS + 3):
        session = with_exchange(session, Exchange(f"{number} " + "x" * 5_000, f"r{number} " + "y" * 5_000))
    assert [exchange.customer.split()[0] for exchange in session.context.history] == ["3", "4", "5", "6", "7", "8"]
    assert {len(text) for exchange in session.context.history for text in asdict(exchange).values()} == {HISTORY_CHARS}
    assert replace(session.context, history=()) == before.context


def test_a_cart_that_was_left_waits_in_the_new_session() -> None:
    """It is not the cart of now until the customer has said so."""
    session = resumed(new_session(ANA, "Ana"), CART)
    assert (session.cart, session.context.kept) == ((), CART)
