"""An erasure over PostgreSQL and Redis: what is theirs goes, what is others' stays, and it ends when all is gone."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import redis
from helpers.away import absent_redis
from helpers.basics import Servers
from helpers.factories import (
    ANA,
    BRUNO,
    Json,
    accept,
    accept_one,
    agreed_order,
    answer,
    inbound,
    line_of,
    product,
    snapshot,
)
from helpers.service import says, webhook
from sqlalchemy import Connection

from db.customers import linked_ids
from db.engine import connect
from db.orders import unpublished_order_events
from db.products import put_products
from worker.errors import CommandError
from worker.operate.erasure import COUNTED, Erasure
from worker.orders.outbox import republish
from worker.redisdb.keys import CALL_LIMIT
from worker.redisdb.streams import Streams

LONGER, SHORTER = f"{ANA}9", ANA[:-1]


@pytest.fixture
def database(servers: Servers, connection: Connection) -> Iterator[Connection]:
    """A connection with transactions, as the command has it, to an empty database."""
    with connect(servers.database_url) as own:
        yield own


def plain(message_id: str, phone: str, **more: Any) -> str:
    """A plain inbound payload."""
    return json.dumps({"message_id": message_id, "from": phone, "text": "hola"} | more)


def reply(number: int, phone: str, text: str = "hola") -> Json:
    """A reply as it is published."""
    return {"reply_id": f"r{number}", "to": phone, "text": text}


def left(client: redis.Redis) -> list[str]:
    """Everything in Redis as text, key names included."""
    found = []
    for key in client.scan_iter(count=1_000):
        kind = client.type(key).decode()
        read: Any = {"string": client.get, "stream": client.xrange, "hash": client.hgetall}.get(kind)
        found.append(f"{key!r} {read(key) if read else client.lrange(key, 0, -1)!r}")
    return found


def erase(database: Connection, client: redis.Redis, give_up_after_s: float = 5.0) -> Json:
    """Erases Ana; fails where a pass is waited for longer than that."""
    times = iter(range(1_000))
    return Erasure(database, client, client, ANA).run(give_up_after_s, lambda: next(times), lambda _seconds: None)


def test_the_streams_lose_what_is_theirs(database: Connection, redis_client: redis.Redis) -> None:
    """Payloads, replies and refusals of this number; nothing of a number that looks like it, or that only names it."""
    streams = Streams(redis_client)
    streams.create_group()
    others = [plain("o1", BRUNO), plain("o2", LONGER), plain("o3", BRUNO, text=f"el de Ana es {ANA}")]
    for payload in (plain("a1", ANA), webhook(says("a2", ANA, "hola"), says("a3", ANA, "chau")), *others):
        streams.send(payload)
    streams.publish([reply(1, ANA), reply(2, LONGER), reply(3, BRUNO, f"llame a {ANA}"), reply(4, ANA)])
    for payload in (f'{{"from": "+{ANA}"}}', f"{{{ANA}", f"{{{SHORTER}", f"{{{LONGER}", "{"):
        streams.reject(payload, "no")
    counted = erase(database, redis_client)
    assert [counted[name] for name in ("inbound", "outbound", "rejected")] == [2, 2, 2]
    sent = [fields[b"payload"].decode() for _, fields in redis_client.xrange("whatsapp:inbound")]
    assert sent == others
    published = [json.loads(fields[b"payload"])["reply_id"] for _, fields in redis_client.xrange("whatsapp:outbound")]
    assert published == ["r2", "r3"]
    assert redis_client.xlen("whatsapp:rejected") == 3


def test_the_shops_stream_loses_their_orders(database: Connection, redis_client: redis.Redis) -> None:
    """Another customer's stays, though a note in it names them; who has an event in hand publishes nothing of it."""
    put_products(database, [product("1", "Leche")])
    for phone, note in ((ANA, None), (BRUNO, f"para {ANA}")):
        answer(database, phone, phone, orders=[agreed_order(line_of(1), note=note)])
    rows = unpublished_order_events(database, older_than_s=0)
    database.commit()
    streams = Streams(redis_client)
    streams.publish_orders([event["payload"] for event in rows])
    assert erase(database, redis_client)["order_events"] == 1
    told = [json.loads(fields[b"payload"]) for _, fields in redis_client.xrange("whatsapp:orders")]
    assert told == [rows[1]["payload"]]
    redis_client.flushall()
    assert erase(database, redis_client)["order_events"] == 0
    again = [event["payload"] for event in unpublished_order_events(database, older_than_s=0)]
    assert streams.publish_orders([event["payload"] for event in rows]) == 2
    assert [event["order"]["customer"] for event in again] == ["erased", BRUNO]


def test_an_event_on_its_way_is_stopped(database: Connection, redis_client: redis.Redis) -> None:
    """Of an order that is erased before the shop is told: the worker publishes nothing, the sweep the order alone."""
    put_products(database, [product("1", "Leche")])
    answer(database, "m1", orders=[agreed_order(line_of(1))])
    (event,) = unpublished_order_events(database, older_than_s=0)
    database.commit()
    assert erase(database, redis_client)["orders"] == 1
    assert Streams(redis_client).publish_orders([event["payload"]]) == 0
    assert republish(database, Streams(redis_client), recent_s=1.0) == 1
    (told,) = [json.loads(fields[b"payload"]) for _, fields in redis_client.xrange("whatsapp:orders")]
    assert (told["order"]["customer"], told["order"]["address"]) == ("erased", None)
    assert [line for line in left(redis_client) if ANA in line or "Mitre" in line] == []


def test_long_streams_are_read_to_their_ends(database: Connection, redis_client: redis.Redis) -> None:
    """More entries than one round trip brings, theirs at both ends."""
    streams = Streams(redis_client)
    replies = [reply(n, ANA if n in (0, 1_299) else BRUNO) for n in range(1_300)]
    streams.publish(replies)
    assert erase(database, redis_client)["outbound"] == 2
    assert redis_client.xlen("whatsapp:outbound") == 1_298


def test_what_intake_has_not_acknowledged_goes_too(database: Connection, redis_client: redis.Redis) -> None:
    """Nothing of it stays pending, where the next intake would stumble over it."""
    streams = Streams(redis_client)
    streams.create_group()
    streams.send(plain("a1", ANA))
    streams.read(pending=False, count=10)
    assert erase(database, redis_client)["inbound"] == 1
    assert streams.read(pending=True, count=10) == []


@pytest.mark.parametrize(
    "payload", [webhook(says("b1", BRUNO, "hola"), says("a1", ANA, "hola")), f'{{"from": "+{ANA}", "message_id": "a"}}']
)
def test_what_holds_messages_of_others_is_left_to_intake(
    database: Connection, redis_client: redis.Redis, payload: str
) -> None:
    """Nor is anything deleted that is going to be rejected. The erasure waits, says so if nobody reads it, and then can
    be run again.
    """
    streams = Streams(redis_client)
    streams.create_group()
    streams.send(payload)
    with pytest.raises(CommandError, match="Run it again"):
        erase(database, redis_client)
    entries = streams.read(pending=False, count=10)
    assert len(entries) == 1
    passes = iter(range(3))

    def intake(_seconds: float) -> None:
        if next(passes) == 1:
            streams.finish(entries, [(entries[0], "no")])

    assert Erasure(database, redis_client, redis_client, ANA).run(60.0, pause=intake)["rejected"] == 1
    assert not [line for line in left(redis_client) if ANA in line]


def test_keys_of_theirs_go(database: Connection, redis_client: redis.Redis) -> None:
    """Session, limit, and what the reply cache and a landed flight keep of an answer that only they can get."""
    outcome = {"source": "ai", "reply_key": "k1", "terms": ["leche", "pan"]}
    answer(database, "m1", outcome=outcome)
    answer(database, "m2", BRUNO, outcome={"source": "ai", "reply_key": "k2", "terms": ["arroz"]})
    database.commit()
    for phone, key, term in ((ANA, "k1", "pan"), (BRUNO, "k2", "arroz")):
        redis_client.set(f"product_search:{term}", "{}")
        redis_client.set(f"session:{phone}", "{}")
        redis_client.set(f"limit:{phone}", 3)
        redis_client.set(f"ai_response:{key}", '{"reply": "Hola Ana"}')
        redis_client.set(f"flight:{key}", "R{}")
    assert erase(database, redis_client)["redis_keys"] == 5
    kept = (
        {f"{name}:{BRUNO}".encode() for name in ("session", "limit")}
        | {b"ai_response:k2", b"flight:k2"}
        | {b"product_search:arroz"}
    )
    # A beat of another test may be ending.
    others = (b"published:", b"lease:")
    assert {key for key in redis_client.scan_iter() if not key.startswith(others)} == kept


def test_parked_turns_go(database: Connection, redis_client: redis.Redis) -> None:
    """Out of the lists in which they wait for the answer to somebody's equal question."""
    for number in range(3):
        for phone in (BRUNO, ANA, LONGER):
            redis_client.rpush(f"parked:k{number}", json.dumps({"token": f"t{number}", "customer_phone": phone}))
    assert erase(database, redis_client)["parked"] == 3
    phones = [json.loads(turn)["customer_phone"] for turn in redis_client.lrange("parked:k1", 0, -1)]
    assert phones == [BRUNO, LONGER]


def test_a_reply_about_to_be_published_is_not(database: Connection, redis_client: redis.Redis) -> None:
    """Whoever committed it just before the erasure finds it published; another customer's goes out."""
    committed = [answer(database, "m1")["reply"], answer(database, "m2", BRUNO)["reply"]]
    database.commit()
    erase(database, redis_client)
    assert Streams(redis_client).publish(committed) == 1
    assert not [line for line in left(redis_client) if ANA in line]


def test_a_call_under_way_is_waited_for(database: Connection, redis_client: redis.Redis) -> None:
    """It may still bring an answer with a name in it; a flight that is led is not torn down under those who wait."""
    turn = accept_one(database, "m1")
    database.commit()
    redis_client.set("flight:k1", f"L{turn['token']}")
    redis_client.set("flight:k2", "Lsomebody")
    redis_client.rpush("parked:k1", json.dumps({"token": "t2", "customer_phone": BRUNO}))
    passes = iter(range(10))

    def worker(_seconds: float) -> None:
        number = next(passes)
        assert redis_client.llen("parked:k1") == 1
        assert (number < 3) == (redis_client.get("flight:k1") == f"L{turn['token']}".encode())
        if number == 2:
            redis_client.set("ai_response:k1", '{"reply": "Hola Ana"}')
            redis_client.set("flight:k1", 'R{"reply": "Hola Ana"}')

    Erasure(database, redis_client, redis_client, ANA).run(60.0, pause=worker)
    assert next(passes) > 3
    assert redis_client.get("flight:k2") == b"Lsomebody"
    assert {b"flight:k1", b"ai_response:k1"}.isdisjoint(redis_client.scan_iter())


def test_what_intake_had_in_its_hands_goes_in_the_next_pass(database: Connection, redis_client: redis.Redis) -> None:
    """It committed what it had read after PostgreSQL was looked at."""
    accept_one(database, "m1")
    database.commit()
    late = iter([lambda: accept_one(database, "m2"), lambda: accept_one(database, "m3")])

    def intake(_seconds: float) -> None:
        next(late, lambda: None)()
        database.commit()

    assert Erasure(database, redis_client, redis_client, ANA).run(60.0, pause=intake)["messages"] == 3
    assert not [line for lines in snapshot(database).values() for line in lines if ANA in line]


def test_it_can_be_run_again(database: Connection, redis_client: redis.Redis) -> None:
    """And then finds nothing; all kinds are named even so."""
    answer(database, "m1")
    database.commit()
    assert erase(database, redis_client)["messages"] == 1
    assert erase(database, redis_client) == dict.fromkeys(COUNTED, 0)


def test_nothing_is_begun_that_redis_cannot_end(database: Connection, redis_client: redis.Redis) -> None:
    """PostgreSQL knows which keys are theirs, so it is not emptied while Redis is away."""
    answer(database, "m1")
    database.commit()
    with absent_redis() as absent:
        for durable, cache in ((absent, redis_client), (redis_client, absent)):
            with pytest.raises(redis.ConnectionError):
                Erasure(database, durable, cache, ANA).run(60.0)
    assert [line for line in snapshot(database)["messages"] if ANA in line]


def test_the_group_of_a_gateway_goes_on(database: Connection, redis_client: redis.Redis) -> None:
    """A reply that it had read and not acknowledged is gone; the next one comes."""
    streams = Streams(redis_client)
    redis_client.xgroup_create("whatsapp:outbound", "gateway", id="0", mkstream=True)
    streams.publish([reply(1, ANA), reply(2, BRUNO)])
    redis_client.xreadgroup("gateway", "g", {"whatsapp:outbound": ">"}, count=1)
    erase(database, redis_client)
    found: Any = redis_client.xreadgroup("gateway", "g", {"whatsapp:outbound": ">"})
    assert "r2" in str(found)


def test_entries_without_a_payload_are_no_stumbling_block(database: Connection, redis_client: redis.Redis) -> None:
    """Somebody's field that happens to hold the number: intake will reject it."""
    streams = Streams(redis_client)
    streams.create_group()
    redis_client.xadd("whatsapp:inbound", {"other": ANA})
    with pytest.raises(CommandError):
        erase(database, redis_client)
    (entry,) = streams.read(pending=False, count=1)
    streams.finish([entry], [(entry, "no payload")])
    assert erase(database, redis_client)["rejected"] == 1


@pytest.mark.parametrize("by", [ANA, "AR.1A2B", "5491100000077"])
def test_all_ids_of_a_customer_go(
    database: Connection, redis_client: redis.Redis, connection: Connection, by: str
) -> None:
    """Whichever of them is named, one that was given up included; also what is on its way under another one."""
    user, before = "AR.1A2B", "5491100000077"
    links = [{"alias": user, "customer_phone": before}, {"alias": before, "customer_phone": ANA, "former": True}]
    accept(connection, inbound("m1", before, reply_due=False, links=links))
    answer(connection, "m2", ANA)
    accept(connection, inbound("m3", BRUNO))
    streams = Streams(redis_client)
    streams.create_group()
    for payload in (plain("a1", user), plain("a2", ANA), plain("a3", before), plain("o1", BRUNO)):
        streams.send(payload)
    streams.publish([reply(1, user), reply(2, before), reply(3, BRUNO)])
    for phone in (user, before, ANA):
        redis_client.set(CALL_LIMIT.key(phone), 1)
    counted = Erasure(database, redis_client, redis_client, by).run(5.0, pause=lambda _seconds: None)
    assert (counted["messages"], counted["customers"], counted["inbound"], counted["outbound"]) == (2, 1, 3, 2)
    kept = [line for lines in snapshot(connection).values() for line in lines] + left(redis_client)
    assert not [line for line in kept if any(known in line for known in (user, before, ANA))]
    assert any(BRUNO in line for line in kept)


def test_an_interrupted_erasure_finds_the_same_ids_again(
    database: Connection, redis_client: redis.Redis, connection: Connection
) -> None:
    """Nobody reads the stream, so the first one gives up; the second one still knows whose id it is."""
    accept(connection, inbound("m1", ANA, links=[{"alias": "AR.1A2B", "customer_phone": ANA}]))
    both = webhook(says("a1", "AR.1A2B", "hola"), says("o1", BRUNO, "hola"))
    streams = Streams(redis_client)
    streams.create_group()
    streams.send(both)
    with pytest.raises(CommandError):
        erase(database, redis_client, 0.5)
    redis_client.xtrim("whatsapp:inbound", 0)
    streams.publish([reply(1, "AR.1A2B")])
    assert erase(database, redis_client)["outbound"] == 1
    assert linked_ids(connection, "AR.1A2B") == ["AR.1A2B"]
