"""Who is who: what bodies tell about the ids of one person."""

from __future__ import annotations

from typing import Any

import pytest
from helpers.inbound_bodies import only, parse, plain, webhook, whatsapp

from worker.messages.message import Link

PHONE, NEW, USER, OTHER = "5491122334455", "5491199999999", "AR.1A2B", "AR.9Z9Z"
BESIDE = (Link(USER, PHONE),)


def links(*message: dict[str, Any], contacts: object = ...) -> tuple[Link, ...]:
    """What a webhook body of one message tells."""
    return only(parse(webhook(*message, contacts=contacts))).links


@pytest.mark.parametrize("key", ["user_id", "from_user_id"])
def test_a_message_names_both(key: str) -> None:
    """Beside `from`, in Meta's names."""
    assert links(whatsapp(**{key: USER})) == BESIDE


def test_a_contact_names_both() -> None:
    """That of the sender, found by either id; others say nothing of the sender."""
    contact = {"wa_id": PHONE, "user_id": USER}
    other = {"wa_id": NEW, "user_id": OTHER}
    assert links(whatsapp(), contacts=[other, contact]) == BESIDE
    hidden = whatsapp(**{"from": ..., "from_user_id": USER})
    assert links(hidden, contacts=[other, contact]) == BESIDE
    assert only(parse(webhook(hidden, contacts=[contact]))).customer_phone == USER
    assert links(whatsapp(), contacts=[other]) == ()


def test_one_id_alone_tells_nothing() -> None:
    """A phone, a business-scoped id, or what is none."""
    assert links(whatsapp()) == links(whatsapp(**{"from": USER, "user_id": USER})) == ()
    for bad in (NEW, "agent 7", 7, None, {}, "", "AR."):
        assert links(whatsapp(user_id=bad), contacts=[{"wa_id": PHONE, "user_id": bad}]) == ()


def test_two_phones_are_two_people() -> None:
    """Also where a contact of the same business-scoped id names another one."""
    assert links(whatsapp(user_id=USER), contacts=[{"wa_id": NEW, "user_id": USER}]) == BESIDE


def test_the_plain_form_names_both() -> None:
    """Of the customer, who writes or is written to."""
    assert only(parse(plain(user_id=USER))).links == BESIDE
    assert only(parse(plain(type="echo", to=PHONE, user_id=USER))).links == BESIDE
    assert only(parse(plain(user_id=PHONE))).links == only(parse(plain(user_id=["x"]))).links == ()


def test_an_echo_names_both() -> None:
    """To whom a person of the shop wrote."""
    echo = {"id": "e1", "from": "1", "to": PHONE, "to_user_id": USER, "type": "text", "text": {"body": "hola"}}
    body = webhook(field="smb_message_echoes")
    body["entry"][0]["changes"][0]["value"] = {"message_echoes": [echo]}
    assert only(parse(body)).links == BESIDE
    del echo["to"]
    hidden = only(parse(body))
    assert (hidden.customer_phone, hidden.links) == (USER, ())


@pytest.mark.parametrize(
    "notice",
    [
        {"type": "user_changed_number", "wa_id": NEW},
        {"type": "customer_changed_number", "wa_id": NEW, "customer": PHONE},
        {"type": "user_changed_number", "new_wa_id": NEW},
    ],
)
def test_a_changed_number(notice: dict[str, Any]) -> None:
    """In the names of several versions."""
    assert links(whatsapp(type="system", system=notice)) == (Link(PHONE, NEW, former=True),)


def test_a_changed_number_with_its_new_id() -> None:
    """The id that belongs to the new number."""
    notice = {"type": "user_changed_number", "wa_id": NEW, "previous_user_id": USER, "user_id": OTHER}
    told = links(whatsapp(type="system", system=notice, user_id=USER))
    assert told == (*BESIDE, Link(PHONE, NEW, former=True), Link(OTHER, NEW), Link(USER, OTHER, former=True))


def test_a_changed_id() -> None:
    """Beside the phone, or alone."""
    notice = {"type": "user_changed_user_id", "previous_user_id": USER, "user_id": OTHER}
    told = links(whatsapp(type="system", system=notice))
    assert told == (Link(OTHER, PHONE), Link(USER, OTHER, former=True))
    assert links(whatsapp(**{"from": ..., "type": "system", "system": notice})) == (Link(USER, OTHER, former=True),)


@pytest.mark.parametrize(
    "message",
    [
        {"type": "system", "system": {"type": "customer_identity_changed", "wa_id": NEW}},
        {"type": "system", "system": {"type": "user_changed_number", "wa_id": "+54"}},
        {"type": "system", "system": {"type": "user_changed_number", "wa_id": PHONE}},
        {"type": "system", "system": {"previous_user_id": USER, "user_id": USER}},
        {"type": "system", "system": []},
        {"type": "text", "system": {"type": "user_changed_number", "wa_id": NEW}},
    ],
)
def test_other_notices_change_nothing(message: dict[str, Any]) -> None:
    """Nor does one that cannot be read, or a message that looks like one."""
    assert not any(link.former for link in links(whatsapp(**message)))
