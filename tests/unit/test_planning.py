"""Plans of a batch: what everybody may ask is rendered once, and everybody gets what he would have got alone."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence

import pytest
from helpers.factories import ANA, BRUNO
from helpers.turns import CATEGORIES, MILK, SHOP, message, planned, session_of, turn_of
from msgspec.structs import replace

from worker.catalog.product import Product
from worker.catalog.search import MAX_RESULTS
from worker.language.product_words import USUAL_PRODUCT_WORDS
from worker.messages.content import read_content
from worker.session.turn import Turn
from worker.session.turn_message import TurnMessage
from worker.steps.planning import FIRST_OF_MANY, MANY_TERMS, Planner
from worker.steps.question import MAX_ORDERED, Reader

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
    planner, reader = Planner(SHOP, CATEGORIES, defaultdict(lambda: (MILK,))), Reader(USUAL_PRODUCT_WORDS)
    return [planner.planned(turn, reader.question(turn)) for turn in turns]


def order_of(skus: Sequence[str], note: str | None = None, number: int = 1) -> TurnMessage:
    """A cart from the catalogue, as it is read from a webhook: 1 of the first product, 2 of the second."""
    items = [{"product_retailer_id": sku, "quantity": count} for count, sku in enumerate(skus, 1)]
    content = read_content("order", {"order": {"product_items": items, "text": note}})
    return replace(message(content.text, number), type="order", order=content.order)


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


@pytest.mark.parametrize(
    ("text", "reason"),
    [("y leche?", "leans"), ("tenes xyzabc", "unknown"), ("leche horario", "no_frame"), ("leche", "")],
)
def test_why_a_text_is_not_everybodys_is_known(text: str, reason: str) -> None:
    """For the counters: the kind of the reason, and no word."""
    assert Reader(USUAL_PRODUCT_WORDS).question(turn_of(text)).unshared == reason


@pytest.mark.parametrize(
    ("text", "complexity"), [("esa", "medium"), ("dlae", "medium"), ("gracias leche", "simple"), ("hola", "simple")]
)
def test_a_bare_answer_is_not_simple(text: str, complexity: str) -> None:
    """What it means stands in the history: where there is none, and where something is named, the words tell all."""
    history = [{"customer": "tenes leche", "reply": "Tengo Leche entera a $ 1.850. ¿La llevás?"}]
    asked = Reader(USUAL_PRODUCT_WORDS).question(turn_of(text, session=session_of(context={"history": history})))
    assert asked.complexity == complexity
    assert Reader(USUAL_PRODUCT_WORDS).question(turn_of(text)).complexity == "simple"


def test_a_cart_of_the_catalogue_is_searched_by_its_ids() -> None:
    """And told to the model by name; what the shop does not have keeps its id, and nothing else is offered for it."""
    cart = order_of(("LAC-1", "T-0001"), "sin bolsa, 3 x favor")
    turn = turn_of(messages=(cart, message("y yerba", 2)))
    question = Reader(USUAL_PRODUCT_WORDS).question(turn)
    assert question.terms[:2] == ("#LAC-1", "#T-0001")
    assert question.terms[-1] == "yerba"
    found: dict[str, tuple[Product, ...]] = dict.fromkeys(question.terms, ()) | {"#LAC-1": (MILK,)}
    plan = Planner(SHOP, CATEGORIES, found).planned(turn, question).planned()
    told = json.loads(plan.user)
    assert told["message"] == f"Pedido: 1 x {MILK.full_name}, 2 x T-0001. sin bolsa, 3 x favor\ny yerba"
    assert plan.products == (MILK,)
    assert not plan.shared


def test_a_long_list_has_fewer_products_of_each() -> None:
    """So that the request of a shopping list stays about as large as another."""
    found = tuple(replace(MILK, id=number) for number in range(MAX_RESULTS))
    for count, most in ((MANY_TERMS, MAX_RESULTS), (MANY_TERMS + 1, FIRST_OF_MANY)):
        turn = turn_of("\n".join(f"2 cosa{number}" for number in range(count)))
        question = Reader(USUAL_PRODUCT_WORDS).question(turn)
        plan = Planner(SHOP, CATEGORIES, dict.fromkeys(question.terms, found)).planned(turn, question).planned()
        assert (len(question.terms), len(plan.products)) == (count, most)


@pytest.mark.parametrize(("searched", "terms"), [(["leche"], ("leche", "arroz largo")), ([], ("yerba", "arroz largo"))])
def test_who_agrees_speaks_of_what_was_named_last(searched: list[str], terms: tuple[str, ...]) -> None:
    """By the customer, searched for or not, or by the shop, also by a person."""
    history = [{"customer": "y yerba?", "reply": "Sí."}, {"customer": "ah", "reply": "¿Le agrego Arroz largo a $ 900?"}]
    turn = turn_of("dale", session=session_of(context={"history": history, "terms": searched}))
    assert Reader(USUAL_PRODUCT_WORDS).question(turn).searches == terms


@pytest.mark.parametrize(
    ("cart", "terms"),
    [
        (order_of(["LAC-1"], "agregame también una yerba y 2 leches"), ("#LAC-1", "yerba", "leches")),
        (order_of([" LAC-1 "]), ("#LAC-1",)),
        (order_of([], "quiero 2 leches"), ("leches",)),
        (order_of([], "2 leches, 1 x pan lactal y yerba"), ("leches", "pan lactal", "yerba")),
        (order_of([], "gracias"), ()),
        (replace(message("Pedido: 2 x LAC-1. y yerba"), type="order"), ("lac 1", "yerba")),
    ],
)
def test_what_is_written_beside_a_cart_is_searched_too(cart: TurnMessage, terms: tuple[str, ...]) -> None:
    """A note, or a whole text where there are no items, as in messages from before items were kept. What the last
    replies have shown stays offered behind it.
    """
    turn = turn_of(messages=(cart,), session=session_of(context={"shown": ["ALM-8"]}))
    question = Reader(USUAL_PRODUCT_WORDS).question(turn)
    assert (question.terms, question.shown) == (terms, ("#ALM-8",))
    assert question.searches[: len(terms) + 1] == (*terms, "#ALM-8")


def test_a_cart_that_was_accepted_as_words_needs_its_session_and_is_told_as_it_is() -> None:
    """A message that an older version has accepted, and that this one answers."""
    words = "Pedido: 2 x LAC-1, 1 x T-0001. sin bolsa"
    plan = planned(turn_of(messages=(replace(message(words), type="order"),)), MILK).planned()
    assert json.loads(plan.user)["message"] == words
    assert not plan.shared


def test_a_cart_is_searched_whole() -> None:
    """Up to as many products as WhatsApp's carts hold; all are told."""
    turn = turn_of(messages=(order_of([f"SKU {number}" for number in range(40)]),))
    question = Reader(USUAL_PRODUCT_WORDS).question(turn)
    assert question.terms == tuple(f"#SKU {number}" for number in range(MAX_ORDERED))
    plan = Planner(SHOP, CATEGORIES, dict.fromkeys(question.terms, ())).planned(turn, question).planned()
    assert json.loads(plan.user)["message"] == turn.text


def test_only_what_everybody_asks_is_remembered_and_no_word_of_it() -> None:
    """Twice the same question is read once; what leans on a conversation is read again; neither text is kept."""
    reader = Reader(USUAL_PRODUCT_WORDS)
    first, again = (reader.question(turn_of("Hola! tenes leche?", phone)) for phone in (ANA, BRUNO))
    assert first is again
    own = [reader.question(turn_of("agregame la segunda, soy Ana")) for _ in range(2)]
    assert own[0] == own[1]
    assert own[0] is not own[1]
    assert not {"Hola! tenes leche?", "agregame la segunda, soy Ana"} & {*map(str, reader._shared)}
    assert len(reader._shared) == 1


def test_a_known_text_beside_one_that_cannot_be_read_needs_its_session() -> None:
    """The same words mean another thing there."""
    reader = Reader(USUAL_PRODUCT_WORDS)
    assert reader.question(turn_of("tenes leche?")).shared_form
    beside = turn_of(messages=(message("tenes leche?"), message(None, 2, type="audio")))
    assert reader.question(beside).shared_form is None
