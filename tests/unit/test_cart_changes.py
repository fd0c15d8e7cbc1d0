"""Changes of a cart: what can be done is done, what cannot is told with the reason, nothing is silently cut."""

from __future__ import annotations

from decimal import Decimal

import pytest
from helpers.turns import CHEESE, CHEESE_ITEM, MILK, MILK_ITEM, RICE, RICE_ITEM, SHOP
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from worker.catalog.product import Product
from worker.replies.cart_changes import changed
from worker.session.cart import MAX_QUANTITY, Cart, CartOperation, item_of

FOUR_LEFT = replace(MILK, id=10, name="Leche sin lactosa", stock=Decimal(4), sku="LAC-10")
SOLD_OUT = replace(MILK, id=11, name="Leche chocolatada", stock=Decimal(0), sku="LAC-11")
PRODUCTS = (replace(MILK, stock=Decimal(500)), RICE, CHEESE, FOUR_LEFT, SOLD_OUT)


def after(cart: Cart, *operations: CartOperation, products: tuple[Product, ...] = PRODUCTS) -> dict[int, Decimal]:
    """Quantities after operations, by product."""
    return {item.id: item.quantity for item in changed(SHOP, cart, operations, products).cart}


def problem(cart: Cart, op: str, product: int, quantity: str, products: tuple[Product, ...] = PRODUCTS) -> str:
    """The one reason why an operation is not done; the cart stays."""
    made = changed(SHOP, cart, [CartOperation(op, product, Decimal(quantity))], products)
    assert made.cart == cart
    (told,) = made.problems
    assert made.refused == 1
    return told


@pytest.mark.parametrize("op", ["add", "set"])
def test_more_than_a_cart_may_hold(op: str) -> None:
    """The most is told; what is in the cart counts."""
    told = "De Leche entera Nubelinda 1 L podés llevar hasta 99 por pedido: no cambié nada de eso."
    assert problem((), op, 7, "100") == told
    assert after((), CartOperation(op, 7, Decimal(99))) == {7: 99}
    assert problem((replace(MILK_ITEM, quantity=Decimal(60)),), "add", 7, "40") == told
    assert after((replace(MILK_ITEM, quantity=Decimal(60)),), CartOperation("add", 7, Decimal(39))) == {7: 99}


def test_more_than_there_is() -> None:
    """How much is left is told."""
    assert problem((), "add", 10, "5") == "De Leche sin lactosa Nubelinda 1 L hay como mucho 4: no cambié nada de eso."
    assert problem((), "add", 11, "1") == "De Leche chocolatada Nubelinda 1 L no queda: no cambié nada de eso."
    assert problem((), "set", 9, "3.25") == "De Queso cremoso hay como mucho 3,2 kg: no cambié nada de eso."
    assert after((), CartOperation("add", 10, Decimal(4))) == {10: 4}
    assert problem((item_of(FOUR_LEFT, Decimal(3)),), "add", 10, "2").startswith("De Leche sin lactosa")


def test_what_the_shop_does_not_count_is_there() -> None:
    """Up to the most that a cart may hold."""
    uncounted = (replace(MILK, stock=None),)
    assert after((), CartOperation("add", 7, Decimal(99)), products=uncounted) == {7: 99}


@pytest.mark.parametrize(
    ("product", "quantity", "step"),
    [(7, "1.5", "1"), (7, "0.5", "1"), (9, "0.07", "50 g"), (9, "1.001", "50 g")],
)
def test_a_quantity_between_two_steps(product: int, quantity: str, step: str) -> None:
    """Pieces are whole; what is weighed has the steps of its price list."""
    for op in ("add", "set"):
        assert problem((), op, product, quantity).endswith(f"se vende de a {step}: no cambié nada de eso.")


def test_less_than_before_comes_in_steps_too() -> None:
    """One and a half of two litres is no quantity, known to the catalogue or not."""
    assert "se vende de a 1:" in problem((MILK_ITEM,), "set", 7, "1.5")
    assert "se vende de a 1:" in problem((MILK_ITEM,), "set", 7, "1.5", products=())
    assert after((CHEESE_ITEM,), CartOperation("set", 9, Decimal("0.35"))) == {9: Decimal("0.35")}


def test_less_than_before_may_always_be_taken() -> None:
    """Whatever is left of it."""
    cart = (item_of(FOUR_LEFT, Decimal(10)),)
    assert after(cart, CartOperation("set", 10, Decimal(8))) == {10: 8}
    assert after(cart, CartOperation("remove", 10)) == {}
    assert after(cart, CartOperation("clear")) == {}
    assert problem(cart, "set", 10, "11").startswith("De Leche sin lactosa")


def test_each_operation_sees_what_the_ones_before_it_leave() -> None:
    """Sixty and sixty are too many; the rest is done."""
    sixty = CartOperation("add", 7, Decimal(60))
    made = changed(SHOP, (), [sixty, sixty, CartOperation("add", 8, Decimal(2))], PRODUCTS)
    assert {item.id: item.quantity for item in made.cart} == {7: 60, 8: 2}
    assert (len(made.problems), made.refused) == (1, 1)


@pytest.mark.parametrize("first", [CartOperation("remove", 7), CartOperation("clear")])
def test_what_one_operation_takes_out_another_may_put_back(first: CartOperation) -> None:
    """The request need not have named the product: it stood in the cart; its bounds hold."""
    assert after((MILK_ITEM,), first, CartOperation("set", 7, Decimal(3)), products=(RICE,)) == {7: 3}
    assert after((MILK_ITEM,), first, CartOperation("set", 7, Decimal(100)), products=(RICE,)) == {}


def test_a_product_that_is_neither_offered_nor_there_changes_nothing() -> None:
    """An id that was guessed sells nothing."""
    for op in ("add", "set", "remove"):
        assert after((RICE_ITEM,), CartOperation(op, 77, Decimal(1))) == {8: 1}


def test_a_long_name_is_cut_in_what_is_told() -> None:
    """So that the cart below it fits."""
    long = replace(SOLD_OUT, name="x" * 300)
    assert len(problem((), "add", 11, "1", products=(long,))) < 90


OPERATIONS = st.builds(
    CartOperation,
    st.sampled_from(["add", "set", "remove", "clear"]),
    st.none() | st.integers(6, 12),
    st.none() | st.decimals("0.001", 200, places=3),
)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.lists(OPERATIONS, max_size=12))
def test_any_operations_leave_a_cart_that_can_be_sold(operations: list[CartOperation]) -> None:
    """Each product once, in steps, at most 99, no more than there is, and only what was offered."""
    cart = changed(SHOP, (MILK_ITEM, CHEESE_ITEM), operations, PRODUCTS).cart
    known = {product.id: product for product in PRODUCTS}
    assert len({item.id for item in cart}) == len(cart)
    for item in cart:
        assert 0 < item.quantity <= MAX_QUANTITY
        assert item.quantity % known[item.id].step == 0
        assert item.quantity <= known[item.id].stock
