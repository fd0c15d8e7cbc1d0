"""Replies that need no model: they fit what was asked, promise nothing, and claim nothing that did not happen."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, get_args

import pytest
from helpers.conversations import GROCER
from helpers.turns import (
    CHEESE,
    MILK,
    MILK_ITEM,
    RICE,
    RICE_ITEM,
    SHOP,
    closing_row,
    message,
    plan_of,
    session_of,
    turn_of,
)
from msgspec import to_builtins
from msgspec.structs import replace

from worker.language.classifier import guess_intent
from worker.language.normalise import normalised
from worker.language.topics import asks_for_person
from worker.messages.reply import MAX_INTERACTIVE_CHARS, MAX_QUICK_REPLIES, MAX_TITLE_CHARS
from worker.replies.claims import check_claims, facts_of
from worker.replies.decision import Intent
from worker.replies.fallback import fallback_decision, unreadable_decision
from worker.replies.prompt import render
from worker.replies.scene import NOBODY, Scene
from worker.session.cart import Cart, CartItem
from worker.session.handover import BUTTON, pressed_for_person
from worker.session.outcome import Decision, Outcome
from worker.session.session import Checkout
from worker.shop.shop import FORMS, Shop

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
SAID = {
    "greeting": "hola!",
    "search_product": "tenes leche descremada?",
    "browse_category": "menú",
    "add_to_cart": "agregame 2 leches",
    "modify_cart_quantity": "cambiame las leches a 3",
    "remove_from_cart": "sacame la leche",
    "clear_cart": "vacia el carrito",
    "view_cart": "ver carrito",
    "checkout": "quiero pagar",
    "support": "a que hora abren?",
    "unknown": "si",
}
EVERY_KIND = [
    (said, cart, requires_human, refused)
    for said in SAID.values()
    for cart in (None, (), (MILK_ITEM,))
    for requires_human in (False, True)
    for refused in (False, True)
    if not (requires_human and refused)
]


def scene_of(said: str, cart: Cart | None = (), shop: Shop = SHOP, **context: Any) -> Scene:
    """What a fallback is made from. cart: None where the answer is everybody's."""
    state = context.pop("state", "browsing")
    session = NOBODY if cart is None else session_of(cart=cart, state=state, context=context)
    return Scene(shop, session, "v1", text=said)


def made(said: str, cart: Cart | None = (), **told: bool) -> Decision:
    """The fallback for these words."""
    return fallback_decision(scene_of(said, cart), **told)


def titles(decision: Decision) -> list[str]:
    """The titles of its buttons."""
    return [button.title for button in decision.quick_replies]


def text(name: str, **values: object) -> str:
    """A fixed text of the shop's."""
    return SHOP.text(name, **values)


@pytest.mark.parametrize("form", FORMS)
def test_every_intent_has_its_own_words(form: str) -> None:
    """None is forgotten, and no two sound the same, in each form of address."""
    shop = replace(SHOP, form=form)
    assert set(get_args(Intent)) == set(SAID)
    assert len({shop.text(f"fallback.{intent}") for intent in SAID}) == len(SAID)


@pytest.mark.parametrize(("intent", "said"), SAID.items())
def test_the_reply_fits_what_was_asked(intent: str, said: str) -> None:
    """The guessed intent and its words; it is nobody's estimate, so there is no confidence."""
    decision = made(said, None)
    assert (decision.intent, decision.confidence) == (intent, 0.0)
    assert decision.reply.startswith(text(f"fallback.{intent}"))
    assert "guardado" in decision.reply
    assert text("fallback.try_again") in decision.reply


@pytest.mark.parametrize(("said", "cart", "requires_human", "refused"), EVERY_KIND)
def test_it_can_be_sent_and_stored(said: str, cart: Cart | None, requires_human: bool, refused: bool) -> None:
    """Within WhatsApp's limits; it changes no cart and places no order."""
    decision = made(said, cart, requires_human=requires_human, refused=refused)
    assert decision.reply
    assert (decision.cart_operations, decision.effects.cart, decision.effects.orders) == ((), None, ())
    assert len(decision.quick_replies) <= MAX_QUICK_REPLIES
    assert all(len(title) <= MAX_TITLE_CHARS for title in titles(decision))
    assert len(set(titles(decision))) == len(titles(decision))


@pytest.mark.parametrize(("said", "cart", "requires_human", "refused"), EVERY_KIND)
def test_it_claims_nothing_and_names_no_figure_of_its_own(
    said: str, cart: Cart | None, requires_human: bool, refused: bool
) -> None:
    """By the check that a model's words go through."""
    decision = made(said, cart, requires_human=requires_human, refused=refused)
    request = render(SHOP, said, [], [MILK], session_of(cart=cart or ()))
    check_claims(decision, facts_of(request.user, request.system), changes=False)


@pytest.mark.parametrize(
    "intent", ["add_to_cart", "modify_cart_quantity", "remove_from_cart", "clear_cart", "checkout", "unknown"]
)
def test_who_wanted_a_change_is_told_that_there_was_none(intent: str) -> None:
    """A yes, too, may have been meant for the cart."""
    assert text("fallback.unchanged") in made(SAID[intent], None).reply


def test_who_greeted_hears_nothing_of_a_cart() -> None:
    """It would only puzzle."""
    assert "carrito" not in made(SAID["greeting"]).reply


def test_the_cart_is_shown_where_it_is_known() -> None:
    """That needs no model; how many of what, and what it costs."""
    decision = made(SAID["view_cart"], (MILK_ITEM, RICE_ITEM))
    assert decision.reply.splitlines() == [
        "En tu carrito:",
        "• 2 × Leche entera Nubelinda 1 L: $ 3.700,00",
        "• 1 × Arroz largo 1 kg: $ 1.200,50",
        "Total: $ 4.900,50",
    ]
    assert titles(decision) == ["Ver carrito", "Finalizar compra"]
    assert made(SAID["view_cart"], ()).reply == text("cart.empty")
    assert titles(made(SAID["view_cart"], None))[0] == "Menú"


def test_a_cart_is_shown_to_nobody_who_did_not_ask() -> None:
    """Whatever else was wanted."""
    others = [said for intent, said in SAID.items() if intent not in ("view_cart", "checkout")]
    assert not any("Leche" in made(said, (MILK_ITEM,)).reply for said in others)


def test_a_long_cart_fits() -> None:
    """With the longest names, its total still stands at the end."""
    cart = tuple(CartItem(each, f"{each} {'x' * 150}", Decimal(12_345), Decimal(99)) for each in range(13))
    reply = made(SAID["view_cart"], cart).reply
    assert len(reply) <= MAX_INTERACTIVE_CHARS
    assert reply.splitlines()[-2] == "• y 3 productos más"
    assert reply.splitlines()[-1].startswith("Total: ")


def test_products_that_were_found_are_listed() -> None:
    """Numbered as the rows of the list; only what this message has asked for, and what can be bought."""
    sold_out = replace(RICE, stock=Decimal(0))
    scene = replace(scene_of(SAID["search_product"], None), products=(MILK, sold_out, CHEESE, RICE), searched=3)
    decision = fallback_decision(scene)
    assert decision.reply.splitlines() == [
        "Esto encontré:",
        "1. Leche entera Nubelinda 1 L: $ 1.850,00",
        "2. Queso cremoso: $ 9.000,00",
        "Tocá una opción o escribime el número.",
    ]
    assert decision.choices is not None
    assert [row.id for row in decision.choices.rows] == ["add:LAC-7", "add:FIA-9"]
    nothing = replace(scene, products=(sold_out,), searched=1)
    assert fallback_decision(nothing).reply.startswith(text("fallback.search_product"))


def test_the_checkout_goes_on() -> None:
    """Its questions need no model, and an answer to one is not lost."""
    decision = fallback_decision(scene_of("bueno, quiero pagar todo eso", (MILK_ITEM,), GROCER))
    assert decision.reply == GROCER.text("checkout.how_delivered")
    assert decision.effects.asking == "delivery"
    asked = {"checkout": to_builtins(Checkout(delivery="delivery")), "asking": "address", "state": "waiting_address"}
    decision = fallback_decision(scene_of("mz 4 casa 12, palermo", (MILK_ITEM,), GROCER, **asked))
    assert decision.effects.checkout == Checkout("delivery", "mz 4 casa 12, palermo", "Palermo")
    assert decision.effects.asking == "payment"
    question = fallback_decision(scene_of("cuánto sale el envío?", (MILK_ITEM,), GROCER, **asked))
    assert question.effects.checkout is None
    assert text("fallback.try_again") in question.reply


def test_a_refused_change_asks_for_other_words() -> None:
    """The same words would be refused again; whatever they were, the cart is as it was."""
    for said in SAID.values():
        reply = made(said, None, refused=True).reply
        assert text("fallback.unchanged") in reply
        assert text("fallback.say_otherwise") in reply
        assert text("fallback.try_again") not in reply


def test_a_handover_says_that_a_person_answers_and_offers_no_button() -> None:
    """For a while nobody else does, so neither another try nor a button would be of use."""
    decision = made("que me conviene para 20 personas?", requires_human=True)
    assert decision.requires_human is True
    assert decision.reply.endswith(text("handover.asked"))
    assert text("fallback.try_again") not in decision.reply
    assert decision.quick_replies == ()
    assert made(SAID["view_cart"], (MILK_ITEM,), requires_human=True).quick_replies == ()


def test_after_a_handover_the_customer_has_been_told() -> None:
    """The line is not said a second time, which only holds because the fallback says it."""
    turn = turn_of("que conviene mas?", plan=plan_of("que conviene mas?", MILK))
    row = closing_row(replace(turn, outcome=Outcome("fallback", made(turn.text, requires_human=True))), NOW)
    assert row["session"]["context_data"]["human_told"] is True
    assert text("handover.asked") in row["reply"]["text"]


def test_the_buttons_do_what_they_say() -> None:
    """Each title, tapped, is understood as what it stands for."""
    assert guess_intent("Menú") == "browse_category"
    assert guess_intent("Ver carrito") == "view_cart"
    assert asks_for_person(normalised("Hablar con alguien"))
    assert pressed_for_person(turn_of(messages=(message("Hablar con alguien", selection_id=BUTTON),)))


def test_what_cannot_be_read_is_named() -> None:
    """A kind that WhatsApp adds gets the general words."""
    assert unreadable_decision(SHOP, "audio").reply == text("unreadable.audio")
    assert unreadable_decision(SHOP, "hologram").reply == text("unreadable.other")
