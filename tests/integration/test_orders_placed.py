"""Orders in the commit of a turn: what the customer has agreed to is looked at again, stock goes down, the shop is
told.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

import pytest
from helpers.factories import (
    ANA,
    BRUNO,
    CARLA,
    Json,
    accept_one,
    agreed_order,
    answer,
    commit,
    commit_row,
    line_of,
    order_of,
    product,
    row,
    rows,
    snapshot,
)
from helpers.locking import behind
from msgspec import convert
from sqlalchemy import Connection, Engine, text

from db.orders import set_order_status, unpublished_order_events
from db.products import lock_products, put_products
from worker.catalog.product import Product

STOCK = "select id, stock from products order by id"
VERSION = "select version from catalog_version"


@pytest.fixture
def shop(connection: Connection) -> Connection:
    """A shop with twenty bottles of milk, ten loaves of bread and a ham of 3 kg; rice, which it does not count."""
    goods = (
        product("1", "Leche", stock=20),
        product("2", "Pan", stock=10),
        product("3", "Jamón", unit="kg", stock="3", price="9000.00"),
        product("4", "Arroz", stock=None),
    )
    # One by one, so that ids are what they are called.
    for one in goods:
        put_products(connection, [one])
    return connection


def stock(connection: Connection) -> dict[int, Decimal | None]:
    """What is left of each product."""
    return {found["id"]: found["stock"] for found in rows(connection, STOCK)}


def ending(connection: Connection, message_id: str, phone: str, *orders: Json) -> Json:
    """A turn that places orders, ready to be committed."""
    return commit_row(accept_one(connection, message_id, phone), orders=list(orders))


def test_an_order_is_kept_as_it_was_agreed(shop: Connection) -> None:
    """With all that the shop needs to deliver it."""
    ham = line_of(3, unit="kg", price="9000.00", quantity="0.35")
    given = answer(shop, "m1", orders=[agreed_order(line_of(1), ham, subtotal="3350.00", total="3400.00")])
    found = row(shop, "select *, reply_id::text as token from orders")
    expected = {
        "customer_phone": ANA,
        "token": given["token"],
        "status": "received",
        "name": "Ana",
        "channel": "100000000000001",
        "subtotal": Decimal("3350.00"),
        "delivery_fee": Decimal("50.00"),
        "total": Decimal("3400.00"),
        "currency": "ARS",
        "delivery": "delivery",
        "address": "Mitre 12",
        "payment": "efectivo",
        "note": "timbre 2",
    }
    assert {name: found[name] for name in expected} == expected
    assert found["status_at"] is not None
    lines = rows(shop, "select product_id, sku, unit, quantity, price, total, taken from order_items order by id")
    assert [tuple(line.values()) for line in lines] == [
        (1, "1", "u", 2, 100, 200, 2),
        (3, "3", "kg", Decimal("0.350"), 9000, 3150, Decimal("0.350")),
    ]


def test_the_shop_is_told_of_an_order(shop: Connection) -> None:
    """The whole entry of the contract, in the result of the commit and in the outbox."""
    given = ending(shop, "m1", ANA, agreed_order(line_of(1), line_of(3, unit="kg", price="9000.00", quantity="0.500")))
    (event,) = commit(shop, given)["events"]
    stored = row(shop, "select id, event_id::text, payload, reply, published_at from order_events")
    assert event | {"published_at": None} == stored
    payload = event["payload"]
    at = row(shop, "select to_char(at at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"') as at from order_events")[
        "at"
    ]
    milk = {"sku": "1", "name": "Leche", "unit": "u", "quantity": "2", "price": "100.00", "total": "200.00"}
    ham = {"sku": "3", "name": "Jamón", "unit": "kg", "quantity": "0.5", "price": "9000.00", "total": "4500.00"}
    assert payload == {
        "event_id": event["event_id"],
        "event": "placed",
        "at": at,
        "order": {
            "id": row(shop, "select id from orders")["id"],
            "customer": ANA,
            "name": "Ana",
            "channel": "100000000000001",
            "status": "received",
            "items": [milk, ham],
            "subtotal": "200.00",
            "delivery_fee": "50.00",
            "total": "250.00",
            "currency": "ARS",
            "delivery": "delivery",
            "address": "Mitre 12",
            "payment": "efectivo",
            "note": "timbre 2",
        },
    }


def test_stock_goes_down_once(shop: Connection) -> None:
    """By what was ordered, also where the commit is repeated; what is not counted stays so."""
    given = answer(shop, "m1", orders=[agreed_order(line_of(1), line_of(4, quantity="70"))])
    again = commit(shop, given)
    assert (again["events"], again["changed"]) == ([], [])
    assert stock(shop) == {1: 18, 2: 10, 3: 3, 4: None}
    assert row(shop, "select count(*) from order_events") == {"count": 1}


@pytest.mark.parametrize(
    "change",
    [
        "update products set price = 101 where id = 1",
        "update products set currency = 'USD' where id = 1",
        "update products set active = false where id = 1",
        "update products set stock = 1.999 where id = 1",
        "update products set unit = 'kg' where id = 1",
        "update products set name = 'Leche descremada' where id = 1",
        "update products set brand = 'Sancor' where id = 1",
        "update products set step = 1.5 where id = 1",
        "delete from products where id = 1",
    ],
)
def test_what_is_no_longer_as_agreed_is_not_sold(shop: Connection, change: str) -> None:
    """Of the whole turn not a row changes, and it can be committed again with another answer."""
    given = ending(shop, "m1", ANA, agreed_order(line_of(1), line_of(2)))
    shop.execute(text(change))
    before = snapshot(shop)
    result = commit(shop, given)
    assert (result["committed"], result["events"], result["next"]) == ([], [], [])
    assert snapshot(shop) == before
    (changed,) = result["changed"]
    assert changed["token"] == given["token"]
    left = [1, 2] if "delete" not in change else [2]
    assert [one["id"] for one in changed["products"]] == left
    assert commit(shop, given | {"orders": []})["committed"]


def test_products_that_have_changed_come_as_they_are_now(shop: Connection) -> None:
    """As a search gives them, all of the turn, so that a new summary needs no other question."""
    given = ending(shop, "m1", ANA, agreed_order(line_of(3, unit="kg", price="1.00", quantity="0.5"), line_of(4)))
    (changed,) = commit(shop, given)["changed"]
    ham, rice = (convert(one, Product) for one in changed["products"])
    sold = {"brand": "", "category": "Almacén", "format": "", "currency": "ARS"}
    assert ham == Product(
        id=3, name="Jamón", sku="3", unit="kg", step=Decimal("0.05"), price=Decimal(9000), stock=Decimal(3), **sold
    )
    assert (rice.stock, rice.active, rice.has(1_000)) == (None, True, True)


def test_of_two_lines_of_a_product_the_sum_counts(shop: Connection) -> None:
    """Also over two orders of a turn."""
    half = line_of(2, quantity="5.001")
    orders = [agreed_order(half), agreed_order(half, currency="USD")]
    assert len(commit(shop, ending(shop, "m1", ANA, orders[0], orders[1]))["changed"]) == 1
    assert len(commit(shop, ending(shop, "m2", BRUNO, agreed_order(half, half)))["changed"]) == 1
    assert stock(shop)[2] == 10


def test_the_last_pieces_go_to_the_first_turn_of_a_batch(shop: Connection) -> None:
    """The next one is told what is left; one that wants no more than that still gets it."""
    wanted = ((ANA, "8"), (BRUNO, "8"), (CARLA, "2"))
    turns = [
        ending(shop, phone, phone, agreed_order(line_of(2, quantity=quantity))) for phone, quantity in reversed(wanted)
    ][::-1]
    result = commit(shop, *turns)
    assert [one["token"] for one in result["changed"]] == [turns[1]["token"]]
    assert result["changed"][0]["products"][0]["stock"] == "2.000"
    assert {one["token"] for one in result["committed"]} == {turns[0]["token"], turns[2]["token"]}
    assert [event["payload"]["order"]["customer"] for event in result["events"]] == [ANA, CARLA]
    assert stock(shop)[2] == 0


def test_a_batch_goes_on_around_a_turn_that_changed(shop: Connection) -> None:
    """Its customer's turn stays, and is under way; the other customer's ends."""
    kept = ending(shop, "m1", ANA, agreed_order(line_of(1, price="1.00")))
    other = commit_row(accept_one(shop, "m2", BRUNO))
    result = commit(shop, kept, other)
    assert [one["token"] for one in result["committed"]] == [other["token"]]
    held = rows(shop, "select customer_phone, token::text from turns where token is not null")
    assert held == [{"customer_phone": ANA, "token": kept["token"]}]
    assert row(shop, "select state from messages where message_id = 'm1'") == {"state": "accepted"}


def test_two_commits_of_the_same_products_wait_for_each_other(engine: Engine, shop: Connection) -> None:
    """The later one sees what the earlier one has left."""
    first = ending(shop, "m1", ANA, agreed_order(line_of(2, quantity="7"), line_of(1)))
    second = ending(shop, "m2", BRUNO, agreed_order(line_of(1), line_of(2, quantity="4")))
    result = behind(engine, lambda c: commit(c, first), lambda c: commit(c, second))
    assert result["changed"][0]["products"][1]["stock"] == "3.000"
    assert stock(shop) == {1: 18, 2: 3, 3: 3, 4: None}


def test_many_commits_at_once_sell_no_more_than_there_is(engine: Engine, shop: Connection) -> None:
    """In batches whose products come in any order, without a deadlock."""

    def sell(number: int) -> Json:
        items = [line_of(1, quantity="1"), line_of(2, quantity="1")][:: 1 if number % 2 else -1]
        with engine.connect() as own:
            return commit(own, *(ending(own, f"{number}.{n}", f"55{number}{n}000", agreed_order(*items)) for n in "12"))

    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(sell, range(16)))
    assert sum(len(result["committed"]) for result in results) == 10
    assert sum(len(result["changed"]) for result in results) == 22
    assert stock(shop) == {1: 10, 2: 0, 3: 3, 4: None}


def test_a_sale_keeps_the_catalogues_version(shop: Connection) -> None:
    """Until a product becomes few or none: only that changes what a model is told."""
    before = row(shop, VERSION)
    answer(shop, "m1", orders=[agreed_order(line_of(1, quantity="14"))])
    assert row(shop, VERSION) == before
    answer(shop, "m2", orders=[agreed_order(line_of(1, quantity="1"))])
    assert stock(shop)[1] == 5
    few = row(shop, VERSION)["version"]
    assert few == before["version"] + 1
    answer(shop, "m3", orders=[agreed_order(line_of(1, quantity="2"), line_of(4))])
    assert row(shop, VERSION)["version"] == few
    answer(shop, "m4", orders=[agreed_order(line_of(1, quantity="3"))])
    assert row(shop, VERSION)["version"] == few + 1


def test_what_is_put_back_is_found_again(shop: Connection) -> None:
    """A search that was cached before it would say that there is less than there is."""
    answer(shop, "m1", orders=[agreed_order(line_of(1, quantity="7"))])
    before = row(shop, VERSION)["version"]
    set_order_status(shop, row(shop, "select id from orders")["id"], "cancelled")
    assert stock(shop)[1] == 20
    assert row(shop, VERSION)["version"] == before + 1


def test_a_cart_from_before_gets_the_skus_of_the_catalogue(shop: Connection) -> None:
    """Its lines have an empty one, which no shop can pack."""
    answer(shop, "m1", orders=[agreed_order(line_of(1, sku=""))])
    assert row(shop, "select sku from order_items")["sku"] == "1"


def test_after_a_sale_a_change_of_the_catalogue_is_one(engine: Engine, shop: Connection) -> None:
    """In the same transaction and on the same connection."""
    given = ending(shop, "m1", ANA, agreed_order(line_of(1)))
    before = row(shop, VERSION)["version"]
    with engine.connect().execution_options(isolation_level="READ COMMITTED") as own:
        for bumped in (1, 2):
            with own.begin():
                commit(own, given)
                own.execute(text("update products set price = price + 1"))
            assert row(shop, VERSION)["version"] == before + bumped


def test_an_order_of_the_version_before_is_taken(shop: Connection) -> None:
    """Its worker could not ask again: the price as it was, and of the stock what is left."""
    shop.execute(text("insert into customers (customer_phone, name) values (:ana, 'Ana')"), {"ana": ANA})
    old: Any = {"id": 2, "name": "Pan", "price": 90.0, "quantity": 12}
    given = answer(shop, "m1", orders=[order_of(old, {"id": 99, "name": "Vino", "price": "5", "quantity": 1})])
    assert len(given["orders"]) == 1
    assert stock(shop)[2] == 0
    (event,) = unpublished_order_events(shop, older_than_s=0)
    told = event["payload"]["order"]
    assert (told["name"], told["subtotal"], told["delivery_fee"], told["total"]) == ("Ana", "10.00", "0.00", "10.00")
    assert [(item["sku"], item["unit"], item["quantity"], item["total"]) for item in told["items"]] == [
        ("2", "u", "12", "1080.00"),
        (None, "u", "1", "5.00"),
    ]


def test_an_import_waits_for_a_sale_and_the_sale_for_an_import(engine: Engine, shop: Connection) -> None:
    """Neither breaks the other, in whatever order the price list names the products."""
    given = ending(shop, "m1", ANA, agreed_order(line_of(1), line_of(2)))

    def bring_in(connection: Connection) -> Json:
        lock_products(connection, ["2", "1"])
        put_products(connection, [product("2", "Pan", stock=50)])
        put_products(connection, [product("1", "Leche", stock=50)])
        return {}

    assert behind(engine, bring_in, lambda c: commit(c, given))["changed"] == []
    assert stock(shop) == {1: 48, 2: 48, 3: 3, 4: None}
