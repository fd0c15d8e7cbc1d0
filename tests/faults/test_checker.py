"""The checker itself: each promise that is broken in a made-up picture is found, and named for what it is."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from faults.checker import Finding, Picture, findings
from faults.gateway import Entry, Sent
from faults.records import Message, Records
from faults.workload import Delivery

NOW = datetime(2026, 11, 22, 9, tzinfo=UTC)
ANA = "5491100000001"
BAD = b'{"message_id":'
FIRST, SECOND = "wamid.1", "wamid.2"
CALLS = 2


def reply(number: int) -> dict[str, Any]:
    """The reply to a message, as far as the checker looks."""
    return {"reply_id": f"reply-{number}", "to": ANA, "in_reply_to": [f"wamid.{number}"], "text": f"text {number}"}


def message(number: int, **changes: Any) -> Message:
    """An answered message."""
    given: dict[str, Any] = {
        "id": number,
        "message_id": f"wamid.{number}",
        "customer_phone": ANA,
        "content": {},
        "state": "answered",
        "attempts": 0,
        "reply_id": f"reply-{number}",
        "reply": reply(number),
        "outcome": {"calls": 1, "source": "ai"},
        "sent_at_s": 0,
        "answered_at": NOW,
        "published_at": NOW,
    }
    return Message(**given | changes)


def entry(number: int, place: int, **changes: Any) -> Entry:
    """The reply to a message in the stream."""
    return Entry(f"{place}-0", orjson.dumps(reply(number) | changes))


def records(*messages: Message, **changes: int) -> Records:
    """What PostgreSQL has kept."""
    figures = {"turns_held": 0, "unpublished": 0, "calls_of_lost_turns": 0} | changes
    return Records(messages, {}, {}, **figures)


def event(number: int, order: int = 1, kind: str = "status") -> dict[str, Any]:
    """What the shop is told of an order."""
    return {"event_id": f"e{number}", "event": kind, "order": {"id": order}}


PLACED, MOVED = event(1, kind="placed"), event(2)


def with_order(*told: dict[str, Any], orders: int = 1) -> Picture:
    """The good picture with an order that was moved on, and what the shop was told of it."""
    placed = {(f"reply-{number}", "ARS"): {} for number in range(orders)}
    kept = replace(GOOD.records, orders=placed, order_events=(PLACED, MOVED))
    return replace(GOOD, records=kept, orders=told)


DELIVERIES = [Delivery(ANA, (FIRST,), b"1"), Delivery(ANA, (SECOND,), b"2"), Delivery(ANA, (), BAD, bad=1)]
SENT = Sent(DELIVERIES, {FIRST, SECOND}, Counter({b"1": 1, b"2": 1, BAD: 1}))
STREAM = (entry(1, 1), entry(2, 2))
GOOD = Picture(SENT, records(message(1), message(2)), STREAM, STREAM, {BAD: 1}, CALLS)
TWICE = (*STREAM, entry(1, 3))


def test_a_picture_in_which_all_is_well_has_no_findings() -> None:
    """Two messages answered in order, one payload refused."""
    assert list(findings(GOOD)) == []


BROKEN: dict[str, tuple[Picture, set[Finding]]] = {
    "never accepted": (
        replace(GOOD, records=records(message(1)), seen=STREAM[:1], kept=STREAM[:1], calls=1),
        {Finding("lost", "wamid.2 was sent and never accepted")},
    ),
    "never ended": (
        replace(
            GOOD,
            records=records(message(1), message(2, state="accepted", reply_id=None, reply=None)),
            seen=STREAM[:1],
            kept=STREAM[:1],
        ),
        {Finding("lost", "wamid.2 is still accepted (0 attempts)")},
    ),
    "never published": (
        replace(GOOD, seen=STREAM, kept=STREAM[:1]),
        {Finding("lost", "reply reply-2 was committed and never published")},
    ),
    "published twice": (
        replace(GOOD, seen=TWICE, kept=TWICE),
        {Finding("doubled", "reply reply-1 was published 2 times")},
    ),
    "two contents": (
        replace(GOOD, seen=(*STREAM, entry(1, 3, text="other"))),
        {Finding("doubled", "reply reply-1 was published with 2 contents")},
    ),
    "another content": (
        replace(GOOD, seen=(entry(1, 1, text="other"), STREAM[1]), kept=(entry(1, 1, text="other"), STREAM[1])),
        {Finding("wrong", "reply reply-1 was published with another content than was committed")},
    ),
    "answered twice": (
        replace(
            GOOD,
            records=records(message(1), message(2, reply=reply(2) | {"in_reply_to": [FIRST, SECOND]})),
            seen=(STREAM[0], entry(2, 2, in_reply_to=[FIRST, SECOND])),
            kept=(STREAM[0], entry(2, 2, in_reply_to=[FIRST, SECOND])),
        ),
        {Finding("doubled", "wamid.1 is answered by 2 replies")},
    ),
    "accepted twice": (
        replace(GOOD, records=records(message(1), message(2), message(3, message_id=FIRST, reply=None))),
        {Finding("doubled", "wamid.1 was accepted 2 times")},
    ),
    "out of order for who reads later": (
        replace(GOOD, kept=(entry(2, 1), entry(1, 2))),
        {Finding("out_of_order", "reply reply-1 comes after a later one for who reads later")},
    ),
    "accepted out of order": (
        replace(GOOD, records=records(message(2, id=1), message(1, id=2)), seen=STREAM[::-1], kept=STREAM[::-1]),
        {Finding("out_of_order", "wamid.2 was sent before a message that was accepted before it")},
    ),
    "given up for nothing": (
        replace(
            GOOD,
            records=records(message(1), message(2, state="dead", attempts=5, reply=reply(2) | {"in_reply_to": []})),
            seen=(STREAM[0], entry(2, 2, in_reply_to=[])),
            kept=(STREAM[0], entry(2, 2, in_reply_to=[])),
        ),
        {Finding("wrong", "wamid.2 was given up after 5 attempts, for no fault of its own")},
    ),
    "turn held": (
        replace(GOOD, records=records(message(1), message(2), turns_held=1)),
        {Finding("wrong", "1 turns are held although everything has ended")},
    ),
    "not marked": (
        replace(GOOD, records=records(message(1), message(2), unpublished=1)),
        {Finding("wrong", "1 replies or orders are not marked published")},
    ),
    "a call too many": (
        replace(GOOD, calls=CALLS + 1),
        {Finding("wrong", "providers were called 3 times, 2 can be explained")},
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_promise_is_found(name: str) -> None:
    """And nothing else is reported."""
    picture, expected = BROKEN[name]
    assert set(findings(picture)) == expected


def test_an_order_that_was_told_as_it_should_be() -> None:
    """Placed, and then moved on."""
    assert list(findings(with_order(PLACED, MOVED))) == []


@pytest.mark.parametrize(
    ("told", "orders", "kinds"),
    [
        ((PLACED,), 1, {"lost"}),
        ((PLACED, PLACED, MOVED), 1, {"doubled"}),
        ((MOVED, PLACED), 1, {"out_of_order"}),
        ((PLACED, MOVED, event(3)), 1, {"wrong"}),
        ((PLACED, MOVED | {"event": "cancelled"}), 1, {"wrong"}),
        ((PLACED, MOVED), 2, {"wrong"}),
    ],
)
def test_a_broken_promise_about_orders_is_found(told: tuple[dict[str, Any], ...], orders: int, kinds: set[str]) -> None:
    """Lost, doubled, out of order, never committed, another content, an order without an event."""
    assert {finding.kind for finding in findings(with_order(*told, orders=orders))} == kinds


@pytest.mark.parametrize(("found", "kind"), [(0, "lost"), (2, "doubled")])
def test_a_bad_payload_has_one_refusal(found: int, kind: str) -> None:
    """Not none, and not two where it was sent once."""
    rejected = {BAD: found} if found else {}
    assert {finding.kind for finding in findings(replace(GOOD, rejected=rejected))} == {kind}


def test_a_bad_payload_that_had_to_be_sent_again_may_have_two() -> None:
    """Nobody can know whether the first one had arrived."""
    sent = Sent(DELIVERIES, {FIRST, SECOND}, Counter({b"1": 1, b"2": 1, BAD: 2}))
    assert list(findings(replace(GOOD, sent=sent, rejected={BAD: 2}))) == []
