"""The shop is told of every order, in its order, whatever fails between the commit and the stream."""

from __future__ import annotations

from dataclasses import replace as replace_field
from decimal import Decimal
from typing import Any, cast
from uuid import uuid4

import orjson
import pytest
import redis
from helpers.away import absent_redis
from helpers.factories import ANA, BRUNO, Json, accept_one, agreed_order, commit, commit_row, line_of, row
from helpers.turns import decided, turn_from_dict
from msgspec import convert
from msgspec.structs import replace
from redis.exceptions import RedisError
from sqlalchemy import Connection, text
from sqlalchemy.exc import SQLAlchemyError
from structlog.testing import capture_logs

from db import queries
from db.orders import mark_order_events_published, set_order_status, unpublished_order_events
from worker.intake.sweep import Sweep
from worker.orders import outbox
from worker.orders.order import Order
from worker.orders.outbox import OutboxEvent, outbox_events, publish_events
from worker.redisdb.keys import ORDERS, OUTBOUND, RUN_ID
from worker.redisdb.streams import Streams
from worker.session import session as sessions
from worker.session.cart import CartItem
from worker.session.outcome import Decision, Effects, Outcome
from worker.session.session import Session, new_session
from worker.session.turn import Turn
from worker.shop.shop import Shop
from worker.steps import update_session
from worker.steps.services import Services


@pytest.fixture
def sold(shop_services: Services, connection: Connection) -> Connection:
    """A connection to a shop that does not count its stock, with milk as its first product."""
    connection.execute(text("update products set stock = null, name = case id when 1 then 'Leche' else 'Pan' end"))
    return connection


def place(connection: Connection, message_id: str, phone: str = ANA) -> tuple[OutboxEvent, ...]:
    """A turn with an order, committed; what its worker has in hand now."""
    given = commit_row(accept_one(connection, message_id, phone), orders=[agreed_order(line_of(1))])
    return outbox_events(commit(connection, given)["events"])


def move(connection: Connection, order: int, status: str, told: Json | None = None) -> tuple[OutboxEvent, ...]:
    """An order that gets a status; what is to be published of it."""
    return outbox_events(set_order_status(connection, order, status, told)["events"])


def told(client: redis.Redis) -> list[tuple[int, str]]:
    """Order and status of each entry of the shop's stream."""
    entries: Any = client.xrange(ORDERS.pattern)
    events = [orjson.loads(fields[b"payload"]) for _, fields in entries]
    return [(event["order"]["id"], event["order"]["status"]) for event in events]


def sweep(services: Services, connection: Connection) -> None:
    """One pass that starts nothing."""
    Sweep(services, lambda _turns: None).once(connection)


def late(connection: Connection) -> None:
    """Lets all events be a minute old."""
    connection.execute(text("update order_events set at = at - interval '1 minute'"))


def unpublished(connection: Connection) -> int:
    """Number of events that nobody has recorded as published."""
    return int(row(connection, "select count(*) from order_events where published_at is null")["count"])


def test_a_committed_turn_tells_the_shop(
    shop_services: Services, sold: Connection, redis_client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At once, in the form of the contract, after the customer's reply."""
    stored = queries.update_session_cache

    def with_an_order(connection: Connection, session_data: Json) -> Json:
        for given in session_data["turns"]:
            given["orders"] = [agreed_order(line_of(1))]
        return stored(connection, session_data)

    monkeypatch.setattr(queries, "update_session_cache", with_an_order)
    turn = turn_from_dict(accept_one(sold, "m1"))
    update_session.run(shop_services, [replace(turn, session=new_session(ANA, None), outcome=decided())])
    entries: Any = redis_client.xrange(ORDERS.pattern)
    (payload,) = [fields[b"payload"] for _, fields in entries]
    event = outbox_events(unpublished_order_events(sold, older_than_s=0, recent_s=60))[0]
    assert orjson.loads(payload) == event.payload
    assert convert(orjson.loads(payload)["order"], Order).items[0].quantity == "2"
    assert redis_client.xlen(OUTBOUND.pattern) == 1
    assert unpublished(sold) == 0


def overtaken(sold: Connection, monkeypatch: pytest.MonkeyPatch) -> Turn:
    """A turn with an order for a price that is not the product's any more."""
    stored = queries.update_session_cache
    number = row(sold, "select id from products where sku = '1'")["id"]
    with_orders = [[agreed_order(line_of(number, price="1.00"))]]

    def with_an_old_price(connection: Connection, session_data: Json) -> Json:
        for given in session_data["turns"]:
            given["orders"] = with_orders.pop() if with_orders else []
        return stored(connection, session_data)

    monkeypatch.setattr(queries, "update_session_cache", with_an_old_price)
    cart = (CartItem(number, "Leche entera", Decimal("1.00"), Decimal(2)),)
    session = replace(new_session(ANA, None), cart=cart)
    return replace(turn_from_dict(accept_one(sold, "m1")), session=session, outcome=decided())


def test_a_turn_that_changed_is_no_lost_one(
    shop_services: Services, sold: Connection, redis_client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its customer gets a new summary with the products as they are; no order is placed."""
    turn = overtaken(sold, monkeypatch)
    with capture_logs() as lines:
        assert [one.committed for one in update_session.run(shop_services, [turn]).turns] == [True]
    assert "turns_lost" not in [line["event"] for line in lines]
    ((_, published),) = cast("Any", redis_client.xrange(OUTBOUND.pattern))
    assert "ahora cuesta $ 100,00" in orjson.loads(published[b"payload"])["text"]
    assert (row(sold, "select count(*) from orders")["count"], redis_client.exists(ORDERS.pattern)) == (0, 0)
    assert row(sold, "select cart_data from customer_sessions")["cart_data"][0]["price"] == 100


def test_a_turn_that_changed_is_committed_anew_before_anything_is_published(
    shop_services: Services, sold: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another's reply finds Redis away: the new summary is recorded all the same, for the sweep to publish."""
    turn = overtaken(sold, monkeypatch)
    other = turn_from_dict(accept_one(sold, "m2", BRUNO))
    other = replace(other, session=new_session(BRUNO, None), outcome=decided())
    with absent_redis() as client, pytest.raises(RedisError):
        update_session.run(replace_field(shop_services, streams=Streams(client)), [turn, other])
    cart = row(sold, f"select cart_data from customer_sessions where customer_phone = '{ANA}' and cart_data <> '[]'")
    assert cart["cart_data"][0]["price"] == 100


def test_one_turn_that_cannot_be_summed_up_anew_spoils_no_batch(
    shop_services: Services, sold: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It goes back to the sweep, and the others are committed and recorded."""
    number = row(sold, "select id from products where sku = '1'")["id"]
    summed_up_anew = update_session.summed_up_anew

    def failing(shop: Shop, session: Session, *rest: Any) -> Decision:
        if session.customer_phone == ANA:
            raise ValueError
        return summed_up_anew(shop, session, *rest)

    monkeypatch.setattr(update_session, "summed_up_anew", failing)
    item = CartItem(number, "Leche", Decimal("1.00"), Decimal(2))
    order = sessions.Order("ARS", Decimal(2), Decimal(0), Decimal(2), (item,))
    outcome = Outcome("canned", Decision(reply="¡Gracias!", effects=Effects(cart=(), orders=(order,))))
    batch = [
        replace(turn_from_dict(accept_one(sold, phone, phone)), session=new_session(phone, None), outcome=outcome)
        for phone in (ANA, BRUNO)
    ]
    batch = [replace(turn, session=replace(turn.fetched(), cart=(item,))) for turn in batch]
    with capture_logs() as lines:
        closed = update_session.run(shop_services, batch)
    assert [(turn.customer_phone, turn.committed) for turn in closed.turns] == [(BRUNO, True)]
    assert "turns_lost" not in [line["event"] for line in lines]


def test_an_order_outlives_a_redis_that_is_away(
    shop_services: Services, sold: Connection, redis_client: redis.Redis
) -> None:
    """Its worker leaves it, without a word of the customer in the log; the sweep publishes it once it is late."""
    events = place(sold, "m1")
    with absent_redis() as client, capture_logs() as lines:
        update_session.tell_the_shop(replace_field(shop_services, streams=Streams(client)), events)
    assert [line["event"] for line in lines] == ["order_events_left"]
    assert ANA not in str(lines)
    sweep(shop_services, sold)
    late(sold)
    for _ in range(2):
        sweep(shop_services, sold)
    assert told(redis_client) == [(1, "received")]
    assert unpublished(sold) == 0


@pytest.mark.parametrize("fails", ["orders", "replies", "mark"])
def test_whatever_fails_on_the_way_nothing_is_lost_or_doubled(
    shop_services: Services, sold: Connection, redis_client: redis.Redis, fails: str
) -> None:
    """Before the event, before the customer's words, before it is recorded: as a process that is killed there."""
    # From now on Redis has not restarted: only what is not recorded is looked for.
    sweep(shop_services, sold)
    place(sold, "m1")
    (order,) = (event["payload"]["order"]["id"] for event in unpublished_order_events(sold, older_than_s=0))
    words = {"reply_id": str(uuid4()), "to": ANA, "in_reply_to": [], "text": "En camino", "source": "shop"}
    events = move(sold, order, "dispatched", words)
    streams = Failing(redis_client, fails)

    def mark(event_ids: Any) -> None:
        if fails == "mark":
            raise SQLAlchemyError("away")
        mark_order_events_published(sold, event_ids)

    with pytest.raises((RedisError, SQLAlchemyError)):
        publish_events(streams, mark, events)
    late(sold)
    sweep(shop_services, sold)
    sweep(shop_services, sold)
    assert told(redis_client) == [(order, "received"), (order, "dispatched")]
    replies: Any = redis_client.xrange(OUTBOUND.pattern)
    assert [orjson.loads(fields[b"payload"]) for _, fields in replies if b"En camino" in fields[b"payload"]] == [words]
    assert unpublished(sold) == 0


def test_a_status_takes_along_what_was_not_told_yet(sold: Connection, redis_client: redis.Redis) -> None:
    """The worker that placed the order died before it told the shop, or is only slow and comes later."""
    streams = Streams(redis_client)
    placed = place(sold, "m1")
    other = place(sold, "m2", BRUNO)

    def mark(event_ids: Any) -> None:
        mark_order_events_published(sold, event_ids)

    assert publish_events(streams, mark, move(sold, 1, "accepted")) == 2
    assert publish_events(streams, mark, [*placed, *other]) == 1
    assert told(redis_client) == [(1, "received"), (1, "accepted"), (2, "received")]


def test_a_restarted_redis_is_told_again(shop_services: Services, sold: Connection, redis_client: redis.Redis) -> None:
    """What it may have forgotten of the last seconds, before anybody publishes anything new; what it knows stays."""
    for number, phone in enumerate((ANA, BRUNO)):
        update_session.tell_the_shop(shop_services, place(sold, f"m{number}", phone))
    (_, forgotten) = [entry_id for entry_id, _ in redis_client.xrange(ORDERS.pattern)]
    redis_client.xdel(ORDERS.pattern, forgotten)
    event_id = row(sold, "select event_id::text from order_events where order_id = 2")["event_id"]
    redis_client.delete(f"published:order:{event_id}")
    redis_client.set(RUN_ID.pattern, "0" * 40)
    sweep(shop_services, sold)
    assert told(redis_client) == [(1, "received"), (2, "received")]


def test_an_event_that_somebody_holds_is_recorded_later(
    shop_services: Services, sold: Connection, redis_client: redis.Redis
) -> None:
    """The sweep waits for nobody, and publishes it no second time."""
    place(sold, "m1")
    late(sold)
    with sold.engine.connect().execution_options(isolation_level="READ COMMITTED") as other, other.begin():
        other.execute(text("select from order_events for update"))
        sold.execute(text("set lock_timeout = '2s'"))
        sweep(shop_services, sold)
        assert unpublished(sold) == 1
    sweep(shop_services, sold)
    assert (told(redis_client), unpublished(sold)) == ([(1, "received")], 0)


def test_the_sweep_leaves_what_is_young(shop_services: Services, sold: Connection, redis_client: redis.Redis) -> None:
    """It is still in the hands of whoever committed it."""
    sweep(shop_services, sold)
    place(sold, "m1")
    sweep(shop_services, sold)
    assert told(redis_client) == []
    assert outbox.LATE_S > 1


class Failing(Streams):
    """Streams that break off before one of the two is written."""

    def __init__(self, client: redis.Redis, fails: str) -> None:
        super().__init__(client)
        self._fails = fails

    def publish_orders(self, events: Any, *, by_sweep: bool = False) -> int:
        """Events of orders."""
        if self._fails == "orders":
            raise RedisError("away")
        return super().publish_orders(events, by_sweep=by_sweep)

    def publish(self, replies: Any, *, by_sweep: bool = False) -> int:
        """Replies."""
        if self._fails == "replies":
            raise RedisError("away")
        return super().publish(replies, by_sweep=by_sweep)
