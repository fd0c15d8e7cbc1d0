"""The checker: what was sent, against what the streams and the database say became of it. Pure."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal
from zlib import crc32

import orjson

from faults.gateway import Entry, Sent
from faults.records import Records

Kind = Literal["lost", "doubled", "out_of_order", "wrong"]
#: A run asks up to three candidates, each up to twice.
MOST_CALLS_PER_RUN: Final = 6
FINAL_STATES: Final = frozenset({"answered", "closed", "dead"})


@dataclass(frozen=True, slots=True)
class Finding:
    """One promise that was not kept. what: for the reader, without phone or text."""

    kind: Kind
    what: str


@dataclass(frozen=True, slots=True)
class Picture:
    """All there is to see when nothing is under way any more. seen: what a gateway that is always there read; kept:
    what stands in the outbound stream; rejected: entries by payload; calls: what the providers counted; orders: what
    the shop was told.
    """

    sent: Sent
    records: Records
    seen: tuple[Entry, ...]
    kept: tuple[Entry, ...]
    rejected: Mapping[bytes, int]
    calls: int
    orders: tuple[Mapping[str, Any], ...] = ()


def findings(picture: Picture) -> Iterator[Finding]:
    """Everything that is not as promised."""
    yield from _every_message_ended(picture)
    yield from _dead_for_a_reason(picture)
    yield from _every_reply_once(picture)
    yield from _every_answer_once(picture)
    yield from _accepted_in_order(picture)
    yield from _in_order(picture)
    yield from _refusals(picture)
    yield from _orders_told(picture)
    yield from _nothing_left(picture.records)
    yield from _calls(picture)


def _every_message_ended(picture: Picture) -> Iterator[Finding]:
    rows = Counter(message.message_id for message in picture.records.messages)
    for message_id in picture.sent.message_ids:
        if not rows[message_id]:
            yield Finding("lost", f"{message_id} was sent and never accepted")
    for message_id, count in rows.items():
        if count > 1:
            yield Finding("doubled", f"{message_id} was accepted {count} times")
    for message in picture.records.messages:
        if message.state not in FINAL_STATES:
            yield Finding("lost", f"{message.message_id} is still {message.state} ({message.attempts} attempts)")


def _dead_for_a_reason(picture: Picture) -> Iterator[Finding]:
    """Only what kills its worker every time is given up: no fault here strikes one message five times."""
    killers = {d.message_ids[0] for d in picture.sent.deliveries if d.poison == "killer"}
    for message in picture.records.messages:
        if message.state == "dead" and message.message_id not in killers:
            yield Finding(
                "wrong", f"{message.message_id} was given up after {message.attempts} attempts, for no fault of its own"
            )
        if message.message_id in killers and message.state not in ("accepted", "dead"):
            yield Finding("wrong", f"{message.message_id} kills its worker and is {message.state}")


def _every_reply_once(picture: Picture) -> Iterator[Finding]:
    """Each reply that was committed stands in the stream, once, and never with another content."""
    committed = {message.reply_id: message.reply for message in picture.records.messages if message.reply is not None}
    kept = Counter(entry.reply["reply_id"] for entry in picture.kept)
    for reply_id in committed.keys() - kept.keys():
        yield Finding("lost", f"reply {reply_id} was committed and never published")
    for reply_id, count in kept.items():
        if count > 1:
            yield Finding("doubled", f"reply {reply_id} was published {count} times")
    contents: dict[str, set[bytes]] = defaultdict(set)
    for entry in (*picture.seen, *picture.kept):
        contents[entry.reply["reply_id"]].add(orjson.dumps(entry.reply, option=orjson.OPT_SORT_KEYS))
    for reply_id, texts in contents.items():
        if len(texts) > 1:
            yield Finding("doubled", f"reply {reply_id} was published with {len(texts)} contents")
        reply = committed.get(reply_id)
        if reply is None:
            yield Finding("wrong", f"reply {reply_id} was published and never committed")
        elif texts != {orjson.dumps(reply, option=orjson.OPT_SORT_KEYS)} and len(texts) == 1:
            yield Finding("wrong", f"reply {reply_id} was published with another content than was committed")


def _every_answer_once(picture: Picture) -> Iterator[Finding]:
    """Each answered message stands in exactly one reply, no other message in any."""
    replies: dict[str, set[str]] = defaultdict(set)
    for entry in (*picture.seen, *picture.kept):
        for message_id in entry.reply["in_reply_to"]:
            replies[message_id].add(entry.reply["reply_id"])
    for message in picture.records.messages:
        count = len(replies[message.message_id])
        if count > 1:
            yield Finding("doubled", f"{message.message_id} is answered by {count} replies")
        if message.state == "answered" and count == 0:
            yield Finding("lost", f"{message.message_id} is answered, but no reply names it")
        if message.state != "answered" and count:
            yield Finding("wrong", f"{message.message_id} is {message.state} and has a reply")
    for message_id in replies.keys() - {message.message_id for message in picture.records.messages}:
        yield Finding("wrong", f"{message_id} has a reply and was never accepted")


def _accepted_in_order(picture: Picture) -> Iterator[Finding]:
    """Per customer the order of the stream is the order of acceptance. What came through Celery has none."""
    places = {message.message_id: message.id for message in reversed(picture.records.messages)}
    newest: dict[str, int] = {}
    for message_id, customer in _first_deliveries(picture.sent):
        place = places.get(message_id, 0)
        if place and place < newest.get(customer, 0):
            yield Finding("out_of_order", f"{message_id} was sent before a message that was accepted before it")
        newest[customer] = max(place, newest.get(customer, 0))


def _first_deliveries(sent: Sent) -> Iterator[tuple[str, str]]:
    known: set[str] = set()
    for delivery in sent.deliveries:
        for message_id in delivery.message_ids:
            if message_id not in known and delivery.door == "stream":
                yield message_id, delivery.customer
            known.add(message_id)


def _in_order(picture: Picture) -> Iterator[Finding]:
    """Per customer replies appear in the order of acceptance: for who reads at once, and for who reads later."""
    places = {message.reply_id: message.id for message in picture.records.messages if message.reply is not None}
    at_once, later = set(_late(picture.seen, places)), set(_late(picture.kept, places))
    for reply_id in at_once | later:
        whom = " and ".join(name for name, late in (("at once", at_once), ("later", later)) if reply_id in late)
        yield Finding("out_of_order", f"reply {reply_id} comes after a later one for who reads {whom}")


def _late(entries: Iterable[Entry], places: Mapping[str | None, int]) -> Iterator[str]:
    newest: dict[str, int] = {}
    met: set[str] = set()
    for entry in entries:
        reply: Mapping[str, Any] = entry.reply
        if reply["reply_id"] in met or reply["reply_id"] not in places:
            continue
        met.add(reply["reply_id"])
        place = places[reply["reply_id"]]
        if place < newest.get(reply["to"], 0):
            yield reply["reply_id"]
        newest[reply["to"]] = max(place, newest.get(reply["to"], 0))


def _refusals(picture: Picture) -> Iterator[Finding]:
    """One rejected entry per bad message and delivery. A delivery that had to be sent again may have arrived twice."""
    due: Counter[bytes] = Counter()
    for delivery in picture.sent.deliveries:
        due[delivery.payload] += delivery.bad
    for payload, least in due.items():
        bad = 1 if least else 0
        found, most = picture.rejected.get(payload, 0), picture.sent.tries[payload] * bad
        if found < least:
            yield Finding("lost", f"a bad payload ({_name(payload)}) has {found} refusals instead of {least}")
        if found > most:
            yield Finding("doubled", f"a bad payload ({_name(payload)}) has {found} refusals instead of {most}")
    for payload in picture.rejected.keys() - due.keys():
        yield Finding("wrong", f"a payload was rejected that nobody sent ({_name(payload)})")


def _name(payload: bytes) -> str:
    return f"{len(payload)} bytes, {crc32(payload):08x}"


def _orders_told(picture: Picture) -> Iterator[Finding]:
    """The shop was told of every order once, as it was committed, and of each order's events in their order."""
    committed = {event["event_id"]: event for event in picture.records.order_events}
    told = Counter(event["event_id"] for event in picture.orders)
    for event_id in committed.keys() | told.keys():
        if not told[event_id]:
            yield Finding("lost", f"event {event_id} of an order was committed and never published")
        if told[event_id] > 1:
            yield Finding("doubled", f"event {event_id} of an order was published {told[event_id]} times")
        if event_id not in committed:
            yield Finding("wrong", f"event {event_id} of an order was published and never committed")
    if any(event != committed.get(event["event_id"], event) for event in picture.orders):
        yield Finding("wrong", "an order was told otherwise than it was committed")
    if len(picture.records.orders) != sum(event["event"] == "placed" for event in committed.values()):
        yield Finding("wrong", "there are not as many events as orders")
    yield from _events_in_order(picture)


def _events_in_order(picture: Picture) -> Iterator[Finding]:
    places = {event["event_id"]: place for place, event in enumerate(picture.records.order_events)}
    newest: dict[int, int] = {}
    for event in picture.orders:
        order = event["order"]["id"]
        place = places.get(event["event_id"], newest.get(order, 0))
        if place < newest.get(order, 0):
            yield Finding("out_of_order", f"event {event['event_id']} of an order comes after a later one")
        newest[order] = max(place, newest.get(order, 0))


def _nothing_left(records: Records) -> Iterator[Finding]:
    if records.turns_held:
        yield Finding("wrong", f"{records.turns_held} turns are held although everything has ended")
    if records.unpublished:
        yield Finding("wrong", f"{records.unpublished} replies or orders are not marked published")


def _calls(picture: Picture) -> Iterator[Finding]:
    """Providers were called for misses, for what failed there, and for runs that were lost; for nothing else."""
    most = allowed_calls(picture.records)
    if picture.calls > most:
        yield Finding("wrong", f"providers were called {picture.calls} times, {most} can be explained")


def allowed_calls(records: Records) -> int:
    """The calls that turns have recorded; those that runs which were lost may have made; and a second try, which
    counts as one call with the first, where the last candidate was asked.
    """
    outcomes = [message.outcome for message in records.messages if message.outcome is not None]
    recorded = sum(int(outcome["calls"]) for outcome in outcomes)
    retried = sum(2 for outcome in outcomes if outcome["calls"] > 2 or outcome["source"] == "fallback")
    lost_runs = sum(message.attempts for message in records.messages)
    return recorded + retried + records.calls_of_lost_turns + MOST_CALLS_PER_RUN * lost_runs
