"""Telling: what a decision did to the cart is told by us, from the cart, whatever a model says."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from helpers.conversations import GROCER, Conversation, add, cart_of, tap
from helpers.turns import CHEESE, CHEESE_ITEM, MILK, MILK_ITEM, RICE, RICE_ITEM, decision_of, made, plan_of, turn_of
from msgspec.structs import replace

from worker.messages.reply import MAX_INTERACTIVE_CHARS
from worker.replies.decision import RefusedChange
from worker.replies.scene import NOBODY, Scene, scene_of
from worker.replies.telling import MODEL_STATES, by_mention, told
from worker.replies.verdict import OF_ONE_CUSTOMER, decide
from worker.session.cart import CartItem
from worker.session.outcome import Effects
from worker.session.session import Checkout

ORDERED = {"intent": "add_to_cart", "reply": "¡Buenísimo!"}


def test_a_change_is_told_behind_the_models_words() -> None:
    """The new quantity, what it costs, the total; a way back, the cart and the checkout."""
    talk = Conversation(cart=(RICE_ITEM,))
    talk.answered("agregame 2 leches", **ORDERED, cart_operations=[add(MILK, 2)])
    assert talk.lines == [
        "¡Buenísimo!",
        "",
        "Cambios en tu carrito:",
        "• 2 × Leche entera Nubelinda 1 L: $ 3.700,00",
        "Total: $ 4.900,50",
    ]
    assert talk.offers == ["undo:token1", "view_cart", "checkout"]
    assert talk.quantities == {"ALM-8": "1", "LAC-7": "2"}


@pytest.mark.parametrize(
    ("operations", "lines"),
    [
        ([add(CHEESE, "0.25")], ["• 750 g de Queso cremoso: $ 6.750,00", "Total: $ 10.450,00"]),
        ([add(MILK, 5, "set")], ["• 5 × Leche entera Nubelinda 1 L: $ 9.250,00", "Total: $ 13.750,00"]),
        ([{"op": "remove", "product_id": 7}], ["• Leche entera Nubelinda 1 L: afuera", "Total: $ 4.500,00"]),
        (
            [add(RICE), {"op": "remove", "product_id": 9}],
            ["• 1 × Arroz largo 1 kg: $ 1.200,50", "• Queso cremoso: afuera", "Total: $ 4.900,50"],
        ),
    ],
)
def test_each_kind_of_change(operations: list[dict[str, Any]], lines: list[str]) -> None:
    """Weights are told as at the counter."""
    talk = Conversation(cart=(MILK_ITEM, CHEESE_ITEM))
    talk.answered("cambiame el arroz", **ORDERED, cart_operations=operations)
    assert talk.lines[2:] == ["Cambios en tu carrito:", *lines]


def test_an_emptied_cart() -> None:
    """Says so, and can be brought back."""
    talk = Conversation(cart=(MILK_ITEM, RICE_ITEM))
    talk.answered("vaciá todo", intent="clear_cart", reply="Dale.", cart_operations=[{"op": "clear"}])
    assert talk.lines == ["Dale.", "", "Tu carrito está vacío."]
    talk.done(tap(talk.offers[0]))
    assert talk.session.cart == (MILK_ITEM, RICE_ITEM)


def test_what_is_not_possible_is_told_in_our_words_alone() -> None:
    """The model's may say that it was done; the rest is done, and told."""
    talk = Conversation(cart=(RICE_ITEM,))
    operations = [add(MILK, 120), add(CHEESE, "0.5")]
    decision = talk.answered("120 leches y medio de queso", **ORDERED, cart_operations=operations)
    assert talk.lines == [
        "De Leche entera Nubelinda 1 L podés llevar hasta 99 por pedido: no cambié nada de eso.",
        "Cambios en tu carrito:",
        "• 500 g de Queso cremoso: $ 4.500,00",
        "Total: $ 5.700,50",
    ]
    assert (decision.effects.proposed, decision.effects.refused) == (2, 1)


def test_where_nothing_was_possible_the_cart_is_shown() -> None:
    """As it is."""
    talk = Conversation(cart=(RICE_ITEM,))
    talk.answered("120 leches", **ORDERED, cart_operations=[add(MILK, 120)])
    assert talk.lines[1:] == ["En tu carrito:", "• 1 × Arroz largo 1 kg: $ 1.200,50", "Total: $ 1.200,50"]
    assert talk.offers == ["view_cart", "checkout"]


def test_operations_that_change_nothing_leave_no_word_of_a_change() -> None:
    """ "Agregué 2 leches" where there are two already: the cart is shown instead."""
    talk = Conversation(cart=(MILK_ITEM,))
    operations = [add(MILK, 2, "set")]
    decision = talk.answered("poneme 2 leches", intent="add_to_cart", reply="Agregué 2.", cart_operations=operations)
    assert talk.lines == ["En tu carrito:", "• 2 × Leche entera Nubelinda 1 L: $ 3.700,00", "Total: $ 3.700,00"]
    assert decision.effects.cart is None
    assert talk.session.context.undo is None


def test_a_change_that_was_not_made_may_not_be_claimed() -> None:
    """Without an operation the answer is refused."""
    with pytest.raises(RefusedChange, match="cart has changed"):
        Conversation(cart=(MILK_ITEM,)).answered("agregame 2 leches", intent="add_to_cart", reply="Agregué 2 leches.")


def test_the_cart_is_shown_in_our_words_alone() -> None:
    """Whatever a model makes of it."""
    talk = Conversation(cart=(MILK_ITEM,))
    talk.answered("qué llevo hasta ahora", intent="view_cart", reply="Llevás 2 leches.")
    assert talk.lines[0] == "En tu carrito:"
    empty = Conversation()
    empty.answered("qué llevo hasta ahora", intent="view_cart", reply="Nada todavía.")
    assert (empty.lines, empty.offers) == (["Tu carrito está vacío."], ["view_cart"])


def test_long_words_leave_room_for_what_changed() -> None:
    """A model's are cut, ours are not: a text above buttons is short."""
    cart = tuple(CartItem(100 + number, "x" * 300, Decimal(1000), Decimal(1)) for number in range(30))
    talk = Conversation(cart=cart)
    operations = [{"op": "remove", "product_id": 100 + number} for number in range(15)]
    reply = " ".join(f"Bien, como digas, caso {chr(97 + number)}." for number in range(26)) * 2
    talk.answered("sacá eso", intent="remove_from_cart", reply=reply, cart_operations=operations)
    assert len(talk.reply.text) <= MAX_INTERACTIVE_CHARS
    assert talk.lines[-2:] == ["• y 5 productos más", "Total: $ 15.000,00"]


def test_all_problems_are_told() -> None:
    """Six of a cart of the catalogue, and the cart as it is below them."""
    sold = [
        replace(MILK, id=number, name=f"Leche {number}", sku=f"S-{number}", stock=Decimal(0)) for number in range(6)
    ]
    talk = Conversation(sold=sold, cart=(RICE_ITEM,))
    talk.done(cart_of(*((product.sku, 1) for product in sold)))
    assert sum("no cambié nada de eso" in line for line in talk.lines) == 6
    assert talk.lines[-1] == "Total: $ 1.200,50"


def test_the_last_line_taken_out_during_the_checkout_is_told_once() -> None:
    """That the cart is empty now is no news twice."""
    talk = Conversation(cart=(MILK_ITEM,))
    talk.done("finalizar")
    talk.answered(
        "sacá la leche", intent="remove_from_cart", reply="Va.", cart_operations=[{"op": "remove", "product_id": 7}]
    )
    assert talk.lines == ["Tu carrito está vacío."]


def test_who_needs_a_person_gets_no_question_of_the_checkout() -> None:
    """The wait for a person begins, and what was changed is told."""
    talk = Conversation(cart=(MILK_ITEM,))
    talk.answered(
        "quiero pagar pero me cobraron dos veces", intent="checkout", reply="Te ayuda una persona.", requires_human=True
    )
    assert talk.reply.requires_human
    assert talk.lines == ["Te ayuda una persona."]
    assert talk.session.context.human_until is not None


def test_many_problems_leave_room_for_the_cart() -> None:
    """The first ones are told, and how many more there are."""
    sold = [replace(MILK, id=number, name="y" * 200, sku=f"S-{number}", stock=Decimal(0)) for number in range(20, 24)]
    cart = tuple(CartItem(100 + number, "x" * 300, Decimal(123_456), Decimal(99)) for number in range(12))
    talk = Conversation(sold=sold, cart=cart)
    talk.answered("quiero leche", **ORDERED, cart_operations=[add(product) for product in sold])
    assert len(talk.reply.text) <= MAX_INTERACTIVE_CHARS
    assert talk.lines[-1].startswith("Total: ")


def test_a_model_moves_no_checkout() -> None:
    """Its states are those of looking and choosing."""
    for state in ("checkout", "waiting_address", "confirming_order", "order_completed"):
        talk = Conversation(cart=(MILK_ITEM,))
        talk.answered("hola qué tal", intent="greeting", reply="¡Hola!", next_state=state)
        assert talk.session.state == "browsing"
    for state in MODEL_STATES:
        talk.answered("hola qué tal", intent="greeting", reply="¡Hola!", next_state=state)
        assert talk.session.state == state


def test_who_wants_to_pay_gets_the_next_question_of_the_checkout() -> None:
    """In our words; a question about paying gets its answer first."""
    talk = Conversation(cart=(MILK_ITEM,))
    talk.answered("quiero cerrar la compra ya mismo", intent="checkout", reply="Tu compra va.")
    assert talk.lines == ["¿Te lo enviamos o lo retirás?"]
    talk = Conversation(cart=(MILK_ITEM,))
    talk.answered("¿cómo puedo pagar?", intent="checkout", reply="Con efectivo o Mercado Pago.")
    assert talk.lines == ["Con efectivo o Mercado Pago."]


def test_a_change_during_the_checkout_is_told_before_its_next_step() -> None:
    """The summary is made anew, and can be confirmed under its new version."""
    ready = Checkout(delivery="pickup", payment="efectivo")
    talk = Conversation(cart=(MILK_ITEM,), context={"checkout": ready})
    talk.done("finalizar")
    old = talk.offers[0]
    talk.answered("sumale un arroz", **ORDERED, cart_operations=[add(RICE)])
    assert talk.lines[:4] == ["Cambios en tu carrito:", "• 1 × Arroz largo 1 kg: $ 1.200,50", "Total: $ 4.900,50", ""]
    assert talk.lines[-1] == "¿Lo confirmo?"
    assert talk.offers == [f"confirm:{talk.session.context.version}", "undo:token2", "change"]
    assert old != talk.offers[0]


def test_an_answer_for_everybody_knows_nobody() -> None:
    """Neither a cart nor a summary of anyone's stands in it, and so none in the cache."""
    turn = replace(turn_of("tenes leche?"), plan=replace(plan_of("tenes leche?", MILK), searched=1))
    scene = scene_of(turn, GROCER)
    assert scene.session is NOBODY
    decision = told(made(intent="search_product", reply="Hay."), scene)
    assert (decision.effects.cart, decision.effects.version, decision.quick_replies) == (None, "", ())
    assert decision.choices is not None
    assert [row.id for row in decision.choices.rows] == ["add:LAC-7"]


@pytest.mark.parametrize("intent", ["view_cart", "checkout", "greeting"])
def test_an_answer_for_everybody_shows_no_cart_and_asks_for_no_detail(intent: str) -> None:
    """Whatever it is thought to be about."""
    scene = Scene(GROCER, NOBODY, "v", (MILK,), text="Av. Corrientes 1234")
    decision = told(made(intent=intent, reply="Hola.", entities={"address": "Corrientes 1234"}), scene)
    assert (decision.reply, decision.effects, decision.quick_replies) == ("Hola.", Effects(), ())


@pytest.mark.parametrize("intent", sorted(OF_ONE_CUSTOMER))
def test_an_answer_for_everybody_is_about_nobodys_cart(intent: str) -> None:
    """How to order is a question like any other, and what was understood is of nobody."""
    turn = turn_of("como hago un pedido", plan=plan_of("como hago un pedido"))
    answer = decision_of(intent=intent, reply="Escribime lo que buscás.", entities={"address": "Palermo Soho"})
    decision = decide(json.dumps(answer), turn.planned(), scene_of(turn, GROCER))
    assert (decision.intent, decision.entities, decision.reply) == ("support", {}, "Escribime lo que buscás.")
    assert decision.effects == Effects()


def test_the_list_follows_the_words() -> None:
    """Its second row is the reply's second product; those that were shown before are not in it."""
    assert by_mention("Arroz largo y después LECHE ENTERA", [MILK, CHEESE, RICE]) == [RICE, MILK, CHEESE]
    scene = Scene(GROCER, Conversation().session, "v", (MILK, RICE, CHEESE), searched=2, text="qué hay?")
    decision = told(made(intent="browse_category", reply="Tengo arroz largo y leche entera."), scene)
    assert decision.choices is not None
    assert [row.id for row in decision.choices.rows] == ["add:ALM-8", "add:LAC-7"]


def test_sections_have_no_list_of_products_that_they_do_not_name() -> None:
    """The search for "menu" finds whatever is called nearly so; a search that tells nothing of them shows them."""
    scene = Scene(GROCER, Conversation().session, "v", (MILK,), searched=1, text="menu")
    sections = "Tenemos:\n• Lácteos\n¿Qué te gustaría ver?"
    for intent, reply, shown in (
        ("browse_category", sections, None),
        ("browse_category", "Tenemos leches. ¿Cuál querés?", ["add:LAC-7"]),
        ("search_product", sections, ["add:LAC-7"]),
    ):
        choices = told(made(intent=intent, reply=reply), scene).choices
        assert (choices and [row.id for row in choices.rows]) == shown


def test_who_is_handed_over_gets_no_list() -> None:
    """A person answers."""
    scene = Scene(GROCER, Conversation().session, "v", (MILK,), searched=1)
    assert told(made(intent="search_product", reply="x", requires_human=True), scene).choices is None
