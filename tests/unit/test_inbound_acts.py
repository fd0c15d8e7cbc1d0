"""Echoes, edits and revocations in a body, and messages that come too late."""

from __future__ import annotations

from typing import Any

import pytest
from helpers.inbound_bodies import ACCOUNT, NOW_S, only, parse, plain, webhook, whatsapp

from worker.intake.parsed_entry import MOST_LATE_S, in_time
from worker.messages.message import InboundMessage, Parsed

CHANNEL = "100000000000001"
DAY_S = 86_400.0


def echoes(*messages: dict[str, Any]) -> dict[str, Any]:
    """A body with what the shop's people have written."""
    value = {"metadata": {"phone_number_id": CHANNEL}, "message_echoes": list(messages)}
    return {"object": ACCOUNT, "entry": [{"changes": [{"field": "smb_message_echoes", "value": value}]}]}


def written(**changes: Any) -> dict[str, Any]:
    """One echo."""
    return whatsapp(id="wamid.E", to="5491100000009", text={"body": "ya te la llevo"}) | changes


def test_an_echo_is_of_the_customer_it_was_written_to() -> None:
    """With its words and its number; it needs no reply."""
    found = only(parse(echoes(written())))
    assert (found.message_id, found.customer_phone, found.text) == ("wamid.E", "5491100000009", "ya te la llevo")
    assert (found.type, found.act, found.channel, found.reply_due) == ("echo", "echo", CHANNEL, False)


def test_an_echo_without_words_says_what_it_is() -> None:
    """A picture; one with a caption has words."""
    assert only(parse(echoes(written(type="image", image={"id": "1"})))).text == "[image]"
    assert only(parse(echoes(written(type="image", image={"caption": "esta"})))).text == "esta"
    assert only(parse(echoes(written(type="image")))).text == "[image]"


def test_an_echo_of_a_reaction_is_none() -> None:
    """Nobody has written."""
    assert parse(echoes(written(type="reaction", reaction={"emoji": "👍"}))) == Parsed()


def test_a_person_edits_or_deletes_an_echo() -> None:
    """It changes what was written before, and begins no wait; without saying of what it is nothing."""
    new = {"original_message_id": "wamid.O", "message": {"type": "text", "text": {"body": "son 2.000"}}}
    found = only(parse(echoes(written(type="edit", edit=new))))
    assert (found.type, found.act, found.target, found.edited, found.text) == (
        ("echo", "edit", "wamid.O", "son 2.000", None)
    )
    assert (found.customer_phone, found.reply_due) == ("5491100000009", False)
    found = only(parse(echoes(written(type="revoke", revoke={"original_message_id": "wamid.O"}))))
    assert (found.type, found.act, found.target, found.edited) == ("echo", "revoke", "wamid.O", None)
    for kind, part in (("edit", {"original_message_id": "wamid.O"}), ("edit", new | {"original_message_id": 5})):
        assert parse(echoes(written(type=kind, edit=part))) == Parsed()
    assert parse(echoes(written(type="revoke"))) == Parsed()


def test_what_a_person_says_in_a_group_is_no_echo() -> None:
    """It was written to nobody alone."""
    assert parse(echoes(written(to="Y2FwaV9ncm91cDox", recipient_type="group"))) == Parsed()


def test_an_echo_must_say_to_whom() -> None:
    """It is refused by its path, without what it says."""
    (reason,) = parse(echoes({k: v for k, v in written().items() if k != "to"})).rejections
    assert reason == "entry[0].changes[0].value.message_echoes[0]: 'to' is missing"
    (reason,) = parse(plain(type="echo")).rejections
    assert reason == "'to' is missing"


def test_the_plain_form_of_an_echo() -> None:
    """Says the same."""
    found = only(parse(plain(type="echo", to="5491100000009", text="hola", channel=CHANNEL)))
    assert (found.customer_phone, found.act, found.text, found.channel) == ("5491100000009", "echo", "hola", CHANNEL)


def edit(**part: Any) -> dict[str, Any]:
    """A body with an edit."""
    said = {"original_message_id": "wamid.O", "message": {"type": "text", "text": {"body": "3 leche"}}}
    return webhook(whatsapp(type="edit", edit=said | part))


def test_an_edit() -> None:
    """Names what it edits; as a message of its own it says that it corrects."""
    for body in (edit(), plain(type="edit", target="wamid.O", text="3 leche")):
        found = only(parse(body))
        assert (found.act, found.target, found.edited, found.reply_due) == ("edit", "wamid.O", "3 leche", True)
        assert found.text == "Corrección de mi mensaje anterior: 3 leche"


def test_an_edit_in_a_group_gets_no_answer() -> None:
    """As its original got none; a revocation there forgets all the same."""
    group = {"group_id": "Y2FwaV9ncm91cDox"}
    said = {"original_message_id": "wamid.O", "message": {"type": "text", "text": {"body": "3"}}}
    for body in (
        webhook(whatsapp(type="edit", edit=said, **group)),
        plain(type="edit", target="wamid.O", text="3", **group),
    ):
        found = only(parse(body))
        assert (found.act, found.reply_due) == ("edit", False)
    assert only(parse(plain(type="revoke", target="wamid.O", **group))).act == "revoke"


def test_the_edit_of_a_caption() -> None:
    """Is one of words."""
    assert only(parse(edit(message={"type": "image", "image": {"caption": "esta"}}))).edited == "esta"


@pytest.mark.parametrize(
    "part",
    [
        {"original_message_id": None},
        {"original_message_id": 5},
        {"original_message_id": " "},
        {"original_message_id": "x" * 513},
        {"message": None},
        {"message": "3"},
        {"message": {"type": "text"}},
        {"message": {"type": 5}},
        {"message": {"type": "audio", "audio": {}}},
    ],
)
def test_an_edit_that_cannot_be_used_needs_no_reply(part: dict[str, Any]) -> None:
    """As before there were any."""
    found = only(parse(edit(**part)))
    assert (found.act, found.reply_due, found.text) == (None, False, None)


def test_a_revocation() -> None:
    """Names what is gone, and nothing else."""
    for body in (
        webhook(whatsapp(type="revoke", revoke={"original_message_id": "wamid.O"})),
        plain(type="revoke", target="wamid.O", text="x"),
    ):
        found = only(parse(body))
        assert (found.act, found.target, found.reply_due, found.text) == ("revoke", "wamid.O", False, None)


def test_history_syncs_and_account_events_leave_nothing() -> None:
    """Whatever is in them."""
    for field in ("history", "smb_app_state_sync", "account_update"):
        assert parse(webhook(whatsapp(), field=field)) == Parsed()


def change_of(body: dict[str, Any]) -> InboundMessage:
    """The message of a plain body."""
    return only(parse(body))


@pytest.mark.parametrize(
    ("age_s", "is_late"),
    [(0, False), (DAY_S - 1, False), (DAY_S + 1, True), (7 * DAY_S, True), (MOST_LATE_S + 1, False), (-60, False)],
)
def test_a_message_that_is_too_late(age_s: float, is_late: object) -> None:
    """Needs no reply, with its reason; one whose age cannot be true is answered."""
    message = in_time(change_of(plain(timestamp=NOW_S - age_s)), NOW_S, DAY_S)
    assert (message.reply_due, message.reason) == ((False, "too_late") if is_late else (True, None))


@pytest.mark.parametrize(
    ("age_s", "believed"), [(0, True), (90, True), (-1, False), (-3 * 3_600, False), (40 * DAY_S, False)]
)
def test_a_time_that_cannot_be_true_counts_as_now(age_s: float, believed: object) -> None:
    """Else the reply's window would be over before it opened, or stay open longer than WhatsApp's."""
    message = in_time(change_of(plain(timestamp=NOW_S - age_s)), NOW_S, DAY_S)
    assert message.sent_at_s == (NOW_S - age_s if believed else None)


def test_what_is_late_does_nothing_to_others() -> None:
    """But a revocation does; and what needed no reply is not called late."""
    old = {"timestamp": NOW_S - 3 * DAY_S}
    late = in_time(change_of(plain(type="edit", target="w", **old)), NOW_S, DAY_S)
    assert (late.act, late.reply_due, late.reason) == (None, False, "too_late")
    late = in_time(change_of(plain(type="echo", to="5491100000009", **old)), NOW_S, DAY_S)
    assert (late.act, late.reply_due, late.reason) == (None, False, None)
    assert in_time(change_of(plain(type="revoke", target="w", **old)), NOW_S, DAY_S).act == "revoke"


def test_a_shop_may_be_stricter() -> None:
    """Its own bound counts."""
    assert in_time(change_of(plain(timestamp=NOW_S - 7_200)), NOW_S, 3_600).reason == "too_late"
