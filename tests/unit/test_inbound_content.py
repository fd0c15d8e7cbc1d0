"""What messages of each type say: Meta's own bodies, and the ones Meta might send."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from helpers.inbound_bodies import ITEM, NOW_S, only, parse, plain, reason, webhook, whatsapp

from worker.messages.inbound import parse_payload
from worker.messages.message import CatalogOrder, InboundMessage, Link, OrderItem, Parsed

SAMPLES = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "whatsapp"
needs_samples = pytest.mark.skipif(not SAMPLES.is_dir(), reason="the sample webhook bodies are not on this machine")


def order_line(message: Any) -> str:
    """The line an order should read as."""
    items = message["order"]["product_items"]
    return "Pedido: " + ", ".join(f"{item['quantity']} x {item['product_retailer_id']}" for item in items)


def order_of(message: Any) -> CatalogOrder:
    """The items of an order."""
    items = message["order"]["product_items"]
    return CatalogOrder(tuple(OrderItem(item["product_retailer_id"], int(item["quantity"])) for item in items))


@dataclass(frozen=True, slots=True)
class Expected:
    """What a sample should be read as; the functions take it from the sample itself."""

    text: Callable[[Any], str] | None = None
    selection_id: Callable[[Any], str] | None = None
    reply_due: bool = True
    order: Callable[[Any], CatalogOrder] | None = None


def place_of(message: dict[str, Any]) -> str:
    """A place by its name and address, and its coordinates."""
    part = message["location"]
    named = ", ".join(part[name] for name in ("name", "address") if name in part)
    return f"📍 {named} ({part['latitude']}, {part['longitude']})".replace("  ", " ")


TEXT = Expected(text=lambda message: message["text"]["body"])
ROW = Expected(
    text=lambda message: message["interactive"]["list_reply"]["title"],
    selection_id=lambda message: message["interactive"]["list_reply"]["id"],
)
WORDLESS = Expected()
MESSAGE_SAMPLES = {
    "pywa_callback_button__button": Expected(
        text=lambda message: message["interactive"]["button_reply"]["title"],
        selection_id=lambda message: message["interactive"]["button_reply"]["id"],
    ),
    "pywa_callback_button__quick_reply": Expected(
        text=lambda message: message["button"]["text"], selection_id=lambda message: message["button"]["payload"]
    ),
    "pywa_callback_selection__callback": ROW,
    "pywa_callback_selection__description": ROW,
    "pywa_message__animated_sticker": WORDLESS,
    "pywa_message__audio": WORDLESS,
    "pywa_message__chosen_location": Expected(text=place_of),
    "pywa_message__contacts": WORDLESS,
    "pywa_message__current_location": Expected(text=place_of),
    "pywa_message__document": Expected(text=lambda message: message["document"]["caption"]),
    "pywa_message__forwarded": TEXT,
    "pywa_message__forwarded_many_times": TEXT,
    "pywa_message__image": WORDLESS,
    "pywa_message__order": Expected(text=order_line, order=order_of),
    "pywa_message__reaction": Expected(reply_due=False),
    "pywa_message__reply": TEXT,
    "pywa_message__static_sticker": WORDLESS,
    "pywa_message__text": TEXT,
    "pywa_message__unsupported": WORDLESS,
    "pywa_message__video": Expected(text=lambda message: message["video"]["caption"]),
    "pywa_message__voice": WORDLESS,
}
EVENT_PREFIXES = ("pywa_message_status__", "pywa_account_update__", "pywa_template_status_update__")


@needs_samples
@pytest.mark.parametrize("stem", MESSAGE_SAMPLES)
def test_a_message_of_meta_is_read_as_what_it_says(stem: str) -> None:
    """Each sample message gives one message with its own id, sender, name, time, type, words and selection."""
    payload = (SAMPLES / f"{stem}.json").read_bytes()
    expected = MESSAGE_SAMPLES[stem]
    value = json.loads(payload)["entry"][0]["changes"][0]["value"]
    sample = value["messages"][0]

    assert only(parse_payload(payload, NOW_S)) == InboundMessage(
        message_id=sample["id"],
        customer_phone=sample["from"],
        name=value["contacts"][0]["profile"]["name"],
        sent_at_s=int(sample["timestamp"]),
        type=sample["type"],
        text=expected.text(sample) if expected.text else None,
        selection_id=expected.selection_id(sample) if expected.selection_id else None,
        reply_due=expected.reply_due,
        order=expected.order(sample) if expected.order else None,
        channel=value["metadata"]["phone_number_id"],
        quoted=sample.get("context", {}).get("id") if sample["type"] == "text" else None,
        links=(Link(value["contacts"][0]["user_id"], sample["from"]),),
    )


@needs_samples
def test_statuses_and_account_events_leave_nothing() -> None:
    """Every other sample is no message and no mistake either; no sample is forgotten by these tests."""
    others = [path for path in SAMPLES.glob("*.json") if path.stem not in MESSAGE_SAMPLES]
    assert len(others) >= 7
    for path in others:
        assert path.name.startswith(EVENT_PREFIXES)
        assert parse_payload(path.read_bytes(), NOW_S) == Parsed()


def read(kind: str, **parts: Any) -> InboundMessage:
    """The message of type `kind` with these parts, out of a webhook body."""
    return only(parse(webhook(whatsapp(type=kind, **({"text": ...} | parts)))))


@pytest.mark.parametrize(
    ("kind", "parts", "text", "selection_id"),
    [
        ("text", {"text": {"body": " hola\n"}}, " hola\n", None),
        ("text", {"text": {"body": ""}}, None, None),
        ("text", {"text": {"body": " \n\u00a0"}}, None, None),
        ("button", {"button": {"text": "Sí", "payload": "yes"}}, "Sí", "yes"),
        ("button", {"button": {"payload": "yes"}}, None, "yes"),
        ("button", {"button": {"text": "Sí", "payload": " "}}, "Sí", None),
        ("interactive", {"interactive": {"type": "nfm_reply", "nfm_reply": {"body": "Sent"}}}, None, None),
        ("interactive", {"interactive": {"type": "something_new"}}, None, None),
        ("interactive", {"interactive": {}}, None, None),
        (
            "interactive",
            {"interactive": {"type": "button_reply", "button_reply": {"id": "x" * 300, "title": "Ver"}}},
            "Ver",
            "x" * 256,
        ),
        ("image", {"image": {"caption": "¿tienen esto?"}}, "¿tienen esto?", None),
        ("video", {"video": {"caption": None}}, None, None),
        ("document", {"document": {"caption": "  "}}, None, None),
        ("audio", {"audio": {"caption": "no"}}, None, None),
        ("voice", {"voice": {}}, None, None),
        ("sticker", {"sticker": {}}, None, None),
        ("location", {"location": {"name": "Casa"}}, "Casa", None),
        ("location", {"location": {"latitude": -34.6, "longitude": -58.4}}, "📍 (-34.6, -58.4)", None),
        (
            "location",
            {"location": {"name": "Casa", "address": "Thames 1", "latitude": -34, "longitude": 8.5}},
            "📍 Casa, Thames 1 (-34, 8.5)",
            None,
        ),
        ("location", {"location": {"latitude": True, "longitude": "x"}}, None, None),
        ("contacts", {"contacts": [{"name": "x"}]}, None, None),
        ("unsupported", {}, None, None),
        ("ephemeral", {}, None, None),
        ("something_new", {"something_new": 5, "text": 5}, None, None),
        ("order", {"order": {"product_items": [], "text": "sin bolsa"}}, "sin bolsa", None),
        ("order", {"order": {"product_items": []}}, None, None),
        (
            "order",
            {"order": {"product_items": [{"product_retailer_id": "LECHE", "quantity": "2"}], "text": "fría"}},
            "Pedido: 2 x LECHE. fría",
            None,
        ),
    ],
)
def test_what_each_type_says(kind: str, parts: dict[str, Any], text: str | None, selection_id: str | None) -> None:
    """Words where there are some, the tapped id where something was tapped, and an answer is due."""
    message = read(kind, **parts)
    assert (message.type, message.text, message.selection_id) == (kind, text, selection_id)
    assert message.reply_due


@pytest.mark.parametrize(
    "kind", ["reaction", "edit", "revoke", "delete", "deleted", "pin", "keep_in_chat", "system", "request_welcome"]
)
def test_notices_get_no_answer(kind: str) -> None:
    """Neither under their own type nor where Meta calls them unsupported but says what they were."""
    assert not read(kind).reply_due
    assert not read("unsupported", unsupported={"type": kind}).reply_due


def test_what_is_said_in_a_group_gets_no_answer() -> None:
    """`group_id` stands where Meta's group messages have it, whatever the type; without it they are like others."""
    assert not read("text", text={"body": "hola"}, group_id="Y2FwaV9ncm91cDox").reply_due
    assert not read("image", image={"caption": "mirá"}, group_id="Y2FwaV9ncm91cDox").reply_due
    assert read("text", text={"body": "hola"}, group_id=None).reply_due


@pytest.mark.parametrize("detail", [None, 5, {}, {"type": []}, {"type": "poll_creation"}, {"type": "unknown"}])
def test_what_meta_cannot_show_gets_an_answer(detail: object) -> None:
    """Behind an unsupported message stands something the customer did send."""
    assert read("unsupported", unsupported=detail).reply_due
    assert read("text", text={"body": "hola"}, unsupported={"type": "edit"}).reply_due


def test_long_text_is_cut_at_whatsapps_limit() -> None:
    """4,096 characters stay, wherever the text comes from."""
    assert only(parse(plain(text="ñ" * 4096))).text == "ñ" * 4096
    assert only(parse(plain(text="ñ" * 4097))).text == "ñ" * 4096
    assert read("text", text={"body": "x" * 5000}).text == "x" * 4096
    assert only(parse(plain(text=" " * 4096 + "hola"))).text is None
    items = [{"product_retailer_id": "x" * 250, "quantity": 1}] * 20
    assert len(read("order", order={"product_items": items}).text or "") == 4096


@pytest.mark.parametrize(
    ("kind", "parts", "expected"),
    [
        ("text", {"text": ...}, "'text' is missing"),
        ("text", {"text": "hola"}, "'text' is not an object"),
        ("text", {"text": {}}, "'text.body' is missing"),
        ("button", {"button": []}, "'button' is not an object"),
        ("button", {"button": {"text": 5}}, "'button.text' is not a string"),
        ("button", {"button": {"payload": {}}}, "'button.payload' is not a string"),
        ("interactive", {"interactive": 5}, "'interactive' is not an object"),
        ("interactive", {"interactive": {"type": 5}}, "'interactive.type' is not a string"),
        ("interactive", {"interactive": {"type": "list_reply"}}, "'interactive.list_reply' is missing"),
        (
            "interactive",
            {"interactive": {"type": "button_reply", "button_reply": {"id": 5}}},
            "'interactive.button_reply.id' is not a string",
        ),
        ("image", {"image": 5}, "'image' is not an object"),
        ("video", {"video": {"caption": 5}}, "'video.caption' is not a string"),
        ("audio", {}, "'audio' is missing"),
        ("voice", {"voice": None}, "'voice' is missing"),
        ("sticker", {"sticker": "x"}, "'sticker' is not an object"),
        ("contacts", {"contacts": {}}, "'contacts' is not a list"),
        ("order", {"order": {}}, "'order.product_items' is missing"),
        ("order", {"order": {"product_items": [ITEM, 5]}}, "'order.product_items[1]' is not an object"),
        (
            "order",
            {"order": {"product_items": [{"quantity": 1}]}},
            "'order.product_items[0].product_retailer_id' is missing",
        ),
        ("order", {"order": {"product_items": [], "text": 5}}, "'order.text' is not a string"),
    ],
)
def test_a_known_type_without_its_object_is_rejected(kind: str, parts: dict[str, Any], expected: str) -> None:
    """The reason says where in the message."""
    parsed = parse(webhook(whatsapp(type=kind, **({"text": ...} | parts))))
    assert reason(parsed) == f"entry[0].changes[0].value.messages[0]: {expected}"


@pytest.mark.parametrize("kind", ["text", "image", "audio", "contacts", "order", "button", "location", "interactive"])
def test_what_meta_could_not_pass_on_gets_the_polite_reply(kind: str) -> None:
    """Its object is missing or null, and an error says why: somebody has written, and waits."""
    failed = {"text": None, kind: None, "errors": [{"code": 131052, "title": "Media download error"}]}
    found = only(parse(webhook(whatsapp(type=kind, **failed))))
    assert (found.text, found.selection_id, found.order, found.reply_due) == (None, None, None, True)


@pytest.mark.parametrize("quantity", [..., None, -1, 1.5, True, "", "dos", "²", "1" * 7, 10**6, [1]])
def test_an_order_needs_whole_quantities(quantity: object) -> None:
    """Nothing is ordered in a number we had to guess: the customer is asked, for the whole cart."""
    item = {key: value for key, value in (ITEM | {"quantity": quantity}).items() if value is not ...}
    found = read("order", order={"product_items": [ITEM | {"quantity": 2}, item]})
    assert (found.text, found.order, found.reply_due) == (None, None, True)


def test_a_whole_quantity_with_a_point_is_one() -> None:
    """Some shops' systems count in floating-point numbers."""
    assert read("order", order={"product_items": [ITEM | {"quantity": 2.0}]}).text == "Pedido: 2 x LECHE"


def test_an_interactive_message_without_its_object_cannot_be_read() -> None:
    """Meta sends it with an error beside it; the customer has said something, and is asked to write it."""
    found = read("interactive", errors=[{"code": 131051}])
    assert (found.text, found.reply_due) == (None, True)


def test_the_answer_to_a_wish_to_call_needs_no_reply() -> None:
    """It is nothing that was said to us."""
    answer = {"type": "call_permission_reply", "call_permission_reply": {"response": "accept"}}
    assert read("interactive", interactive=answer).reply_due is False


def test_an_order_of_nothing_cannot_be_read() -> None:
    """What has a quantity of 0 is left out; where nothing else is there, what was written beside it counts."""
    none, some = ITEM | {"quantity": 0}, ITEM | {"quantity": "2"}
    assert read("order", order={"product_items": [none, some]}).text == "Pedido: 2 x LECHE"
    empty = read("order", order={"product_items": [none]})
    assert (empty.text, empty.order, empty.reply_due) == (None, None, True)
    assert read("order", order={"product_items": [none], "text": "para hoy"}).text == "para hoy"
