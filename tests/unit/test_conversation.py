"""The demo's conversation and catalogue: well-formed where they should be, and worth showing."""

from __future__ import annotations

import csv
import json
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from worker.devkit import conversation
from worker.devkit.assistant import answer
from worker.devkit.conversation import CUSTOMERS, Delivery, demo_conversation
from worker.devkit.spanish import matches, plain

NOW_S = 1_763_800_000
DELIVERIES = demo_conversation("RUN", NOW_S)
CATALOG = Path(conversation.__file__).with_name("catalog.csv")
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
    """Played against the catalogue, each text is answered to the point, and Ana's order is completed."""
    products = [
        {**row, "id": n, "name": f"{row['name']} {row['brand']} {row['format']}", "availability": "available"}
        for n, row in enumerate(catalog(), 1)
    ]
    sessions: dict[str, dict[str, Any]] = {name: {"state": "browsing", "cart": [], "history": []} for name in CUSTOMERS}
    for delivery in told("answered"):
        texts = [message["text"]["body"] for message in messages_of(delivery) if message["type"] == "text"]
        if texts:
            play("\n".join(texts), products, sessions[delivery.customer])
    assert sessions["Ana"]["state"] == "order_completed"
    assert [item["quantity"] for item in sessions["Ana"]["cart"]] == [2]
    assert [item["quantity"] for item in sessions["Bruno"]["cart"]] == [1, 2, 1]


def play(message: str, products: list[dict[str, Any]], session: dict[str, Any]) -> None:
    """Answers one text and keeps its session, as the service does."""
    found = [item for line in message.split("\n") for item in matches(plain(line), products)]
    context = {"categories": sorted({item["category"] for item in products}), "products": found}
    said = answer({**context, "session": session, "message": message})
    assert said["intent"] != "unknown", message
    assert not said["requires_human"]
    session["state"] = said["next_state"] or session["state"]
    session["history"] = [{"customer": message, "reply": said["reply"]}]
    for operation in said["cart_operations"]:
        assert operation["op"] == "add"
        item = products[operation["product_id"] - 1]
        session["cart"].append({**item, "quantity": operation["quantity"]})


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
