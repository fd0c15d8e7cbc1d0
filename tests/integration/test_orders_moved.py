"""`set_order_status`, the outbox of orders, and what is left of both once a customer is erased or forgotten."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import uuid4

import pytest
from helpers.basics import Servers, new_database
from helpers.factories import (
    ANA,
    Json,
    accept_one,
    agreed_order,
    answer,
    commit_row,
    expire_sessions,
    line_of,
    product,
    row,
    rows,
    session_row,
    snapshot,
    tell_the_shop,
)
from helpers.locking import behind
from sqlalchemy import Connection, Engine, text

from db import migrations, queries
from db.customers import erase_customer
from db.engine import connect
from db.orders import mark_order_events_published, set_order_status, unpublished_order_events
from db.products import put_products
from worker.session.session import HISTORY_CHARS, HISTORY_TURNS

SECRET = "Calle Falsa 123"
STOCK = "select stock from products"


@pytest.fixture
def order(connection: Connection) -> int:
    """The id of an order of two pieces, of which there were eight."""
    put_products(connection, [product("1", "Leche", stock=8)])
    answer(connection, "m1", orders=[agreed_order(line_of(1), name=SECRET, address=SECRET, note=SECRET)])
    return int(row(connection, "select id from orders")["id"])


def reply(phone: str = ANA) -> Json:
    """Words for the customer, as an outbound entry."""
    return {"reply_id": str(uuid4()), "to": phone, "text": f"Tu pedido va a {SECRET}.", "source": "shop"}


def outbox(connection: Connection) -> list[Json]:
    """Everything that is to be published."""
    return unpublished_order_events(connection, older_than_s=0)


def test_a_status_is_told(connection: Connection, order: int) -> None:
    """With the order as it is now, and the words for the customer under the event's own id."""
    told = reply()
    moved = set_order_status(connection, order, "preparing", told)
    assert moved["status"] == "received"
    placed, status = moved["events"]
    assert [event["payload"]["event"] for event in (placed, status)] == ["placed", "status"]
    assert (status["event_id"], status["reply"]) == (told["reply_id"], told)
    assert [event["payload"]["order"]["status"] for event in (placed, status)] == ["received", "preparing"]
    assert [event["event_id"] for event in outbox(connection)] == [placed["event_id"], status["event_id"]]
    kept = row(connection, "select status, status_at > created_at as later from orders")
    assert kept == {"status": "preparing", "later": True}


ASKED: Json = {"asking": "confirm", "numbered": True, "left_open": "which:1", "version": "v-1"}


def talk(number: int) -> list[Json]:
    """So many exchanges."""
    return [{"customer": f"pregunta {each}", "reply": f"respuesta {each}"} for each in range(number)]


@pytest.mark.parametrize("before", [0, 1, HISTORY_TURNS])
def test_words_of_the_shop_close_what_was_asked_before_them(connection: Connection, order: int, before: int) -> None:
    """A yes may answer them now, and no summary; the conversation knows them, and no cached session counts."""
    answer(connection, "m2", session=session_row(context_data=ASKED | {"history": talk(before)}))
    version = row(connection, "select version from customer_sessions")["version"]
    set_order_status(connection, order, "preparing", reply() | {"text": "¿Va entera? " + "!" * HISTORY_CHARS})
    found = row(connection, "select version, context_data from customer_sessions")
    words = {"customer": "", "reply": ("¿Va entera? " + "!" * HISTORY_CHARS)[:HISTORY_CHARS]}
    assert found["context_data"] == {"version": "v-1", "history": [*talk(before), words][-HISTORY_TURNS:]}
    assert found["version"] > version


@pytest.mark.parametrize("told", [None, reply("5491100000009")], ids=["nothing is told", "somebody else"])
def test_a_status_that_is_not_told_leaves_the_conversation(
    connection: Connection, order: int, told: Json | None
) -> None:
    """What was asked is still the last that its customer has read."""
    answer(connection, "m2", session=session_row(context_data=ASKED))
    before = rows(connection, "select * from customer_sessions")
    set_order_status(connection, order, "preparing", told)
    assert rows(connection, "select * from customer_sessions") == before


def test_only_what_is_not_out_comes_back(connection: Connection, order: int) -> None:
    """What the shop has been told of already is not told again."""
    tell_the_shop(connection)
    (event,) = set_order_status(connection, order, "accepted")["events"]
    assert (event["payload"]["event"], event["reply"]) == ("status", None)


def test_cancelling_puts_the_goods_back_once(connection: Connection, order: int) -> None:
    """What was taken, and no more, whatever the stock is by then."""
    connection.execute(text("update products set stock = 3"))
    moved = set_order_status(connection, order, "cancelled")
    assert moved["events"][-1]["payload"]["event"] == "cancelled"
    assert row(connection, STOCK)["stock"] == 5
    before = snapshot(connection)
    assert set_order_status(connection, order, "cancelled") == {"problem": "same", "status": "cancelled"}
    assert snapshot(connection) == before


def test_goods_that_are_not_counted_are_not_put_back(connection: Connection, order: int) -> None:
    """Neither where the shop counts no longer, nor where it has begun to since."""
    connection.execute(text("update products set stock = null"))
    set_order_status(connection, order, "cancelled")
    assert row(connection, STOCK)["stock"] is None
    answer(connection, "m2", orders=[agreed_order(line_of(1))])
    connection.execute(text("update products set stock = 9"))
    set_order_status(connection, order + 1, "cancelled")
    assert row(connection, STOCK)["stock"] == 9


@pytest.mark.parametrize("final", ["delivered", "cancelled"])
def test_what_is_final_stays(connection: Connection, order: int, final: str) -> None:
    """The goods are with the customer, or on the shelf again."""
    set_order_status(connection, order, final)
    before = snapshot(connection)
    for wanted in {"received", "delivered", "cancelled"} - {final}:
        assert set_order_status(connection, order, wanted) == {"problem": "final", "status": final}
    assert set_order_status(connection, 10**9, "ready") == {"problem": "unknown"}
    assert snapshot(connection) == before


def test_two_at_once_cancel_once(engine: Engine, connection: Connection, order: int) -> None:
    """The later one waits, and finds it done."""

    def cancel(own: Connection) -> Json:
        return set_order_status(own, order, "cancelled")

    assert behind(engine, cancel, cancel) == {"problem": "same", "status": "cancelled"}
    assert row(connection, STOCK)["stock"] == 8


def test_an_earlier_event_of_an_order_goes_first(connection: Connection, order: int) -> None:
    """Whatever is due takes all of its order with it, in order; other orders' young events stay."""
    set_order_status(connection, order, "accepted")
    answer(connection, "m2", orders=[agreed_order(line_of(1))])
    connection.execute(text("update order_events set at = at - interval '1 minute' where event = 'placed'"))
    connection.execute(text("update order_events set at = now() where order_id <> :order"), {"order": order})
    due = unpublished_order_events(connection, older_than_s=5)
    assert [(one["payload"]["order"]["id"], one["payload"]["event"]) for one in due] == [
        (order, "placed"),
        (order, "status"),
    ]
    assert [one["id"] for one in unpublished_order_events(connection, older_than_s=0, max_rows=2)] == [1, 2]


def test_what_is_out_comes_again_for_a_while(connection: Connection, order: int) -> None:
    """A Redis that has restarted may have forgotten it; marking it again changes nothing."""
    (event,) = outbox(connection)
    mark_order_events_published(connection, [event["event_id"]])
    before = snapshot(connection)
    mark_order_events_published(connection, [event["event_id"]])
    assert snapshot(connection) == before
    assert outbox(connection) == []
    assert unpublished_order_events(connection, older_than_s=5, recent_s=60) == [event]
    connection.execute(text("update order_events set published_at = now() - interval '2 minutes'"))
    assert unpublished_order_events(connection, older_than_s=5, recent_s=60) == []


def test_an_erased_customers_order_stays_without_a_person(connection: Connection, order: int) -> None:
    """The shop is still told what was bought, under another id; who has the old event in hand marks nothing."""
    tell_the_shop(connection)
    set_order_status(connection, order, "ready", reply())
    (before,) = outbox(connection)
    counted = erase_customer(connection, ANA)
    assert (counted["orders"], before["event_id"] in counted["unpublished"]) == (1, True)
    kept = snapshot(connection)
    assert [line for lines in kept.values() for line in lines if SECRET in line or ANA in line] == []
    (event,) = outbox(connection)
    assert event["event_id"] == event["payload"]["event_id"] != before["event_id"]
    expected = dict(before["payload"]["order"]) | {"customer": "erased"} | dict.fromkeys(("name", "address", "note"))
    assert (event["payload"]["order"], event["reply"]) == (expected, None)
    mark_order_events_published(connection, [before["event_id"]])
    assert outbox(connection) == [event]


def test_an_erased_customer_is_not_told(connection: Connection, order: int) -> None:
    """Words that somebody had ready for him go nowhere; the order goes on."""
    erase_customer(connection, ANA)
    tell_the_shop(connection)
    (event,) = set_order_status(connection, order, "cancelled", reply())["events"]
    assert (event["reply"], event["payload"]["order"]["customer"]) == (None, "erased")
    assert row(connection, STOCK)["stock"] == 8


def test_a_status_and_an_erasure_at_once(engine: Engine, connection: Connection, order: int) -> None:
    """The erasure waits for the status, and takes what it left."""
    behind(
        engine,
        lambda own: set_order_status(own, order, "ready", reply()),
        lambda own: erase_customer(own, ANA),
    )
    assert [one for one in outbox(connection) if one["reply"] or ANA in str(one["payload"])] == []


def test_an_order_that_the_shop_does_not_know_of_is_kept(connection: Connection, order: int) -> None:
    """However old: the shop is still owed it. Once it is out, nothing personal is left."""
    connection.execute(text("update messages set accepted_at = now() - interval '40 days', published_at = now()"))
    connection.execute(text("update orders set created_at = now() - interval '40 days'"))
    expire_sessions(connection, ANA)
    while queries.apply_retention(connection, 30):
        pass
    (event,) = outbox(connection)
    assert event["payload"]["order"]["address"] == SECRET
    tell_the_shop(connection)
    assert queries.apply_retention(connection, 30) == 1
    assert [line for lines in snapshot(connection).values() for line in lines if SECRET in line] == []


@pytest.fixture
def empty_url(servers: Servers) -> Iterator[str]:
    """The URL of a new, empty database, which is gone at the end."""
    with new_database(servers) as url:
        yield url


def test_orders_from_before_and_a_way_back(empty_url: str) -> None:
    """They keep their figures, and call nobody; down again what was sold by weight is rounded."""
    migrations.upgrade(empty_url, "0005")
    with connect(empty_url) as connection, connection.begin():
        connection.execute(text("insert into categories (name) values ('Almacén')"))
        connection.execute(
            text("insert into products (sku, name, category_id, price, stock) values ('A', 'Pan', 1, 1, 7)")
        )
        sold = "insert into orders (customer_phone, total, status) values ('1', 4.5, 'received'), ('1', 1, 'enviado')"
        connection.execute(text(sold))
        connection.execute(
            text("insert into order_items (order_id, product_id, name, price, quantity) values (1, 1, 'Pan', 1.5, 3)")
        )
    migrations.upgrade(empty_url)
    with connect(empty_url) as connection, connection.begin():
        found = rows(connection, "select status, subtotal, delivery_fee, status_at from orders order by id")
        assert [tuple(one.values()) for one in found] == [("received", 4.5, 0, None), ("accepted", 1, 0, None)]
        line = row(connection, "select sku, unit, quantity, total, taken from order_items")
        assert tuple(line.values()) == ("A", "u", 3, 4.5, 0)
        assert set_order_status(connection, 1, "cancelled")["status"] == "received"
        assert row(connection, STOCK)["stock"] == 7
        connection.execute(text("update products set step = 0.5"))
        answer(connection, "m1", orders=[agreed_order(line_of(1, name="Pan", quantity="2.5", price="1"))])
        connection.execute(text("update products set stock = null"))
    migrations.downgrade(empty_url, "0005")
    with connect(empty_url) as connection, connection.begin():
        quantities = rows(connection, "select quantity from order_items order by id")
        assert [one["quantity"] for one in quantities] == [3, 3]
        assert row(connection, STOCK)["stock"] == 100
        commit_row(accept_one(connection, "m2", "5491100000009"))
