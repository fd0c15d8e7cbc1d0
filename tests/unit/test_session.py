"""What a decision does to a conversation: cart, state, history, order."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from helpers.factories import ANA
from helpers.turns import MILK_ITEM, RICE_ITEM, session_of
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import json, to_builtins
from msgspec.structs import asdict, replace

from worker.session.cart import (
    MAX_QUANTITY,
    Cart,
    CartItem,
    CartOperation,
    apply_operation,
    by_currency,
    changed_cart,
    cost,
)
from worker.session.session import (
    CHECKOUT_STATES,
    HISTORY_CHARS,
    HISTORY_TURNS,
    Context,
    Exchange,
    Order,
    Session,
    advance,
    new_session,
    orders_placed,
    session_from_row,
)

PRODUCTS = {9: CartItem(9, "Yerba", 3200.0, 1), 7: CartItem(7, "Leche nueva", 9.99, 1)}
CART = (MILK_ITEM, RICE_ITEM)


def after(session: Session, **changes: Any) -> Session:
    """The session after a turn that says and does nothing but these changes."""
    exchange = Exchange(changes.pop("said", "a"), changes.pop("replied", "b"))
    cart = changed_cart(session.cart, changes.pop("operations", ()), PRODUCTS)
    return advance(session, exchange, cart, changes.pop("next_state", None), **changes)


def totals(cart: Cart) -> dict[str, Decimal]:
    """The cost of a cart by currency."""
    return {currency: cost(items) for currency, items in by_currency(cart).items()}


@pytest.mark.parametrize(
    ("operation", "quantities"),
    [
        (CartOperation("add", 9, 2), {7: 2, 8: 1, 9: 2}),
        (CartOperation("add", 7, 3), {7: 5, 8: 1}),
        (CartOperation("add", 7, 98), {7: MAX_QUANTITY, 8: 1}),
        (CartOperation("add", 9, 500), {7: 2, 8: 1, 9: MAX_QUANTITY}),
        (CartOperation("add", 9, 0), {7: 2, 8: 1, 9: 1}),
        (CartOperation("add", 9, None), {7: 2, 8: 1, 9: 1}),
        (CartOperation("add", 10, 1), {7: 2, 8: 1}),
        (CartOperation("add", None, 1), {7: 2, 8: 1}),
        (CartOperation("set", 7, 4), {7: 4, 8: 1}),
        (CartOperation("set", 7, 500), {7: MAX_QUANTITY, 8: 1}),
        (CartOperation("set", 7, -4), {7: 1, 8: 1}),
        (CartOperation("set", 9, 4), {7: 2, 8: 1, 9: 4}),
        (CartOperation("remove", 7), {8: 1}),
        (CartOperation("remove", 10), {7: 2, 8: 1}),
        (CartOperation("remove"), {7: 2, 8: 1}),
        (CartOperation("clear"), {}),
    ],
)
def test_one_operation(operation: CartOperation, quantities: dict[int, int]) -> None:
    """Adding adds up, setting sets, an unknown product changes nothing, quantities stay within 1 and 99."""
    assert {item.id: item.quantity for item in apply_operation(CART, operation, PRODUCTS)} == quantities


def test_a_product_keeps_the_price_it_was_put_in_at() -> None:
    """More of it does not change the name and price the customer has seen."""
    more = apply_operation(CART, CartOperation("add", 7, 1), PRODUCTS)
    assert more[0] == replace(MILK_ITEM, quantity=3)
    assert apply_operation((), CartOperation("add", 9, 1), PRODUCTS) == (CartItem(9, "Yerba", 3200.0, 1),)


def test_operations_are_done_in_their_order() -> None:
    """Emptied, then filled again."""
    operations = [CartOperation("clear"), CartOperation("add", 9, 1), CartOperation("set", 9, 5)]
    assert changed_cart(CART, operations, PRODUCTS) == (CartItem(9, "Yerba", 3200.0, 5),)


OPERATIONS = st.builds(
    CartOperation,
    st.sampled_from(["add", "set", "remove", "clear"]),
    st.none() | st.integers(6, 11),
    st.none() | st.integers(-200, 200),
)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.lists(OPERATIONS, max_size=12))
def test_any_operations_leave_a_sound_cart(operations: list[CartOperation]) -> None:
    """Each product once, in quantities of 1 to 99, and only products that were offered or there before."""
    cart = changed_cart(CART, operations, PRODUCTS)
    ids = [item.id for item in cart]
    assert len(ids) == len(set(ids))
    assert set(ids) <= {7, 8, 9}
    assert all(1 <= item.quantity <= MAX_QUANTITY for item in cart)


def test_a_new_session_is_empty_and_like_no_other() -> None:
    """Two customers who begin never share an id."""
    one, other = new_session(ANA, "Ana"), new_session(ANA, "Ana")
    assert one.id != other.id
    assert (one.state, one.cart, one.context, one.version, one.customer_name) == ("browsing", (), Context(), 0, "Ana")


def test_the_json_form_and_back() -> None:
    """The names of `get_session_optimized`, and nothing lost."""
    session = session_of(cart=CART, context={"terms": ["leche"], "history": []}, total_orders=2, customer_name="Ana")
    assert session_from_row(json.decode(json.encode(session))) == session
    line = {"id": 7, "name": "Leche entera Nubelinda 1 L", "price": 1850.0, "quantity": 2, "currency": "ARS"}
    assert asdict(CART[0]) == line


def test_money_is_exact() -> None:
    """Ten times a tenth is one."""
    cart = (CartItem(1, "a", 0.1, 10), CartItem(2, "b", 0.7, 1))
    assert totals(cart) == {"ARS": Decimal("1.7")}
    assert totals(()) == {}


def test_amounts_of_two_currencies_are_not_added() -> None:
    """Each has a total of its own."""
    cart = (MILK_ITEM, CartItem(3, "Vino", 9.5, 2, "USD"), RICE_ITEM)
    assert totals(cart) == {"ARS": Decimal("4900.5"), "USD": Decimal("19.0")}


def test_a_line_keeps_the_currency_it_was_put_in_at() -> None:
    """More of it is in the same one, whatever the shop asks now."""
    euros = {9: replace(PRODUCTS[9], currency="EUR")}
    (item,) = apply_operation((), CartOperation("add", 9, 1), euros)
    assert item == CartItem(9, "Yerba", 3200.0, 1, "EUR")
    assert apply_operation((item,), CartOperation("add", 9, 1), PRODUCTS) == (replace(item, quantity=2),)


def test_lines_from_before_they_named_their_currency() -> None:
    """They have the one that the conversation names; what a newer version adds to a line is left out."""
    row = to_builtins(session_of(context={"currency": "EUR"}))
    old = {"id": 7, "name": "Leche", "price": 1.85, "quantity": 2}
    read = session_from_row(row | {"cart_data": [old, old | {"currency": "USD", "unit": "u"}]})
    assert [item.currency for item in read.cart] == ["EUR", "USD"]
    assert [item.currency for item in session_from_row(row | {"cart_data": [old], "context_data": {}}).cart] == ["ARS"]


def test_the_history_is_bounded() -> None:
    """The last exchanges, oldest first, each clipped."""
    session = session_of()
    for number in range(HISTORY_TURNS + 3):
        session = after(session, said=f"{number} " + "x" * 5_000, replied=f"r{number} " + "y" * 5_000)
    assert [exchange.customer.split()[0] for exchange in session.context.history] == ["3", "4", "5", "6", "7", "8"]
    assert {len(text) for exchange in session.context.history for text in asdict(exchange).values()} == {HISTORY_CHARS}


def test_what_was_searched_last_is_kept() -> None:
    """A turn that names nothing leaves the terms as they were, so that "the second one" can be understood."""
    searched = after(session_of(), terms=("leche", "arroz"))
    assert searched.context.terms == ("leche", "arroz")
    assert after(searched).context.terms == ("leche", "arroz")
    assert after(searched, terms=("yerba",)).context.terms == ("yerba",)


def test_other_context_is_left_alone() -> None:
    """A turn changes the history and nothing else; and the session before is a value that does not change."""
    before = session_of(context={"address": "Calle 1", "currency": "EUR", "of_tomorrow": 1})
    assert replace(after(before).context, history=()) == before.context == Context(address="Calle 1", currency="EUR")


def test_the_state_moves_only_where_it_is_told_to() -> None:
    """No next state means staying."""
    assert after(session_of(state="searching")).state == "searching"
    assert after(session_of(state="searching"), next_state="viewing_cart").state == "viewing_cart"


@pytest.mark.parametrize("state", sorted(CHECKOUT_STATES))
def test_a_confirmation_in_a_checkout_places_the_order(state: str) -> None:
    """The cart is emptied into an order with its exact total."""
    before = session_of(state=state, cart=CART, context={"address": "Calle 1"})
    done = after(before, next_state="order_completed")
    assert (done.state, done.cart) == ("order_completed", ())
    assert orders_placed(before, done, before.cart) == (Order("4900.5", "ARS", "Calle 1", CART),)


def test_a_cart_of_two_currencies_is_two_orders() -> None:
    """Each with its own lines and total, to the same address; nothing is left behind."""
    wine = CartItem(3, "Vino", 9.5, 2, "USD")
    before = session_of(state="confirming_order", cart=(MILK_ITEM, wine, RICE_ITEM), context={"address": "Calle 1"})
    done = after(before, next_state="order_completed")
    assert orders_placed(before, done, before.cart) == (
        Order("4900.5", "ARS", "Calle 1", CART),
        Order("19.0", "USD", "Calle 1", (wine,)),
    )


@pytest.mark.parametrize(
    "state", ["browsing", "searching", "viewing_product", "adding_to_cart", "viewing_cart", "order_completed"]
)
def test_no_single_message_places_an_order_out_of_nowhere(state: str) -> None:
    """Outside a checkout a completed order is not believed: state and cart stay, no order."""
    before = session_of(state=state, cart=CART)
    done = after(before, next_state="order_completed")
    assert (done.state, done.cart) == (state, CART)
    assert orders_placed(before, done, before.cart) == ()


def test_an_empty_cart_completes_nothing() -> None:
    """Nor does one that the same turn empties."""
    empty = session_of(state="confirming_order")
    assert after(empty, next_state="order_completed").state == "confirming_order"
    full = replace(empty, cart=CART)
    cleared = after(full, next_state="order_completed", operations=(CartOperation("clear"),))
    assert (cleared.state, orders_placed(full, cleared, ())) == ("confirming_order", ())


def test_emptying_the_cart_after_an_order_is_no_order() -> None:
    """It only looks like the end of a checkout."""
    before = session_of(state="order_completed", cart=CART)
    done = after(before, operations=(CartOperation("clear"),))
    assert (done.state, done.cart, orders_placed(before, done, done.cart)) == ("order_completed", (), ())


def test_going_on_after_an_order_is_a_new_cart() -> None:
    """What is put in after a completed order is no second completion of it."""
    before = session_of(state="order_completed")
    done = after(before, operations=(CartOperation("add", 9, 1),))
    assert (done.state, len(done.cart), orders_placed(before, done, done.cart)) == ("order_completed", 1, ())
