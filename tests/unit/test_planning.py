"""Plans of a batch: what everybody may ask is rendered once, and everybody gets what he would have got alone."""

from __future__ import annotations

import json
from collections import defaultdict

import pytest
from helpers.factories import ANA, BRUNO
from helpers.turns import CATEGORIES, MILK, SHOP, message, planned, session_of, turn_of
from msgspec.structs import replace

from worker.language.product_words import USUAL_GOODS
from worker.messages.content import read_content
from worker.replies.catalog_orders import MAX_ORDERED, note_of, ordered_terms, with_names
from worker.session.turn import Plan, Turn
from worker.steps.planning import terms_of, with_plan

#: One question in two words, of one complexity or of two; what leans on its conversation; a story.
TEXTS = (
    "tenes leche?",
    "Hola, me decís si tienen leche",
    "tenés algo para una picada",
    "me recomendás algo para una picada?",
    "2",
    "2",
    "mi pedido llegó sin la leche",
)


def together(*turns: Turn) -> list[Turn]:
    """The turns as one batch leaves them."""
    made: dict[str, Plan] = {}
    found = defaultdict(lambda: [MILK])
    return [with_plan(turn, SHOP, CATEGORIES, found, USUAL_GOODS, made) for turn in turns]


@pytest.mark.parametrize("first", [ANA, BRUNO])
def test_a_batch_changes_nothing_for_its_turns(first: str) -> None:
    """Request, key, complexity and products are those of the turn alone."""
    turns = [turn_of(text, first if place % 2 else ANA) for place, text in enumerate(TEXTS)]
    assert together(*turns) == [planned(turn, MILK) for turn in turns]


def test_what_everybody_may_ask_is_rendered_once() -> None:
    """And what leans on a conversation for each."""
    one, same, third, fourth = (turn.planned() for turn in together(*(turn_of(t) for t in (*TEXTS[:2], "2", "2"))))
    assert one.user is same.user
    assert third.user is not fourth.user


def test_a_cart_of_the_catalogue_is_searched_by_its_ids() -> None:
    """And told to the model by name; what the shop does not have keeps its id, and nothing else is offered for it."""
    cart = replace(message("Pedido: 2 x LAC-1, 1 x T-0001. sin bolsa, 3 x favor"), type="order")
    turn = turn_of(messages=(cart, message("y yerba")))
    terms = terms_of(turn, USUAL_GOODS)
    assert terms[:2] == ("#LAC-1", "#T-0001")
    assert terms[-1] == "yerba"
    found = {term: [] for term in terms} | {"#LAC-1": [MILK]}
    plan = with_plan(turn, SHOP, CATEGORIES, found, USUAL_GOODS, {}).planned()
    told = json.loads(plan.user)
    assert told["message"].startswith(f"Pedido: 2 x {told['products'][0]['name']}, 1 x T-0001. sin bolsa")
    assert [product["id"] for product in plan.products] == [MILK["id"]]
    assert not plan.shared


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("Pedido: 2 x LAC-1. agregame también una yerba y 2 leches", ("#LAC-1", "yerba", "leches")),
        ("Pedido: 2 x  LAC-1 ", ("#LAC-1",)),
        ("quiero 2 leches", ("leches",)),
        ("2 leches, 1 x pan lactal y yerba", ("leches", "pan lactal", "yerba")),
        ("gracias", ("arroz",)),
    ],
)
def test_what_is_written_beside_a_cart_is_searched_too(text: str, terms: tuple[str, ...]) -> None:
    """A note, or a whole text where there are no items; where nothing is named, what was last spoken of."""
    cart = replace(message(text), type="order")
    turn = turn_of(messages=(cart,), session=session_of(context={"terms": ["arroz"]}))
    assert terms_of(turn, USUAL_GOODS) == terms


def test_a_cart_as_it_is_read_from_a_webhook_is_searched() -> None:
    """Who writes its line and who reads it are of one mind."""
    items = [{"product_retailer_id": sku, "quantity": number} for number, sku in enumerate(("LAC-1", "T 2"), 1)]
    text = read_content("order", {"order": {"product_items": items, "text": "sin bolsa"}}).text
    assert text is not None
    assert ordered_terms(text) == ("#LAC-1", "#T 2")
    assert note_of(text) == ". sin bolsa"
    assert with_names(text, {"#T 2": "Té"}) == text.replace("T 2", "Té")


def test_a_cart_is_searched_whole() -> None:
    """Up to as many products as WhatsApp's carts hold, and in any text that is no cart there are none."""
    items = ", ".join(f"1 x SKU {number}" for number in range(40))
    assert ordered_terms(f"Pedido: {items}") == tuple(f"#SKU {number}" for number in range(MAX_ORDERED))
    assert ordered_terms("quiero 2 x leche") == ()
