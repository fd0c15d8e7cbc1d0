"""More than a cart may hold, and more than there is: left out and told in our own words, nothing silently cut."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from helpers.turns import MILK, MILK_ITEM, RICE, RICE_ITEM, decided, decision_of, plan_of, session_of
from msgspec.structs import replace

from worker.providers.progress import PlannedRequest
from worker.providers.reply_cache import cacheable
from worker.replies.cart_guard import CLAIMING, DENYING, rules_for
from worker.replies.cart_limits import EMPTY, MAX_LINES, cart_lines, within_limits
from worker.replies.decision import parse_decision
from worker.replies.reply_check import check_reply
from worker.replies.verdict import decide
from worker.session.cart import CartItem
from worker.session.outcome import Decision, Outcome

FOUR_LEFT = replace(MILK, id=9, name="Leche sin lactosa", stock=Decimal(4))
SOLD_OUT = replace(MILK, id=10, name="Leche chocolatada", stock=Decimal(0))
PRODUCTS = (replace(MILK, stock=Decimal(500)), RICE, FOUR_LEFT, SOLD_OUT)


def decision(*operations: dict[str, Any]) -> Decision:
    """What a model answers that does as it is asked."""
    made = decision_of(reply="Listo, agregué todo.", next_state="adding_to_cart", cart_operations=list(operations))
    return parse_decision(json.dumps(made), {7, 8, 9, 10})


def add(number: int, quantity: int, op: str = "add") -> dict[str, Any]:
    """A cart operation."""
    return {"op": op, "product_id": number, "quantity": quantity}


@pytest.mark.parametrize("op", ["add", "set"])
def test_more_than_a_cart_may_hold(op: str) -> None:
    """The most is told, nothing of it is done, and the model's words are not said."""
    made = within_limits(decision(add(7, 120, op)), (), PRODUCTS)
    assert (
        made.reply == f"De Leche entera Nubelinda 1 L podés llevar hasta 99 por pedido: no cambié nada de eso.\n{EMPTY}"
    )
    assert (made.cart_operations, made.next_state) == ((), None)
    assert [button.id for button in made.quick_replies] == ["view_cart"]


def test_more_than_there_is() -> None:
    """How many are left is told."""
    made = within_limits(decision(add(9, 50)), (RICE_ITEM,), PRODUCTS)
    assert made.reply.splitlines() == [
        "De Leche sin lactosa Nubelinda 1 L quedan 4: no cambié nada de eso.",
        "En tu carrito:",
        "• 1 × Arroz largo 1 kg",
    ]
    assert within_limits(decision(add(9, 4)), (), PRODUCTS).cart_operations == decision(add(9, 4)).cart_operations
    assert "queda 1:" in within_limits(decision(add(9, 2)), (), [replace(FOUR_LEFT, stock=Decimal(1))]).reply
    assert "no queda ninguno:" in within_limits(decision(add(10, 1)), (), PRODUCTS).reply


def test_sixty_and_sixty_more() -> None:
    """What is in the cart already counts, and it is shown as it is."""
    cart = (CartItem(7, "Leche entera Nubelinda 1 L", 1850.0, 60),)
    made = within_limits(decision(add(7, 60)), cart, PRODUCTS)
    assert "hasta 99" in made.reply
    assert "• 60 × Leche entera" in made.reply
    assert within_limits(decision(add(7, 39)), cart, PRODUCTS).cart_operations[0].quantity == 39


def test_twice_in_one_answer() -> None:
    """Each operation is looked at in the cart that the ones before it leave."""
    made = within_limits(decision(add(7, 60), add(7, 60)), (), PRODUCTS)
    assert [change.quantity for change in made.cart_operations] == [60]
    assert "• 60 × Leche entera" in made.reply


def test_the_rest_is_done() -> None:
    """And stands in the cart that is shown."""
    made = within_limits(decision(add(9, 50), add(8, 2)), (), PRODUCTS)
    assert [change.product_id for change in made.cart_operations] == [8]
    assert "• 2 × Arroz largo 1 kg" in made.reply
    assert "agregué" not in made.reply


def test_fewer_than_before_may_always_be_taken() -> None:
    """Whatever is left of it."""
    cart = (CartItem(9, "Leche sin lactosa", 1850.0, 10),)
    for operation in (add(9, 8, "set"), {"op": "remove", "product_id": 9}, {"op": "clear"}):
        made = within_limits(decision(operation), cart, PRODUCTS)
        assert made.cart_operations == decision(operation).cart_operations
    assert within_limits(decision(add(9, 11, "set")), cart, PRODUCTS).cart_operations == ()


def test_the_words_claim_nothing_and_are_a_reply() -> None:
    """By the same checks that a model's words go through."""
    reply = within_limits(decision(add(7, 120), add(9, 50)), (MILK_ITEM,), PRODUCTS).reply
    assert not CLAIMING.search(DENYING.sub("", reply.lower()))
    check_reply(reply, "quiero 120 leches", "instructions")


def test_it_is_what_the_customer_hears() -> None:
    """Of an answer that did what he asked for: no repair, no refusal."""
    said = "quiero 120 leche entera"
    plan, rules = plan_of(said, PRODUCTS[0], shared=False), rules_for(said, session_of(), [PRODUCTS[0]])
    text = json.dumps(decision_of(reply="Agregué 120.", cart_operations=[add(7, 120)]))
    made = decide(text, PlannedRequest(plan, rules, "t", "549", 0.0, said, ()))
    assert "hasta 99" in made.reply
    assert made.cart_operations == ()


def test_a_long_cart_is_cut_with_a_word() -> None:
    """How many more there are."""
    cart = [CartItem(number, f"P{number}", 1.0, 1) for number in range(MAX_LINES + 3)]
    assert len(cart_lines(cart)) == MAX_LINES + 1
    assert cart_lines(cart)[-1] == "• y 3 productos más"


def test_no_call_for_a_person_is_cached() -> None:
    """It would call one for everybody who asks the same; nor is anything but a model's own answer."""
    assert cacheable(decided(requires_human=True)) is None
    for source in ("cache", "fallback", "canned", "closed"):
        assert cacheable(decided(source)) is None
    entry = cacheable(decided())
    assert entry is not None
    assert entry.outcome().decision == decided().decision
    assert cacheable(Outcome("ai", Decision(reply="x"))) is not None


@pytest.mark.parametrize("first", ["remove", "clear"])
def test_what_one_operation_takes_out_another_may_put_back(first: str) -> None:
    """The request need not have named the product: it stood in the cart."""
    made = decision({"op": first, "product_id": MILK_ITEM.id}, add(MILK_ITEM.id, 3, "set"))
    assert within_limits(made, (MILK_ITEM,), [RICE]).cart_operations == made.cart_operations


@pytest.mark.parametrize(
    ("operations", "lines"),
    [
        ([add(8, 2)], ["Cambios en tu carrito:", "• 2 × Arroz largo 1 kg"]),
        ([add(7, 1)], ["Cambios en tu carrito:", "• 3 × Leche entera Nubelinda 1 L"]),
        (
            [add(8, 1), {"op": "remove", "product_id": 7}],
            ["Cambios en tu carrito:", "• 1 × Arroz largo 1 kg", "• Leche entera Nubelinda 1 L: afuera"],
        ),
        ([{"op": "clear"}], ["Tu carrito está vacío."]),
        ([add(7, 2, "set")], []),
        ([], []),
    ],
)
def test_what_changes_is_told_whatever_the_model_says(operations: list[dict[str, Any]], lines: list[str]) -> None:
    """By our own count, behind the model's words; nothing is added where nothing changes."""
    made = within_limits(decision(*operations), (MILK_ITEM,), PRODUCTS)
    assert made.reply.splitlines() == ["Listo, agregué todo.", *([""] if lines else []), *lines]


def test_long_words_leave_room_for_what_changes() -> None:
    """A model's words are cut, ours are not."""
    long = replace(decision(add(8, 2)), reply="Muy bien. " * 400)
    made = within_limits(long, (), PRODUCTS)
    assert len(made.reply) <= 4_096
    assert made.reply.endswith("• 2 × Arroz largo 1 kg")


def test_what_is_put_back_has_its_limits() -> None:
    """They are told by the name that it had in the cart."""
    made = decision({"op": "remove", "product_id": MILK_ITEM.id}, add(MILK_ITEM.id, 100, "set"))
    limited = within_limits(made, (MILK_ITEM,), [RICE])
    assert [change.op for change in limited.cart_operations] == ["remove"]
    assert f"De {MILK_ITEM.name} podés llevar hasta 99" in limited.reply
