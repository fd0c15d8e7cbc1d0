"""The simulated model's brain: sensible, deterministic, and bound to its own context."""

from __future__ import annotations

import hashlib
import json
import re
from decimal import Decimal
from string import Formatter
from typing import Any

import pytest

from worker.devkit.assistant import ACTIONS, SCRIPT, Ask, Reply, answer, marked
from worker.devkit.spanish import count, facts_in, matches, money, plain, term
from worker.replies.prompt import render
from worker.replies.telling import MODEL_STATES
from worker.shop.shop import Shop

WHOLE = {
    "id": 1,
    "name": "Leche entera Nubelinda 1 L",
    "price": "1850.00",
    "currency": "ARS",
    "availability": "available",
}
SKIMMED = {**WHOLE, "id": 2, "name": "Leche descremada Nubelinda 1 L", "price": "1890.00", "availability": "few"}
BREAD = {**WHOLE, "id": 3, "name": "Pan lactal Migalinda 560 g", "price": "2990.50", "availability": "none"}
CATEGORIES = ["Lácteos", "Limpieza", "Frutas y verduras"]
CART = [
    {"id": 1, "name": WHOLE["name"], "price": "1850.00", "quantity": 3},
    {"id": 3, "name": BREAD["name"], "price": "2990.50", "quantity": 1},
]
INTENTS = (
    "greeting search_product browse_category add_to_cart modify_cart_quantity remove_from_cart view_cart clear_cart"
    " checkout support unknown"
)
STATES = (
    "browsing searching viewing_product adding_to_cart viewing_cart checkout waiting_address confirming_order"
    " order_completed"
)


def ask(message: str, *products: dict[str, Any], **session: Any) -> dict[str, Any]:
    """The answer for a customer called Ana with an empty cart, unless `session` says otherwise."""
    known = {"name": "Ana", "state": "browsing", "cart": [], "history": [], **session}
    return answer({"categories": CATEGORIES, "products": list(products), "session": known, "message": message})


def stateless(message: str, *products: dict[str, Any]) -> dict[str, Any]:
    """The answer to a request without session data."""
    return answer({"categories": CATEGORIES, "products": list(products), "message": message})


def test_the_script_holds_together() -> None:
    """Rules name replies that exist, replies attributes and buttons that exist; the last rule always answers."""
    named = {name for _, replies in SCRIPT.rules for name in replies}
    assert named <= SCRIPT.replies.keys() | ACTIONS.keys()
    for name, reply in SCRIPT.replies.items():
        assert all(hasattr(Ask({}), attribute) for attribute in (*reply.when, *reply.unless)), name
        assert set(reply.buttons) <= SCRIPT.buttons.keys(), name
        assert {place.partition(".")[2] for place in places_in(reply) if place.startswith("ask.")} <= vars(
            Ask({})
        ).keys()
    assert SCRIPT.rules[-1] == ("", ["unknown"])


def places_in(reply: Reply) -> list[str]:
    """Places in a reply's texts that are filled in."""
    texts = (reply.text, *reply.entities.values())
    return [place for text in texts for _, place, _, _ in Formatter().parse(text) if place]


@pytest.mark.parametrize(
    ("message", "intent"),
    [
        ("Holaaa, buenas tardes!", "greeting"),
        ("mil gracias, chau", "greeting"),
        ("tenés leche?", "search_product"),
        ("cuál es la más barata?", "search_product"),
        ("cuánto vale la leche?", "search_product"),
        ("qué tienen de limpieza", "browse_category"),
        ("frutas y verduras", "browse_category"),
        ("menú", "browse_category"),
        ("2 leches enteras", "add_to_cart"),
        ("agregá una leche entera al carrito", "add_to_cart"),
        ("mejor agregame 2 leches enteras", "add_to_cart"),
        ("mejor 5 leches", "modify_cart_quantity"),
        ("sacá el pan", "remove_from_cart"),
        ("quiero ver mi carrito", "view_cart"),
        ("cuánto llevo?", "view_cart"),
        ("vaciá todo el carrito", "clear_cart"),
        ("eso es todo, quiero pagar", "checkout"),
        ("a qué hora abren? qué horarios tienen", "support"),
        ("quiero hablar con una persona", "support"),
        ("asdfgh", "unknown"),
    ],
)
def test_recognises_what_customers_want(message: str, intent: str) -> None:
    """Each intent is found in a customer's own words; what is no Spanish at all is unknown."""
    products = () if intent in ("unknown", "support") else (WHOLE, SKIMMED)
    assert ask(message, *products, cart=CART)["intent"] == intent


@pytest.mark.parametrize("title", SCRIPT.buttons.values())
def test_understands_its_own_quick_replies(title: str) -> None:
    """A pressed button comes back as its title, which fits WhatsApp and is understood."""
    assert len(title) <= 20
    assert ask(title, cart=CART, state="checkout")["intent"] != "unknown"


def test_greets_by_name_only_where_the_session_is_in_the_request() -> None:
    """A request without session data gets a reply that fits every customer."""
    assert "Ana" in ask("hola")["reply"]
    assert stateless("hola")["reply"].startswith("¡Hola!")


def test_same_request_same_answer_and_untouched_context() -> None:
    """Answering twice gives the same JSON, and leaves the context as it was."""
    context = {"categories": CATEGORIES, "products": [WHOLE], "session": {"cart": CART}, "message": "2 leches"}
    before = json.dumps(context)
    assert json.dumps(answer(context)) == json.dumps(answer(context))
    assert json.dumps(context) == before


def test_lists_prices_and_stock() -> None:
    """A search shows every product with its price the Spanish way and what is special about its stock."""
    said = stateless("leche", WHOLE, SKIMMED, BREAD)
    assert "1. Leche entera Nubelinda 1 L: $ 1.850,00\n" in said["reply"]
    assert "2. Leche descremada Nubelinda 1 L: $ 1.890,00 (quedan pocas)\n" in said["reply"]
    assert "3. Pan lactal Migalinda 560 g: $ 2.990,50 (sin stock)\n" in said["reply"]
    assert said["next_state"] == "searching"


@pytest.mark.parametrize("message", ["tenés caviar?", "quiero 3 latas de caviar", "precio del caviar"])
def test_says_what_the_shop_has_not(message: str) -> None:
    """Where the request brings no products, nothing is invented and nothing is sold."""
    said = ask(message)
    assert "No tenemos" in said["reply"]
    assert "caviar" in said["reply"]
    assert said["cart_operations"] == []


@pytest.mark.parametrize(
    ("message", "quantity"),
    [
        ("2 leches enteras", 2),
        ("dos leches enteras", 2),
        ("quiero media docena de leche entera", 6),
        ("una leche entera de 1 litro", 1),
        ("leche entera 1 L quiero", 1),
        ("hola!\nagregame 12 leches enteras x favor", 12),
    ],
)
def test_adds_the_quantity_in_the_text(message: str, quantity: int) -> None:
    """Counts are read in figures and words, and a size in litres is not one."""
    said = ask(message, WHOLE, SKIMMED)
    assert said["cart_operations"] == [{"op": "add", "product_id": 1, "quantity": quantity}]
    assert said["next_state"] == "adding_to_cart"


def test_adds_several_products_and_tells_what_is_missing() -> None:
    """One message may order several things: each is added, sold out or unknown on its own."""
    said = ask("2 leches enteras, un pan lactal y tres caviares", WHOLE, SKIMMED, BREAD, cart=CART)
    assert said["cart_operations"] == [{"op": "add", "product_id": 1, "quantity": 2}]
    assert "Pan lactal Migalinda 560 g: se nos terminó." in said["reply"]
    assert "No tenemos caviares." in said["reply"]
    assert "suma" not in said["reply"]


def test_adds_what_the_search_found_in_spite_of_a_typo() -> None:
    """The request's only product is meant, even where no word of it is in the message."""
    assert ask("quiero 2 lehces", WHOLE)["cart_operations"][0]["product_id"] == 1


def test_asks_which_one_and_remembers_the_quantity() -> None:
    """Two milks fit: the customer picks "la 2" from the list, and gets as many as first asked for."""
    asked = ask("quiero 2 leches", WHOLE, SKIMMED)
    assert asked["cart_operations"] == []
    history = [{"customer": "quiero 2 leches", "reply": asked["reply"]}]
    for choice in ("2", "la 2", "la segunda"):
        said = ask(choice, WHOLE, SKIMMED, history=history)
        assert said["cart_operations"] == [{"op": "add", "product_id": 2, "quantity": 2}]


def test_a_number_means_a_quantity_after_a_single_product() -> None:
    """After one product was shown, "3" is how many of it, and "si" is one."""
    history = [{"customer": "leche entera", "reply": ask("leche entera", WHOLE)["reply"]}]
    assert ask("3", WHOLE, history=history)["cart_operations"][0]["quantity"] == 3
    assert ask("si", WHOLE, history=history)["cart_operations"][0]["quantity"] == 1


@pytest.mark.parametrize(("choice", "products"), [("5", (WHOLE, SKIMMED)), ("2", ())])
def test_asks_where_a_number_cannot_be_told(choice: str, products: tuple[dict[str, Any], ...]) -> None:
    """A number out of the list, or of a product whose id is not in the request, sells nothing."""
    history = [{"customer": "leche", "reply": ask("leche", WHOLE, SKIMMED)["reply"]}]
    said = ask(choice, *products, history=history)
    assert said["cart_operations"] == []
    assert "?" in said["reply"]


def test_a_bare_number_without_history_asks() -> None:
    """ "2" means nothing on its own."""
    assert ask("2")["intent"] == "unknown"


@pytest.mark.parametrize(
    ("message", "operation"),
    [
        ("sacá el pan lactal", {"op": "remove", "product_id": 3}),
        ("sacalo", {"op": "remove", "product_id": 3}),
        ("sacame una leche", {"op": "set", "product_id": 1, "quantity": 2}),
        ("cambiá la leche a 5", {"op": "set", "product_id": 1, "quantity": 5}),
        ("que sean 2", {"op": "set", "product_id": 3, "quantity": 2}),
    ],
)
def test_changes_the_cart(message: str, operation: dict[str, Any]) -> None:
    """Removing and changing work on the cart's own ids; what comes of it, the service tells."""
    said = ask(message, cart=CART)
    assert said["cart_operations"] == [operation]
    assert not re.search(r"[$\d]", said["reply"])


def test_does_not_remove_what_is_not_in_the_cart() -> None:
    """Naming another product leaves the cart alone."""
    assert ask("sacá el jabón", cart=CART)["cart_operations"] == []


def test_leaves_the_cart_to_the_service() -> None:
    """It is the service that shows it, with its prices and total."""
    for cart in (CART, []):
        said = ask("ver carrito", cart=cart)
        assert said["intent"] == "view_cart"
        assert not re.search(r"[$\d]", said["reply"])


def test_leaves_the_checkout_to_the_service() -> None:
    """It understands what the customer wants and which address was said, and moves no checkout."""
    for message in ("quiero pagar", "eso es todo, quiero pagar"):
        assert ask(message, cart=CART)["intent"] == "checkout"
    said = ask("Calle 9 nº 12", cart=CART, state="waiting_address")
    assert said["entities"] == {"address": "Calle 9 nº 12"}
    for state in ("checkout", "waiting_address", "confirming_order"):
        for message in ("quiero pagar", "no", "sí", "Calle 9 nº 12"):
            said = ask(message, cart=CART, state=state)
            assert (said["next_state"] in MODEL_STATES | {None}, said["cart_operations"]) == (True, [])


def test_compares_prices() -> None:
    """The cheapest product that can be bought is named with the difference."""
    said = ask("cuál conviene?", SKIMMED, {**BREAD, "price": "10.00"}, WHOLE)
    assert "Te conviene Leche entera Nubelinda 1 L: $ 40,00 menos" in said["reply"]


def test_only_a_person_requires_a_human() -> None:
    """The flag is set when a person is asked for, and never else."""
    assert ask("quiero hablar con una persona")["requires_human"] is True
    assert ask("hola")["requires_human"] is False


@pytest.mark.parametrize("message", ["hola", "leche", "2 leches", "ver carrito", "3", "pagar", "👍", "", "Calle 9 12"])
@pytest.mark.parametrize("state", STATES.split())
def test_every_answer_has_the_reply_schema(message: str, state: str) -> None:
    """Whatever is said in whatever state, the answer stays within the schema and WhatsApp's limits."""
    said = ask(message, WHOLE, SKIMMED, state=state, cart=CART)
    assert said["intent"] in INTENTS.split()
    assert said["next_state"] in (None, *STATES.split())
    assert 0 <= said["confidence"] <= 1
    assert 0 < len(said["reply"]) <= 4096
    assert len(said["quick_replies"]) <= 3
    for operation in said["cart_operations"]:
        assert set(operation) == {"op", "product_id", "quantity"}
    assert json.loads(json.dumps(said)) == said


def test_an_answer_bears_the_mark_of_its_request() -> None:
    """Whatever changes in the request changes the mark; the session's id stands in it, and the rest is as it was."""
    context = {"categories": CATEGORIES, "products": [WHOLE], "message": "leche"}
    said = answer(context)
    plain_mark = marked(said, context)["entities"]
    assert plain_mark.items() >= said["entities"].items()
    assert "session" not in plain_mark
    dearer = marked(said, context | {"products": [{**WHOLE, "price": "1900.00"}]})["entities"]
    of_session = marked(said, context | {"session": {"id": "s-1"}})["entities"]
    assert len({plain_mark["facts"], dearer["facts"], of_session["facts"]}) == 3
    assert of_session["session"] == "s-1"
    assert marked(said, context) | {"entities": {}} == said | {"entities": {}}


def test_others_can_tell_the_mark() -> None:
    """It is the hash that is documented: whoever checks answers against their requests computes it himself."""
    written = rb'{"a": [1, null], "message": "\u00f1"}'
    facts = marked({"entities": {}}, {"message": "ñ", "a": [1, None]})["entities"]["facts"]
    assert facts == hashlib.sha256(written).hexdigest()[:16]


def test_prices_of_two_currencies_are_not_compared() -> None:
    """The one's price is not taken from the other's."""
    dear = {**WHOLE, "id": 8, "name": "Leche entera Lejana 1 L", "price": "3.00", "currency": "USD"}
    assert "menos que" not in ask("cuál leche conviene?", WHOLE, dear)["reply"]


def test_money_is_written_the_spanish_way() -> None:
    """Thousands with points, decimals with a comma, the sign where the currency has it."""
    assert money(Decimal("1234567.5"), "ARS") == "$ 1.234.567,50"
    assert money(Decimal("1.85"), "EUR") == "1,85 €"


@pytest.mark.parametrize(
    ("text", "counted", "about"),
    [
        ("Quiero 2 leches de 1,5 L", 2, "leches l"),
        ("agregame tres yogures, porfa", 3, "yogures"),
        ("leche 500 ml", None, "leche 500 ml"),
        ("chocolate 60%", None, "chocolate"),
        ("tinte 425 rubio", None, "tinte 425 rubio"),
        ("hola, tenés algo?", None, ""),
    ],
)
def test_reads_counts_and_terms(text: str, counted: int | None, about: str) -> None:
    """The first count, and what is left once verbs and courtesies are gone."""
    assert count(plain(text)) == counted
    assert term(plain(text)) == about


def test_matches_by_shared_words_not_by_numbers() -> None:
    """Plural and singular match, more shared words win, and a size alone matches nothing."""
    assert matches(plain("leches descremadas"), [WHOLE, SKIMMED, BREAD]) == [SKIMMED]
    assert matches(plain("560 g"), [BREAD]) == []


SHOP_FACTS = {
    "name": "La Esquina",
    "branches": [{"name": "Centro", "address": "Madero 5"}],
    "hours": {"lunes a viernes": "09:00-13:00", "domingo": "cerrado"},
    "delivery": {"areas": [{"area": "Palermo", "fee": "$ 500,00", "free_from": "$ 9.000,00"}, {"area": "Núñez"}]},
    "payments": ["efectivo", "tarjeta"],
    "returns": "Con el ticket, en 3 días.",
}


@pytest.mark.parametrize(
    ("message", "told"),
    [
        ("¿a qué hora abren los domingos?", "Nuestros horarios:\n• lunes a viernes: 09:00-13:00\n• domingo: cerrado"),
        ("¿dónde están?", "Nos encontrás en:\n• Centro: Madero 5"),
        ("¿aceptan tarjeta?", "Podés pagar con: efectivo, tarjeta."),
        ("hacen envíos a Palermo?", "Sobre los envíos:\n• Palermo: envío $ 500,00, gratis desde $ 9.000,00"),
        ("llegan a nuñez?", "Sobre los envíos:\n• Núñez"),
        ("hacen envios?", "Sobre los envíos:\n• Palermo: envío $ 500,00, gratis desde $ 9.000,00\n• Núñez"),
        ("aceptan devoluciones?", "Con el ticket, en 3 días."),
        ("hacen envíos a Belgrano?", "Ese dato no lo tengo a mano. Si querés, te comunico con una persona del equipo."),
    ],
)
def test_questions_about_the_shop_are_answered_from_its_facts(message: str, told: str) -> None:
    """An area that is not named is not known."""
    assert answer({"shop": SHOP_FACTS, "products": [], "message": message})["reply"] == told


@pytest.mark.parametrize("message", ["horarios?", "dónde están?", "aceptan tarjeta?", "hacen envios?", "devoluciones"])
def test_what_the_shop_has_not_told_is_not_known(message: str) -> None:
    """And a person is offered."""
    decision = answer({"shop": {"name": "a"}, "products": [], "message": message})
    assert decision["reply"].startswith("Ese dato no lo tengo")


@pytest.mark.parametrize(
    ("now", "told"),
    [
        ({"open": True, "closes": "13:00"}, "Ahora: abierto hasta las 13:00."),
        ({"open": False, "opens": "17:00"}, "Ahora: cerrado, abre 17:00."),
        ({"branches": {"Sur": {"open": True}, "Este": {}}}, "Ahora Sur: abierto."),
    ],
)
def test_the_hour_is_told_too(now: dict[str, Any], told: str) -> None:
    """Where it stands in the request."""
    decision = answer({"shop": SHOP_FACTS, "now": now, "products": [], "message": "están abiertos?"})
    assert decision["reply"].splitlines()[-1] == told


def test_the_facts_are_read_from_the_instructions() -> None:
    """As the service renders them; none where they are not."""
    system = render(Shop("La Esquina", payments=("efectivo",)), "hola", [], [], None).system
    assert facts_in(system)["shop"]["payments"] == ["efectivo"]
    assert facts_in('You are kind.\n{"categories": []}\n{"shop":')["shop"] == {}
