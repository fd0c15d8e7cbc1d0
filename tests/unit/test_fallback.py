"""Replies that need no model: they fit what was asked, promise nothing, and claim nothing that did not happen."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import get_args

import pytest
from helpers.turns import MILK, MILK_ITEM, RICE_ITEM, closing_row, message, plan_of, turn_of
from msgspec import json
from msgspec.structs import replace
from worker.replies.cart_guard import CLAIMING, DENYING
from worker.replies.cart_limits import MAX_LINES

from worker.language.handover_request import asks_for_person
from worker.language.normalise import normalised
from worker.messages.reply import MAX_QUICK_REPLIES, MAX_TEXT_CHARS, MAX_TITLE_CHARS
from worker.replies.decision import Intent, parse_decision
from worker.replies.fallback import (
    EMPTY_CART,
    FALLBACKS,
    HANDOVER_TEXT,
    SAY_OTHERWISE,
    TRY_AGAIN,
    UNCHANGED,
    fallback_decision,
)
from worker.session.cart import CartItem
from worker.session.handover import BUTTON, pressed_for_person
from worker.session.outcome import Decision, Outcome

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


def titles(decision: Decision) -> list[str]:
    """The titles of its buttons."""
    return [button.title for button in decision.quick_replies]


def test_every_intent_has_its_own_words() -> None:
    """None is forgotten, and no two sound the same."""
    assert set(FALLBACKS) == set(get_args(Intent)) == set(SAID)
    assert len({lead for lead, _ in FALLBACKS.values()}) == len(FALLBACKS)


@pytest.mark.parametrize(("intent", "said"), SAID.items())
def test_the_reply_fits_what_was_asked(intent: str, said: str) -> None:
    """The guessed intent and its words; it is nobody's estimate, so there is no confidence."""
    decision = fallback_decision(said)
    assert (decision.intent, decision.confidence) == (intent, 0.0)
    assert decision.reply.startswith(FALLBACKS[intent][0])
    assert "guardado" in decision.reply
    assert TRY_AGAIN in decision.reply


@pytest.mark.parametrize(("said", "cart", "requires_human", "refused"), EVERY_KIND)
def test_it_can_be_sent_and_stored(
    said: str, cart: tuple[CartItem, ...] | None, requires_human: bool, refused: bool
) -> None:
    """A valid decision within WhatsApp's limits that changes no cart."""
    decision = fallback_decision(said, cart, requires_human=requires_human, refused=refused)
    read = parse_decision(json.encode(decision).decode(), ())
    assert read.cart_operations == ()
    assert len(read.quick_replies) == len(decision.quick_replies) <= MAX_QUICK_REPLIES
    assert all(len(title) <= MAX_TITLE_CHARS for title in titles(decision))
    assert len(set(titles(decision))) == len(titles(decision))


@pytest.mark.parametrize(("said", "cart", "requires_human", "refused"), EVERY_KIND)
def test_it_claims_no_change_and_names_no_price(
    said: str, cart: tuple[CartItem, ...] | None, requires_human: bool, refused: bool
) -> None:
    """The service cannot know a price or a stock without asking, and did nothing."""
    reply = fallback_decision(said, cart, requires_human=requires_human, refused=refused).reply
    assert not re.search(r"\$|\bars\b|stock|precio|1850", reply.lower())
    assert not CLAIMING.search(DENYING.sub("", reply.lower()))


@pytest.mark.parametrize(
    "intent", ["add_to_cart", "modify_cart_quantity", "remove_from_cart", "clear_cart", "checkout", "unknown"]
)
def test_who_wanted_a_change_is_told_that_there_was_none(intent: str) -> None:
    """A yes, too, may have been meant for the cart."""
    assert UNCHANGED in fallback_decision(SAID[intent]).reply


def test_who_greeted_hears_nothing_of_a_cart() -> None:
    """It would only puzzle."""
    assert "carrito" not in fallback_decision(SAID["greeting"]).reply


def test_the_cart_is_shown_where_it_is_known() -> None:
    """That needs no model; how many of what, as the session has it."""
    decision = fallback_decision(SAID["view_cart"], (MILK_ITEM, RICE_ITEM))
    assert "• 2 × Leche entera Nubelinda 1 L\n• 1 × Arroz largo 1 kg\n" in decision.reply
    assert titles(decision) == ["Menú", "Hablar con alguien"]
    assert EMPTY_CART in fallback_decision(SAID["view_cart"], ()).reply
    assert titles(fallback_decision(SAID["view_cart"]))[0] == "Ver carrito"


def test_a_cart_is_shown_to_nobody_who_did_not_ask() -> None:
    """Whatever else was wanted."""
    others = [said for intent, said in SAID.items() if intent != "view_cart"]
    assert not any("Leche" in fallback_decision(said, (MILK_ITEM,)).reply for said in others)


def test_a_long_cart_leaves_room_for_the_rest() -> None:
    """With the longest names, what to do next still stands at the end."""
    for number, more in ((MAX_LINES, ""), (MAX_LINES + 3, "• y 3 productos más")):
        cart = [CartItem(each, f"{each} {'x' * 150}", 1.0, 99) for each in range(number)]
        reply = fallback_decision(SAID["view_cart"], cart).reply
        assert more in reply
        assert reply.count("•") == MAX_LINES + bool(more)
        assert len(reply) <= MAX_TEXT_CHARS
        assert reply.endswith("elegí una opción.")


def test_a_refused_change_asks_for_other_words() -> None:
    """The same words would be refused again; whatever they were, the cart is as it was."""
    for said in SAID.values():
        reply = fallback_decision(said, refused=True).reply
        assert UNCHANGED in reply
        assert SAY_OTHERWISE in reply
        assert TRY_AGAIN not in reply


def test_a_handover_says_that_a_person_answers_and_offers_no_button() -> None:
    """For a while nobody else does, so neither another try nor a button would be of use."""
    decision = fallback_decision("que me conviene para 20 personas?", requires_human=True)
    assert decision.requires_human is True
    assert decision.reply.endswith(HANDOVER_TEXT)
    assert TRY_AGAIN not in decision.reply
    assert decision.quick_replies == ()


def test_after_a_handover_the_customer_has_been_told() -> None:
    """The line is not said a second time, which only holds because the fallback says it."""
    turn = turn_of("que conviene mas?", plan=plan_of("que conviene mas?", MILK))
    decided = replace(turn, outcome=Outcome("fallback", fallback_decision(turn.text, requires_human=True)))
    row = closing_row(decided, NOW)
    assert row["session"]["context_data"]["human_told"] is True
    assert HANDOVER_TEXT in row["reply"]["text"]


def test_the_buttons_do_what_they_say() -> None:
    """Each title, tapped, is understood as what it stands for."""
    assert fallback_decision("Menú").intent == "browse_category"
    assert fallback_decision("Ver carrito").intent == "view_cart"
    assert asks_for_person(normalised("Hablar con alguien"))
    assert pressed_for_person(turn_of(messages=(message("Hablar con alguien", selection_id=BUTTON),)))
