"""Single fields of inbound messages: ids, senders, names, times."""

from __future__ import annotations

from typing import Any

import pytest
from helpers.inbound_bodies import only, parse, plain, reason, webhook, whatsapp
from msgspec import to_builtins


def test_a_plain_message_with_all_fields() -> None:
    """Each field arrives as it was sent."""
    sent = plain(name="Ana", timestamp=1_763_799_000)
    assert to_builtins(only(parse(sent))) == {
        "message_id": "wamid.A",
        "customer_phone": "5491122334455",
        "name": "Ana",
        "sent_at_s": 1_763_799_000,
        "type": "text",
        "text": "hola",
        "selection_id": None,
        "reply_due": True,
    }


def test_a_plain_message_needs_only_id_and_sender_and_text() -> None:
    """The type is text unless said otherwise; another type may come without text."""
    assert only(parse(plain(type=...))) == only(parse(plain(type=None))) == only(parse(plain()))
    image = only(parse(plain(type="image", text=...)))
    assert (image.text, image.reply_due) == (None, True)
    assert only(parse(plain(type="reaction", text="👍"))).reply_due is False
    assert only(parse(plain(group_id="Y2FwaV9ncm91cDox"))).reply_due is False


def test_ids_and_types_may_be_as_long_as_their_limits() -> None:
    """512 and 64 characters are taken."""
    longest = only(parse(plain(message_id="x" * 512, type="y" * 64)))
    assert (len(longest.message_id), len(longest.type)) == (512, 64)


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (plain(message_id=...), "'message_id' is missing"),
        (plain(message_id=""), "'message_id' is empty"),
        (plain(message_id=5), "'message_id' is not a string"),
        (plain(message_id="x" * 513), "'message_id' is longer than 512 characters"),
        (plain(**{"from": ...}), "'from' is missing"),
        (plain(type=""), "'type' is empty"),
        (plain(type=["text"]), "'type' is not a string"),
        (plain(type="x" * 65), "'type' is longer than 64 characters"),
        (plain(text=...), "'text' is missing"),
        (plain(text={"body": "hola"}), "'text' is not a string"),
        (plain(type="image", text=1), "'text' is not a string"),
    ],
)
def test_a_bad_plain_message_is_rejected(message: dict[str, Any], expected: str) -> None:
    """Each reason names the field."""
    assert reason(parse(message)) == expected


CUSTOMER_IDS = ["54911", "5" * 20, "US.13491208655302741918", "AR.ENT.1a2B", "US.ENT", "US." + "a" * 128]


@pytest.mark.parametrize("sender", CUSTOMER_IDS)
def test_a_customer_is_digits_or_a_business_scoped_user_id(sender: str) -> None:
    """Both are taken as they are, in both forms."""
    assert only(parse(plain(**{"from": sender}))).customer_phone == sender
    assert only(parse(webhook(whatsapp(**{"from": sender})))).customer_phone == sender


def test_a_sender_may_be_a_json_integer() -> None:
    """Some gateways write the digits as a number."""
    assert only(parse(plain(**{"from": 5491122334455}))).customer_phone == "5491122334455"


@pytest.mark.parametrize(
    "sender",
    ["+5491122334455", "5491", "5" * 21, "549 1122", "٥٤٩١١٢٢٣٣", "54911223344\n", "us.123", "US.", "USA.12", "US.ENT.",
     "US.a-b", "US." + "a" * 129, "hola", 5.5, -5491122, True, False, [], {}, ["5491122334455"], 10**20],
)  # fmt: skip
def test_any_other_sender_is_rejected_unquoted(sender: object) -> None:
    """The reason names the field, not its value, which may be somebody's number."""
    for body in (plain(**{"from": sender}), webhook(whatsapp(**{"from": sender, "from_user_id": "US.1"}))):
        text = reason(parse(body))
        assert "'from'" in text
        assert "54911" not in text


def test_a_plus_sign_has_its_own_reason() -> None:
    """It is the mistake gateways make most."""
    assert "'+'" in reason(parse(plain(**{"from": "+5491122334455"})))


@pytest.mark.parametrize("absent", [..., None, ""])
def test_a_hidden_number_leaves_the_user_id(absent: object) -> None:
    """Without `from`, the sender is `from_user_id`, or else the single contact's `user_id`."""
    contact = {"profile": {"name": "Ana"}, "user_id": "US.22"}
    named = only(parse(webhook(whatsapp(**{"from": absent, "from_user_id": "US.11"}), contacts=[contact])))
    assert (named.customer_phone, named.name) == ("US.11", None)
    single = only(parse(webhook(whatsapp(**{"from": absent}), contacts=[contact])))
    assert (single.customer_phone, single.name) == ("US.22", "Ana")
    two = parse(webhook(whatsapp(**{"from": absent}), contacts=[contact, {"user_id": "US.33"}]))
    assert "'from' is missing" in reason(two)


def test_a_notice_of_a_changed_user_id_names_the_customer_itself() -> None:
    """It comes without `from` and contacts; the id it replaces is the customer we know."""
    notice = {"type": "user_changed_user_id", "previous_user_id": "AR.1", "user_id": "AR.2"}
    message = only(parse(webhook(whatsapp(type="system", system=notice, text=..., **{"from": ...}))))
    assert (message.customer_phone, message.reply_due) == ("AR.1", False)
    assert "'from' is missing" in reason(parse(webhook(whatsapp(system=notice, **{"from": ...}))))


def test_the_name_is_the_senders_own() -> None:
    """Of several contacts the one with the sender's number or user id counts; nobody else's name is borrowed."""
    other, own = {"wa_id": "1234567", "profile": {"name": "Otra"}}, {"profile": {"name": "Ana"}}
    by_number = webhook(whatsapp(), contacts=[other, own | {"wa_id": "5491122334455"}])
    by_user_id = webhook(whatsapp(from_user_id="US.1"), contacts=[other, own | {"user_id": "US.1"}])
    assert only(parse(by_number)).name == only(parse(by_user_id)).name == "Ana"
    assert only(parse(webhook(whatsapp(), contacts=[other]))).name is None
    assert only(parse(webhook(whatsapp(), contacts=[own]))).name is None


@pytest.mark.parametrize("contacts", [5, {}, [5], [[]], [{"wa_id": []}], [{"wa_id": "5491122334455", "profile": 1}],
                                      [{"wa_id": "5491122334455", "profile": {"name": 1}}], None])  # fmt: skip
def test_malformed_contacts_cost_the_name_not_the_message(contacts: object) -> None:
    """A name is not worth a customer's message."""
    assert only(parse(webhook(whatsapp(), contacts=contacts))).name is None


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("  Ana  María ", "Ana María"),
        ("Ana\nMaría", "Ana María"),
        ("A\x07n\x1b\x85a \x7f", "An a"),
        ("\u202eana", "ana"),
        ("👩‍👧 José", "👩‍👧 José"),
        ("x" * 119 + " yz", "x" * 119),
        ("x" * 200, "x" * 120),
        ("a\x00b", "a\ufffdb"),
        (" \n\t ", None),
        ("\x07", None),
        ("", None),
        (None, None),
        (5, None),
        (["Ana"], None),
    ],
)
def test_a_name_is_one_tidy_line(name: object, expected: str | None) -> None:
    """Trimmed, without control characters, at most 120 characters, and None where nothing is left."""
    assert only(parse(plain(name=name))).name == expected


@pytest.mark.parametrize(
    ("timestamp", "expected"),
    [
        (1_763_800_000, 1_763_800_000),
        ("1763800000", 1_763_800_000),
        (1_763_800_000.9, 1_763_800_000),
        (1_763_886_400, 1_763_886_400),
        (1_763_886_401, None),
        (1_230_768_000, 1_230_768_000),
        (1_230_767_999, None),
        (1_763_800_000_000, None),
        (0, None),
        (-1, None),
        ("", None),
        ("ayer", None),
        ("nan", None),
        ("inf", None),
        ("9" * 400, None),
        (10**300, None),
        (True, None),
        (None, None),
        ([1_763_800_000], None),
        ({}, None),
    ],
)
def test_a_timestamp_that_cannot_be_true_is_none(timestamp: object, expected: int | None) -> None:
    """Seconds as a number or a string, from 2009 until a day after now."""
    assert only(parse(plain(timestamp=timestamp))).sent_at_s == expected
    assert only(parse(webhook(whatsapp(timestamp=timestamp)))).sent_at_s == expected
