"""The WhatsApp streams on a real Redis."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import orjson
import pytest
import redis
from redis.exceptions import OutOfMemoryError, RedisError

from worker.redisdb import keys
from worker.redisdb.keys import (
    INBOUND,
    ORDERS,
    OUTBOUND,
    PUBLISHED,
    REJECTED,
    STREAMS_KEEP_S,
)
from worker.redisdb.streams import GROUP, Entry, Streams

REPLY: dict[str, Any] = {"reply_id": "r1", "to": "549", "text": "¡Hola! ñ😀", "confidence": 1.0, "quick_replies": []}


@pytest.fixture
def streams(redis_client: redis.Redis) -> Streams:
    """Streams with their group on the empty Redis."""
    streams = Streams(redis_client)
    streams.create_group()
    return streams


@pytest.fixture
def full(redis_client: redis.Redis) -> Iterator[redis.Redis]:
    """A way to fill Redis up; it has room again afterwards."""
    yield redis_client
    redis_client.config_set("maxmemory", "0")


def payloads(entries: list[Entry]) -> list[bytes | None]:
    """What the entries carry."""
    return [entry.payload for entry in entries]


def fields(client: redis.Redis, stream: str) -> list[dict[str, str]]:
    """Fields of all entries of a stream, oldest first."""
    rows: Any = client.xrange(stream)
    return [{name.decode(): value.decode() for name, value in entry.items()} for _, entry in rows]


def unfinished(client: redis.Redis) -> tuple[int, int]:
    """Entries in the inbound stream, and those read and not acknowledged."""
    pending: Any = client.xpending(INBOUND.pattern, GROUP)
    length: Any = client.xlen(INBOUND.pattern)
    return int(length), int(pending["pending"])


def test_names_are_those_of_the_contract() -> None:
    """Gateways write and read under these."""
    assert (INBOUND.pattern, OUTBOUND.pattern, REJECTED.pattern, GROUP) == (
        "whatsapp:inbound",
        "whatsapp:outbound",
        "whatsapp:rejected",
        "chasqui",
    )


def test_what_was_sent_before_the_group_was_made_is_read(redis_client: redis.Redis) -> None:
    """A gateway may be up first; making the group again changes nothing."""
    streams = Streams(redis_client)
    streams.send("first")
    for _ in range(2):
        streams.create_group()
    streams.send(b"second")
    assert payloads(streams.read(pending=False, count=10)) == [b"first", b"second"]


def test_entries_are_read_in_order_and_bounded(streams: Streams) -> None:
    """New ones once; an empty stream is waited for no longer than told."""
    for number in range(5):
        streams.send(str(number))
    assert payloads(streams.read(pending=False, count=3)) == [b"0", b"1", b"2"]
    assert payloads(streams.read(pending=False, count=3)) == [b"3", b"4"]
    # A longer wait would end with the time limit of the client.
    assert streams.read(pending=False, count=3, block_ms=20) == []


def test_what_was_read_and_not_finished_is_read_again(streams: Streams, redis_client: redis.Redis) -> None:
    """By whoever is the next intake, in the same order, until it is finished."""
    for number in range(4):
        streams.send(str(number))
    streams.read(pending=False, count=3)
    again = Streams(redis_client)
    assert payloads(again.read(pending=True, count=2)) == [b"0", b"1"]
    assert payloads(again.read(pending=True, count=10)) == [b"0", b"1", b"2"]
    again.finish(again.read(pending=True, count=2), [])
    assert payloads(again.read(pending=True, count=10)) == [b"2"]
    assert payloads(again.read(pending=False, count=10)) == [b"3"]


def test_finished_entries_are_gone(streams: Streams, redis_client: redis.Redis) -> None:
    """Acknowledged and deleted; finishing nothing is nothing."""
    streams.send("a")
    entries = streams.read(pending=False, count=10)
    streams.finish([], [])
    assert unfinished(redis_client) == (1, 1)
    streams.finish(entries, [])
    assert unfinished(redis_client) == (0, 0)
    streams.finish(entries, [])
    assert redis_client.exists(REJECTED.pattern) == 0


def test_refusals_are_kept_with_their_payload_and_reason(streams: Streams, redis_client: redis.Redis) -> None:
    """One for each reason, in their order; the others of the batch are only finished."""
    for text in ("good", '{"bad":"ñ"}'):
        streams.send(text)
    good, bad = streams.read(pending=False, count=10)
    streams.finish([good, bad], [(bad, "from: missing"), (bad, "type: missing")])
    assert fields(redis_client, REJECTED.pattern) == [
        {"payload": '{"bad":"ñ"}', "reason": "from: missing"},
        {"payload": '{"bad":"ñ"}', "reason": "type: missing"},
    ]
    assert unfinished(redis_client) == (0, 0)


def test_a_refusal_that_cannot_be_kept_acknowledges_nothing(streams: Streams, full: redis.Redis) -> None:
    """A full Redis refuses the whole transaction; the entry is pending, and refused once when there is room again."""
    streams.send("bad")
    entries = streams.read(pending=False, count=10)
    full.config_set("maxmemory", "1")
    with pytest.raises(RedisError):
        streams.finish(entries, [(entries[0], "reason")])
    assert unfinished(full) == (1, 1)
    full.config_set("maxmemory", "0")
    streams.finish(entries, [(entries[0], "reason")])
    assert (unfinished(full), len(fields(full, REJECTED.pattern))) == ((0, 0), 1)


def test_a_full_redis_takes_no_more(streams: Streams, full: redis.Redis) -> None:
    """That is the backpressure a gateway sees."""
    full.config_set("maxmemory", "1")
    with pytest.raises(OutOfMemoryError):
        streams.send("one too many")


def test_an_entry_without_payload(streams: Streams, redis_client: redis.Redis) -> None:
    """Is refused with all that it holds, bytes that are no text included."""
    redis_client.xadd(INBOUND.pattern, {"body": "hola", "x": b"\xff"})
    (entry,) = streams.read(pending=False, count=10)
    assert entry.payload is None
    streams.finish([entry], [(entry, "no payload")])
    (kept,) = fields(redis_client, REJECTED.pattern)
    assert orjson.loads(kept["payload"]) == {"body": "hola", "x": "\ufffd"}


def test_a_pending_entry_that_was_deleted_can_be_finished(streams: Streams, redis_client: redis.Redis) -> None:
    """Redis still lists it, without fields; it must not stay pending for ever."""
    for text in ("a", "b"):
        streams.send(text)
    first, _ = streams.read(pending=False, count=10)
    redis_client.xdel(INBOUND.pattern, first.id)
    entries = streams.read(pending=True, count=10)
    assert payloads(entries) == [None, b"b"]
    streams.finish(entries, [])
    assert unfinished(redis_client) == (0, 0)


def test_replies_are_published_once_and_in_order(streams: Streams, redis_client: redis.Redis) -> None:
    """However often, and in whatever company."""
    replies = [REPLY | {"reply_id": name} for name in ("r1", "r2", "r3")]
    assert streams.publish([]) == 0
    assert streams.publish(replies[:2]) == 2
    assert streams.publish([replies[2], replies[0], replies[2]]) == 1
    published = [orjson.loads(entry["payload"]) for entry in fields(redis_client, OUTBOUND.pattern)]
    assert published == replies
    ttl: Any = redis_client.ttl(PUBLISHED.key("r1"))
    assert 7 * 86_400 - 5 <= ttl <= 7 * 86_400


def test_an_event_and_its_reply_are_told_apart(streams: Streams, redis_client: redis.Redis) -> None:
    """Of one id, each goes once to its own stream; a reply that is out keeps no event back."""
    event = {"event_id": "r1", "event": "status", "order": {"id": 17}}
    assert streams.publish_orders([]) == 0
    assert streams.publish([REPLY]) == 1
    assert [streams.publish_orders([event, {"event_id": "r2"}]), streams.publish_orders([event])] == [2, 0]
    told = [orjson.loads(entry["payload"]) for entry in fields(redis_client, ORDERS.pattern)]
    assert told == [event, {"event_id": "r2"}]
    assert len(fields(redis_client, OUTBOUND.pattern)) == 1


def test_a_reply_published_again_is_the_same_to_the_byte(streams: Streams, redis_client: redis.Redis) -> None:
    """After Redis has forgotten it, out of a database that keeps names in another order."""
    streams.publish([REPLY])
    redis_client.delete(PUBLISHED.key("r1"))
    assert streams.publish([dict(reversed(REPLY.items()))]) == 1
    one, other = fields(redis_client, OUTBOUND.pattern)
    assert one == other


def test_trimming_drops_what_is_past_its_time(streams: Streams, redis_client: redis.Redis) -> None:
    """Replies after 7 days, refusals and orders after 30, never by length."""
    now = time.time()
    ages = {stream: STREAMS_KEEP_S[stream.pattern] for stream in (OUTBOUND, REJECTED, ORDERS)}
    for stream, keep_s in ages.items():
        for age_s in (keep_s + 60, keep_s + 30, keep_s - 30, 0):
            redis_client.xadd(stream.pattern, {"payload": str(age_s)}, id=f"{int((now - age_s) * 1000)}-0")
    assert streams.trim() == 6
    for stream, keep_s in ages.items():
        assert [entry["payload"] for entry in fields(redis_client, stream.pattern)] == [str(keep_s - 30), "0"]
    assert streams.trim() == 0


def test_refusals_are_bounded_by_number(
    streams: Streams, redis_client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A gateway gone mad must not fill Redis; Redis trims whole nodes of a hundred, so a few more may stay."""
    monkeypatch.setattr(keys, "REJECTED_KEEP_ENTRIES", 100)
    for number in range(350):
        streams.reject(str(number), "reason")
    kept = [entry["payload"] for entry in fields(redis_client, REJECTED.pattern)]
    assert 100 <= len(kept) <= 200
    assert kept[-1] == "349"
