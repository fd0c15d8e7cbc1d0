"""Delivery statuses in a webhook body: those that name a reply of ours, and nothing rejected for the others."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from helpers.basics import REPOSITORY

from worker.messages.delivery import FAILURES, label
from worker.messages.inbound import parse_payload
from worker.messages.message import DeliveryStatus, Parsed

REPLY = "7b4ff223-50bb-4cfa-bc32-d1cd7b390fa9"
NOW_S = 1_764_450_000.0
CASES = REPOSITORY.parent / "shared" / "cases" / "whatsapp.jsonl"


def status(state: str = "sent", reply_id: object = REPLY, **changes: Any) -> dict[str, Any]:
    """A status as Meta sends it."""
    given = {"id": "wamid.S1", "recipient_id": "5491100000001", "status": state, "timestamp": "1764446400"}
    return given | {"biz_opaque_callback_data": reply_id} | changes


def failed(code: object) -> dict[str, Any]:
    """A status of a reply that failed."""
    return status("failed", errors=[{"code": code, "title": "Message undeliverable"}])


def parsed(*statuses: Any, **value: Any) -> Parsed:
    """What a body with these statuses holds."""
    change = {"field": "messages", "value": {"messaging_product": "whatsapp", "statuses": list(statuses)} | value}
    body = {"object": "whatsapp_business_account", "entry": [{"id": "1", "changes": [change]}]}
    return parse_payload(json.dumps(body), NOW_S)


def test_every_state_is_read() -> None:
    """With the time, WhatsApp's id of the reply, and of a failure the code."""
    found = parsed(status("sent"), status("delivered"), status("read"), failed(131026))
    common = {"reply_id": REPLY, "wamid": "wamid.S1", "at_s": 1_764_446_400}
    reported = [DeliveryStatus(state=state, **common) for state in ("sent", "delivered", "read")]
    assert found.statuses == (*reported, DeliveryStatus(state="failed", code=131026, **common))
    assert found.rejections == ()


@pytest.mark.parametrize(
    "given",
    [
        status(reply_id=None),
        status(reply_id="order 17 of another program"),
        status(reply_id=7),
        status("played"),
        status("deleted"),
        status(state=None),
        "sent",
        None,
        {},
    ],
)
def test_what_is_not_ours_is_passed_over(given: object) -> None:
    """No status of another sender's message, nor a malformed one, leaves anything."""
    assert parsed(given, status()).statuses == parsed(status()).statuses
    assert parsed(given).rejections == ()


@pytest.mark.parametrize(
    ("code", "kept"), [("131047", 131047), (131056, 131056), (None, 0), ("x", 0), (True, 0), (-1, 0), (2**40, 0)]
)
def test_a_code_is_a_number(code: object, kept: int) -> None:
    """0 where Meta names none that could be one."""
    assert parsed(failed(code)).statuses[0].code == kept


def test_a_failure_without_errors_and_odd_fields() -> None:
    """What is missing is missing; no field of a status can spoil it."""
    (found,) = parsed(status("failed", id=5, timestamp="soon", errors={})).statuses
    assert found == DeliveryStatus(REPLY, "failed", None, None, 0)


def test_four_hundred_in_one_body_leave_nothing_rejected() -> None:
    """Meta delivers up to 1,000 updates at once."""
    found = parsed(*({"status": "read", "biz_opaque_callback_data": str(uuid4())} for _ in range(400)))
    assert (len(found.statuses), found.rejections) == (400, ())


def test_messages_beside_statuses_are_taken() -> None:
    """One body may hold both."""
    message = {
        "id": "wamid.A",
        "from": "5491122334455",
        "timestamp": "1764446400",
        "type": "text",
        "text": {"body": "hola"},
    }
    found = parsed(status(), messages=[message])
    assert (len(found.messages), len(found.statuses), found.rejections) == (1, 1, ())


def test_slow_down_and_outside_the_window_are_told_apart() -> None:
    """In words for the shop; a code that nobody knows has one label with all its like."""
    assert "slow down for this customer" in FAILURES[131056]
    assert "24-hour window" in FAILURES[131047]
    assert [label(code) for code in (131056, 131047, 0, 999_999)] == ["131056", "131047", "other", "other"]


@pytest.mark.skipif(not CASES.exists(), reason="the cases lie beside the project, not in it")
def test_the_case_that_was_missed() -> None:
    """As it was sent."""
    cases = (json.loads(line) for line in Path(CASES).read_text("utf-8").splitlines())
    (case,) = (case for case in cases if case["case"] == "delivery_failed")
    body = json.dumps(case["send"][0]).replace("<reply_id>", REPLY)
    (found,) = parse_payload(body, NOW_S).statuses
    assert (found.reply_id, found.state, found.code) == (REPLY, "failed", 131026)
