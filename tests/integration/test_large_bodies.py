"""Bodies of megabytes at the door: taken whole, in parts, and no others' delay."""

from __future__ import annotations

import tracemalloc
from collections.abc import Sequence
from threading import Event
from typing import Any

import orjson
import pytest
import redis
from helpers.factories import row, rows
from sqlalchemy import Connection, text
from sqlalchemy.exc import DataError, OperationalError

from db import queries
from worker.intake import portions
from worker.intake.intake import Intake
from worker.intake.parsed_entry import MAX_REJECTIONS, parse
from worker.intake.portions import PORTION_BYTES, SLICE, Portions
from worker.messages.inbound import MAX_WEBHOOK_BYTES
from worker.redisdb.keys import INBOUND, REJECTED
from worker.redisdb.streams import BEGINNING, Entry
from worker.steps.services import Services

ACCOUNT = "whatsapp_business_account"


class Emptied:
    """The chain as intake sees it: keeps what is started, and stops once the stream is empty."""

    def __init__(self, client: redis.Redis) -> None:
        self.stop = Event()
        self.turns: list[dict[str, Any]] = []
        self.parts: list[int] = []
        self._client = client

    def start(self, turns: Sequence[dict[str, Any]]) -> None:
        """Keeps them."""
        self.turns += turns
        self.parts += [len(turns)] if turns else []

    def waiting(self) -> int:
        """Nothing waits."""
        if not self._client.xlen(INBOUND.pattern):
            self.stop.set()
        return 0


def said(number: int, padding: int = 0) -> dict[str, Any]:
    """One message of a customer of its own."""
    message = {"id": f"wamid.{number}", "from": f"54911{number:06d}", "type": "text", "text": {"body": "hola"}}
    return message | {"ignored": "x" * padding}


def body(messages: Sequence[dict[str, Any]], field: str = "messages") -> bytes:
    """A webhook body of one change."""
    value = {"metadata": {"phone_number_id": "1"}, "messages": list(messages)}
    return orjson.dumps({"object": ACCOUNT, "entry": [{"changes": [{"field": field, "value": value}]}]})


def send(client: redis.Redis, *payloads: bytes) -> None:
    """Adds entries to the stream."""
    for payload in payloads:
        client.xadd(INBOUND.pattern, {"payload": payload})


def taken(services: Services) -> Emptied:
    """What intake starts until the stream is empty."""
    chain = Emptied(services.redis)
    Intake(services, chain, chain.stop).run()
    return chain


def test_a_body_of_a_thousand_updates(shop_services: Services, connection: Connection) -> None:
    """All of it, in parts of the size of a batch, and what stands before and behind it in the stream."""
    large = body([said(number, 2_800) for number in range(1_000)])
    assert 2_800_000 < len(large) < MAX_WEBHOOK_BYTES
    send(shop_services.redis, body([said(5_000)]), large, body([said(5_001)]))
    chain = taken(shop_services)
    assert len(chain.turns) == 1_002
    assert chain.parts == [1, 400, 400, 200, 1]
    assert row(connection, "select count(*) from messages") == {"count": 1_002}
    assert shop_services.redis.xlen(REJECTED.pattern) == 0


def test_three_hundred_in_one_body(shop_services: Services, connection: Connection) -> None:
    """A little more than 64 KiB."""
    payload = body([said(number, 130) for number in range(300)])
    assert len(payload) > 65_536
    send(shop_services.redis, payload)
    assert len(taken(shop_services).turns) == 300


@pytest.mark.parametrize("field", ["history", "smb_app_state_sync"])
def test_a_history_sync_leaves_nothing(shop_services: Services, connection: Connection, field: str) -> None:
    """Of 100 kB or of megabytes; nor do 400 statuses."""
    statuses = {
        "statuses": [{"id": f"wamid.{n}", "status": "read", "recipient_id": "5491100000001"} for n in range(400)]
    }
    told = {"object": ACCOUNT, "entry": [{"changes": [{"field": "messages", "value": statuses}]}]}
    send(shop_services.redis, body([said(1, 100_000)], field), body([said(1, 3_000_000)], field), orjson.dumps(told))
    assert taken(shop_services).turns == []
    assert shop_services.redis.xlen(REJECTED.pattern) == 0


def test_what_is_larger_than_meta_sends(shop_services: Services) -> None:
    """Is refused, and so is a plain message that is larger than 64 KiB."""
    plain = orjson.dumps({"message_id": "m", "from": "5491100000001", "text": "x" * 70_000})
    send(shop_services.redis, body([said(1, MAX_WEBHOOK_BYTES)]), plain)
    assert taken(shop_services).turns == []
    reasons = [entry[b"reason"].decode() for _, entry in shop_services.redis.xrange(REJECTED.pattern)]
    assert ["more than 3145728" in reasons[0], "more than 65536" in reasons[1]] == [True, True]


def test_a_large_body_leaves_few_copies_of_itself() -> None:
    """Each reason is kept with the whole payload."""
    bad: list[dict[str, Any]] = [{"id": 1}] * 500
    small = parse(Entry(b"1-0", body(bad), {}), 0.0, 86_400)
    large = parse(Entry(b"1-0", body([*bad, said(1, 3_000_000)]), {}), 0.0, 86_400)
    assert [len(one.rejections) for one in (small, large)] == [MAX_REJECTIONS + 1, 3]
    assert large.rejections[-1] == "payload: 498 more messages cannot be read"
    assert len(large.messages) == 1


def test_a_part_that_cannot_be_committed(
    shop_services: Services, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The whole body stays pending, and is taken again: what was committed of it changes nothing."""
    commits, accept = [0], queries.accept_messages

    def failing(connection: Connection, batch: dict[str, Any]) -> Any:
        commits[0] += 1
        if commits[0] == 2:
            raise OperationalError("", {}, Exception())
        return accept(connection, batch)

    monkeypatch.setattr(queries, "accept_messages", failing)
    monkeypatch.setattr("worker.intake.intake.RECOVERY_PAUSE_S", 0.0)
    send(shop_services.redis, body([said(number, 200) for number in range(900)]))
    chain = taken(shop_services)
    assert len({turn["customer_phone"] for turn in chain.turns}) == len(chain.turns) == 900
    assert row(connection, "select count(*) from messages") == {"count": 900}


def test_one_message_that_postgresql_refuses(
    shop_services: Services, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Costs only itself, with its reason; a customer's others are taken."""
    accept = queries.accept_messages

    def picky(connection: Connection, batch: dict[str, Any]) -> Any:
        if any(message["message_id"] == "wamid.7" for message in batch["messages"]):
            raise refusal
        return accept(connection, batch)

    refusal = DataError("", {}, type("E", (Exception,), {"pgcode": "22P05"})())
    monkeypatch.setattr(queries, "accept_messages", picky)
    send(shop_services.redis, body([said(number) for number in range(20)]))
    assert len(taken(shop_services).turns) == 19
    assert len(shop_services.redis.xrange(REJECTED.pattern)) == 1


def test_portions_are_of_bounded_size(shop_services: Services) -> None:
    """As many entries as were wanted, or a MiB of them; what a pass finds is read anew."""
    client, streams = shop_services.redis, shop_services.streams
    streams.create_group()
    send(client, *(b"%d" % number for number in range(2 * SLICE + 3)), *[b"x" * 600_000] * 3, b"y" * 2_000_000)
    reader = Portions(streams, 100)
    sizes = []
    while portion := reader.take(None):
        sizes.append((len(portion), sum(map(portions.size, portion)) <= PORTION_BYTES))
    assert sizes == [(2 * SLICE + 4, True), (1, True), (1, True), (1, False)]
    reader.begin_pass()
    passed, after = [], BEGINNING
    while portion := reader.take(after):
        passed += [entry.id for entry in portion]
        after = portion[-1].id
    assert len(passed) == len(set(passed)) == 2 * SLICE + 7
    assert passed == sorted(passed, key=lambda entry_id: [int(part) for part in entry_id.split(b"-")])


def test_what_was_read_ahead_belongs_to_the_pass(shop_services: Services) -> None:
    """Nothing is taken twice or left out."""
    client, streams = shop_services.redis, shop_services.streams
    streams.create_group()
    send(client, *[b"x" * 700_000] * 3)
    reader = Portions(streams, 100)
    first = reader.take(None)
    streams.finish(first, [])
    reader.begin_pass()
    rest = reader.take(BEGINNING)
    assert len(first) == len(rest) == 1
    assert len(reader.take(rest[-1].id)) == 1


def test_memory_grows_as_the_body_does() -> None:
    """A body of 3 MiB takes no more than a few of its size."""
    payload = body([said(number, 2_800) for number in range(1_000)])
    tracemalloc.start()
    parse(Entry(b"1-0", payload, {}), 0.0, 86_400)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 16 * len(payload)


def test_the_order_of_one_customer_over_parts(shop_services: Services, connection: Connection) -> None:
    """Is the order of the body."""
    messages = [said(number) | {"from": "5491100000001"} for number in range(450)]
    send(shop_services.redis, body(messages))
    taken(shop_services)
    kept = rows(connection, "select message_id from messages order by id")
    assert [each["message_id"] for each in kept] == [f"wamid.{number}" for number in range(450)]
    connection.execute(text("select 1"))
