"""The demo's conversation and catalogue: well-formed where they should be, and worth showing."""

from __future__ import annotations

import csv
import json
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from helpers import turns
from helpers.conversations import Conversation
from msgspec import to_builtins

from worker.catalog.product import Product
from worker.devkit import demo
from worker.devkit.assistant import answer
from worker.devkit.demo import CUSTOMERS, Delivery, demo_conversation
from worker.devkit.spanish import matches, plain
from worker.language.normalise import normalised
from worker.messages.content import read_content
from worker.replies.order_status import asks_for_order
from worker.replies.prompt import session_facts
from worker.session.session import Order
from worker.shop.shop_file import read_shop

NOW_S = 1_763_800_000
DELIVERIES = demo_conversation("RUN", NOW_S)
CATALOG = Path(demo.__file__).with_name("catalog.csv")
SAMPLE_SHOP = Path(demo.__file__).with_name("sample_shop.toml")
ADDRESS = "Av. Corrientes 1234, 3ro B, Caballito"
RECORDED = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "whatsapp"
SAMPLES = {
    "text": "pywa_message__text",
    "button": "pywa_callback_button__quick_reply",
    "button_reply": "pywa_callback_button__button",
    "list_reply": "pywa_callback_selection__description",
    "audio": "pywa_message__audio",
    "location": "pywa_message__chosen_location",
    "reaction": "pywa_message__reaction",
}


def value_of(delivery: Delivery) -> dict[str, Any]:
    """The webhook value of a delivery; checks the shell around it."""
    body = json.loads(delivery.payload)
    assert body["object"] == "whatsapp_business_account"
    (change,) = body["entry"][0]["changes"]
    assert change["field"] == "messages"
    value: dict[str, Any] = change["value"]
    assert value["messaging_product"] == "whatsapp"
    assert set(value["metadata"]) == {"display_phone_number", "phone_number_id"}
    return value


def messages_of(delivery: Delivery) -> list[dict[str, Any]]:
    """The messages of a well-formed delivery."""
    return list(value_of(delivery).get("messages", []))


def kind_of(message: dict[str, Any]) -> str:
    """The type, or the kind of an interactive message."""
    kind: str = message["interactive"]["type"] if message["type"] == "interactive" else message["type"]
    return kind


def told(*expected: str) -> list[Delivery]:
    """The deliveries with one of these outcomes."""
    return [delivery for delivery in DELIVERIES if delivery.expected in expected]


def catalog() -> list[dict[str, str]]:
    """The sample catalogue's rows."""
    with CATALOG.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_messages_have_the_shape_of_meta() -> None:
    """Every message names its customer's phone, its type's own part, and a time; its contact is the sender."""
    for delivery in told("answered", "closed", "duplicate"):
        (contact,) = value_of(delivery)["contacts"]
        assert contact == {"profile": {"name": delivery.customer}, "wa_id": CUSTOMERS[delivery.customer]}
        for message in messages_of(delivery):
            assert message["from"] == contact["wa_id"]
            assert message["timestamp"] == str(NOW_S)
            assert isinstance(message[message["type"]], dict)


def test_ids_are_fresh_and_unique_except_for_the_duplicate() -> None:
    """Ids number the run's messages; the one repeated body is, byte by byte, an earlier one."""
    ids = [message["id"] for delivery in told("answered", "closed") for message in messages_of(delivery)]
    assert ids == [f"wamid.RUN.{n:02}" for n in range(1, len(ids) + 1)]
    (repeated,) = told("duplicate")
    assert [delivery.payload for delivery in DELIVERIES].count(repeated.payload) == 2
    assert "wamid.RUN" not in "".join(delivery.payload for delivery in demo_conversation("OTHER", NOW_S))


def test_there_is_enough_to_see() -> None:
    """At least 18 messages of 4 customers, all kinds of message, one burst of three, one of each odd body."""
    messages = [message for delivery in told("answered", "closed") for message in messages_of(delivery)]
    assert len(messages) >= 18
    assert {message["from"] for message in messages} == set(CUSTOMERS.values())
    assert {kind_of(message) for message in messages} == {*SAMPLES, "image"}
    assert max(len(messages_of(delivery)) for delivery in told("answered")) == 3
    outcomes = Counter(delivery.expected for delivery in DELIVERIES)
    assert [outcomes[each] for each in ("closed", "duplicate", "rejected", "nothing")] == [1, 1, 1, 1]


def test_only_answers_are_awaited() -> None:
    """An answered delivery waits for each of its ids, any other for nothing."""
    for delivery in DELIVERIES:
        ids = tuple(message["id"] for message in messages_of(delivery)) if delivery.expected == "answered" else ()
        assert delivery.wait_for == ids
        assert delivery.shows


def test_odd_bodies_are_as_odd_as_they_claim() -> None:
    """The rejected body is no JSON; the one that means nothing holds a status and no message."""
    (rejected,), (nothing,) = told("rejected"), told("nothing")
    with pytest.raises(json.JSONDecodeError):
        json.loads(rejected.payload)
    assert "messages" not in value_of(nothing)
    assert value_of(nothing)["statuses"][0]["status"] == "delivered"


def test_a_second_customer_asks_the_same_after_the_first_was_answered() -> None:
    """Both repeated questions come when their first reply has been awaited, so the cache can show itself."""
    shown = [(delivery.customer, plain(delivery.shows)) for delivery in DELIVERIES]
    for question in ("hola", "tenes leche descremada"):
        first, second = shown.index(("Ana", question)), shown.index(("Bruno", question))
        assert any(customer == "Ana" for customer, _ in shown[first + 1 : second])


@pytest.mark.skipif(not RECORDED.is_dir(), reason="recorded webhook bodies are not part of the repository")
def test_messages_use_only_fields_that_meta_sends() -> None:
    """Each message's fields, and those of its own part, are among the fields of a recorded one of its kind."""
    for delivery in told("answered", "closed"):
        for message in messages_of(delivery):
            kind = kind_of(message)
            if kind not in SAMPLES:  # no recorded image has a caption
                continue
            sample = json.loads((RECORDED / f"{SAMPLES[kind]}.json").read_text(encoding="utf-8"))
            recorded = sample["entry"][0]["changes"][0]["value"]["messages"][0]
            assert set(message) <= {*recorded, "context"}
            assert set(message[message["type"]]) <= set(recorded[recorded["type"]])


def test_the_assistant_understands_every_text() -> None:
    """Played against the catalogue and the sample shop, each is answered to the point, and Ana's order is placed."""
    sold = [
        Product(
            n, row["name"], row["brand"], row["category"], row["format"], "ARS", None, Decimal(row["price"]), row["sku"]
        )
        for n, row in enumerate(catalog(), 1)
    ]
    talks = {name: Conversation(read_shop(SAMPLE_SHOP), sold) for name in CUSTOMERS}
    orders = {name: play(name, talk, sold) for name, talk in talks.items()}
    (order,) = orders.pop("Ana")
    assert [(item.quantity, item.price * 5) for item in order.items] == [(5, order.subtotal)]
    assert (order.delivery, order.address, order.payment) == ("delivery", ADDRESS, "efectivo")
    assert [*orders.values()] == [[]] * 3
    assert [*talks["Bruno"].quantities.values()] == ["1", "2", "1"]


def play(name: str, talk: Conversation, sold: list[Product]) -> list[Order]:
    """Answers all that a customer says, as the service does; the orders placed."""
    orders: list[Order] = []
    for delivery in told("answered"):
        if delivery.customer == name:
            talk.closing = None
            said = [read_content(message["type"], message) for message in messages_of(delivery)]
            turn = [turns.message(c.text, n, selection_id=c.selection_id) for n, c in enumerate(said, 1) if c.text]
            text = "\n".join(one.text or "" for one in turn)
            if turn and talk.act(*turn) is None and not asks_for_order(normalised(text)):
                answer_text(talk, text, sold)
            orders += talk.closing.orders if talk.closing else ()
    return orders


def answer_text(talk: Conversation, text: str, sold: list[Product]) -> None:
    """Answers one text by the assistant."""
    names = [{"name": product.full_name, "product": product} for product in sold]
    talk.sold = [found["product"] for line in text.split("\n") for found in matches(plain(line), names)]
    context = {
        "categories": sorted({product.category for product in sold}),
        "products": [to_builtins(product.facts) for product in talk.sold],
        "session": to_builtins(session_facts(talk.session)),
        "message": text,
    }
    said = answer(context | {"shop": talk.shop.facts()})
    # A place that nobody has asked for says nothing.
    assert said["intent"] != "unknown" or text.startswith("📍"), text
    assert not said["requires_human"]
    talk.answered(text, **said)
    talk.sold = sold


def test_catalogue_is_fit_to_import() -> None:
    """Unique articles in ten categories, prices in pesos, and stocks of all sorts."""
    rows = catalog()
    assert list(rows[0]) == ["sku", "name", "brand", "category", "format", "price", "currency", "stock"]
    assert len(rows) >= 90
    assert len({row["sku"] for row in rows}) == len({row["name"] for row in rows}) == len(rows)
    assert len({row["category"] for row in rows}) == 10
    assert all(Decimal(row["price"]) > 0 and row["currency"] == "ARS" for row in rows)
    stocks = [int(row["stock"]) for row in rows]
    assert stocks.count(0) >= 5
    assert sum(1 <= stock <= 5 for stock in stocks) >= 5
    assert all(all(row.values()) for row in rows)
