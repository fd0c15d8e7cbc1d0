"""`update_session_cache` that commits: session, reply, order and message state together, and the next turn as well."""

from __future__ import annotations

from decimal import Decimal
from uuid import UUID, uuid4

import pytest
from helpers.factories import (
    ANA,
    BRUNO,
    CARLA,
    NOTHING,
    accept,
    accept_one,
    answer,
    commit,
    commit_row,
    expire_leases,
    expire_sessions,
    inbound,
    metrics_row,
    order_of,
    other_token,
    product,
    row,
    rows,
    session_row,
    snapshot,
    wamids,
)
from sqlalchemy import Connection, text
from sqlalchemy.exc import IntegrityError

from db import queries
from db.products import put_products

SESSION = "select id::text, version, messages, created_at, updated_at, expires_at from customer_sessions"
ORDER = order_of(
    {"id": 1, "name": "Leche", "price": "1200.25", "quantity": 2},
    {"id": 999, "name": "Pan", "price": "350.00", "quantity": 1},
    total="2750.50",
    address="Mitre 12",
)


def test_a_commit_ends_the_turn(connection: Connection) -> None:
    """The claim is gone; the result names the new version and the reply to publish."""
    (turn,) = accept(connection, inbound("m1"), inbound("m2"))
    given = commit_row(turn)
    result = commit(connection, given)
    version = row(connection, "select version from customer_sessions")["version"]
    assert result == {
        "committed": [{"token": turn["token"], "session_version": version}],
        "next": [],
        "replies": [{"reply_id": turn["token"], "customer_phone": ANA, "reply": given["reply"]}],
        "changed": [],
        "events": [],
    }
    free = {"customer_phone": ANA, "token": None, "lease_until": None, "swept": False}
    assert rows(connection, "select customer_phone, token, lease_until, swept from turns") == [free]


def test_the_reply_stands_on_the_last_message_and_its_id_on_all(connection: Connection) -> None:
    """Reply and outcome are kept once; the reply's id tells which messages it answers."""
    (turn,) = accept(connection, inbound("m1"), inbound("m2"))
    given = commit_row(turn, error="late")
    commit(connection, given)
    first, last = rows(connection, "select *, answered_at is not null as done from messages order by id")
    both = {"state": "answered", "reply_id": UUID(turn["token"]), "done": True, "reason": "late"}
    assert {name: first[name] for name in both} == {name: last[name] for name in both} == both
    assert (first["reply"], first["outcome"]) == (None, None)
    assert (last["reply"], last["outcome"]) == (given["reply"], given["outcome"])


def test_the_session_is_stored_and_read_back(connection: Connection) -> None:
    """What was committed is what the next turn is given, under the version that the commit named."""
    cart = [{"id": 1, "name": "Leche", "price": "1200.25", "quantity": 2}]
    session = session_row(session_state="viewing_cart", cart_data=cart, context_data={"history": ["hola"]})
    answer(connection, "m1", session=session)
    (loaded,) = queries.load_sessions(connection, [ANA, BRUNO])
    assert loaded == {
        "session_id": UUID(session["id"]),
        "customer_phone": ANA,
        "session_state": "viewing_cart",
        "cart_data": cart,
        "context_data": {"history": ["hola"]},
        "customer_name": None,
        "total_orders": 0,
        "version": row(connection, SESSION)["version"],
    }


def test_the_next_turn_is_claimed_in_the_same_commit(connection: Connection) -> None:
    """What arrived meanwhile comes back as a turn, with the version just stored; nobody else can have claimed it."""
    (turn,) = accept(connection, *(inbound(f"m{number}") for number in range(12)))
    result = commit(connection, commit_row(turn))
    (following,) = result["next"]
    assert wamids(following) == ["m10", "m11"]
    assert following["token"] != turn["token"]
    assert following["session_version"] == result["committed"][0]["session_version"]
    assert following["swept"] is False
    assert 10 < queries.lease_left(connection, [(ANA, following["token"])])[following["token"]] <= 15
    assert commit(connection, commit_row(following))["next"] == []


def test_the_same_commit_twice_doubles_nothing(connection: Connection) -> None:
    """Where the first answer was lost, the second reports the commit, with no version to fill a cache with."""
    given = commit_row(accept_one(connection, "m1"), orders=[ORDER])
    accept(connection, inbound("m2"))
    commit(connection, given)
    before = snapshot(connection)
    again = commit(connection, given)
    assert again["committed"] == [{"token": given["token"], "session_version": None}]
    assert again["next"] == []
    assert [entry["reply_id"] for entry in again["replies"]] == [given["token"]]
    assert snapshot(connection) == before


def test_versions_come_from_one_growing_sequence(connection: Connection) -> None:
    """Whoever commits gets a higher number than anybody before; one who left and returned never gets an old one."""
    versions = []
    for place, phone in enumerate((ANA, BRUNO, ANA, CARLA, ANA)):
        result = commit(connection, commit_row(accept_one(connection, f"m{place}", phone)))
        versions.append(result["committed"][0]["session_version"])
        connection.execute(text("delete from customer_sessions where customer_phone = :phone"), {"phone": CARLA})
    versions.append(
        commit(connection, commit_row(accept_one(connection, "back", CARLA)))["committed"][0]["session_version"]
    )
    assert versions == sorted(set(versions))


def test_a_session_goes_on(connection: Connection) -> None:
    """The same session keeps its beginning, counts its messages and lives for two more hours."""
    answer(connection, "m1")
    expire_sessions(connection, ANA, ago_s=-60)
    before = row(connection, SESSION)
    (turn,) = accept(connection, inbound("m2"), inbound("m3"))
    commit(connection, commit_row(turn))
    after = row(connection, SESSION)
    assert (after["id"], after["created_at"], after["messages"]) == (before["id"], before["created_at"], 3)
    assert after["updated_at"] > before["updated_at"]
    assert 7_190 < (after["expires_at"] - after["updated_at"]).total_seconds() <= 7_200
    assert rows(connection, "select from events") == []


def test_an_expired_session_is_replaced(connection: Connection) -> None:
    """The old one's end is recorded; the new one begins now and counts from its own first message."""
    answer(connection, "m1", session=session_row(session_state="checkout"))
    change = (
        "update customer_sessions set created_at = now() - interval '3 hours', updated_at = now() - interval '2 hours'"
    )
    connection.execute(text(change))
    expire_sessions(connection, ANA)
    old = row(connection, SESSION)
    given = commit_row(accept_one(connection, "m2"), session=session_row(id=str(uuid4())))
    commit(connection, given)
    new = row(connection, f"{SESSION} where created_at > now() - interval '1 minute'")
    assert (new["id"], new["messages"]) == (given["session"]["id"], 1)
    ended = {"session_id": old["id"], "state": "checkout", "messages": 1, "reason": "expired", "duration_s": 3_600}
    assert rows(connection, "select kind, data from events") == [{"kind": "session_end", "data": ended}]


def test_an_order_is_placed_once_with_its_items(connection: Connection) -> None:
    """Names and prices as they were; an item whose product is gone is kept without it."""
    put_products(connection, [product("1", "Leche")])
    given = answer(connection, "m1", orders=[ORDER])
    commit(connection, given)
    order = row(connection, "select id, customer_phone, reply_id::text, status, address, total, currency from orders")
    assert order == {
        "id": order["id"],
        "customer_phone": ANA,
        "reply_id": given["token"],
        "status": "received",
        "address": "Mitre 12",
        "total": Decimal("2750.50"),
        "currency": "ARS",
    }
    milk = {"product_id": 1, "name": "Leche", "price": Decimal("1200.25"), "quantity": 2}
    bread = {"product_id": None, "name": "Pan", "price": Decimal("350.00"), "quantity": 1}
    of_order = {"order_id": order["id"], "currency": "ARS"}
    found = rows(
        connection, "select order_id, currency, product_id, name, price, quantity from order_items order by name"
    )
    assert found == [of_order | milk, of_order | bread]


def test_a_turn_places_one_order_of_each_currency(connection: Connection) -> None:
    """With its own lines and total, once, however often the turn is committed."""
    wine = {"id": 5, "name": "Vino", "price": "9.50", "quantity": 2, "currency": "USD"}
    given = answer(connection, "m1", orders=[ORDER, order_of(wine, total="19.00", currency="USD")])
    commit(connection, given)
    found = rows(
        connection,
        """
        select o.currency, o.total, array_agg(i.name order by i.name) as names, array_agg(distinct i.currency) as lines
        from orders o join order_items i on i.order_id = o.id group by o.id order by o.id
        """,
    )
    assert found == [
        {"currency": "ARS", "total": Decimal("2750.50"), "names": ["Leche", "Pan"], "lines": ["ARS"]},
        {"currency": "USD", "total": Decimal("19.00"), "names": ["Vino"], "lines": ["USD"]},
    ]


def test_an_order_from_a_worker_of_the_version_before(connection: Connection) -> None:
    """While workers are being replaced: one order, not in a list, whose lines name no currency."""
    given = answer(connection, "m1", orders=None, order=ORDER | {"currency": "EUR"})
    commit(connection, given)
    lines = rows(
        connection, "select o.currency, i.currency as line from orders o join order_items i on order_id = o.id"
    )
    assert lines == [{"currency": "EUR", "line": "EUR"}] * 2


def test_a_dead_letter_keeps_the_session(connection: Connection) -> None:
    """The apology is a reply like any other; the session stays as it was, and the next turn goes on with it."""
    answer(connection, "m1")
    before = row(connection, SESSION)
    dead = commit_row(accept_one(connection, "m2"), state="dead", error="given up", session=None)
    accept(connection, inbound("m3"))
    result = commit(connection, dead)
    assert result["committed"] == [{"token": dead["token"], "session_version": None}]
    assert dead["token"] in [entry["reply_id"] for entry in result["replies"]]
    assert [(wamids(turn), turn["session_version"]) for turn in result["next"]] == [(["m3"], before["version"])]
    assert row(connection, SESSION) == before
    found = row(connection, "select state, reason, last_error from messages where message_id = 'm2'")
    assert found == {"state": "dead", "reason": "given up", "last_error": None}


def test_a_turn_may_end_without_a_reply(connection: Connection) -> None:
    """Closed: nothing to publish, and nothing that looks like a reply later."""
    turn = accept_one(connection, "m1")
    result = commit(connection, commit_row(turn, state="closed", reply=None, outcome=None))
    assert (len(result["committed"]), result["replies"]) == (1, [])
    found = row(connection, "select state, reply is null as silent, outcome is null as bare from messages")
    assert found == {"state": "closed", "silent": True, "bare": True}
    assert queries.unpublished_replies(connection, older_than_s=0) == []


def test_replies_come_oldest_first_until_they_are_published(connection: Connection) -> None:
    """An older reply that nobody has marked published comes before the new one, and no more once it is marked."""
    first = answer(connection, "m1")
    second = commit_row(accept_one(connection, "m2"))
    replies = commit(connection, second)["replies"]
    assert [entry["reply_id"] for entry in replies] == [first["token"], second["token"]]
    queries.record_metrics(connection, [metrics_row(first["token"])])
    third = commit_row(accept_one(connection, "m3"))
    replies = commit(connection, third)["replies"]
    assert [entry["reply_id"] for entry in replies] == [second["token"], third["token"]]


def test_a_lost_turn_does_not_hinder_its_batch(connection: Connection) -> None:
    """The others commit and go on; of the lost one not a row changes."""
    turns = accept(connection, *(inbound(phone, phone) for phone in (ANA, BRUNO, CARLA)))
    accept(connection, inbound("next", CARLA))
    expire_leases(connection, BRUNO)
    (held,) = queries.sweep_turns(connection, lease_s=15, limit=10)[0]
    batch = [commit_row(turn, orders=[ORDER]) for turn in turns]
    result = commit(connection, *batch)
    assert {entry["token"] for entry in result["committed"]} == {batch[0]["token"], batch[2]["token"]}
    assert [wamids(turn) for turn in result["next"]] == [["next"]]
    assert [entry["customer_phone"] for entry in result["replies"]] == [ANA, CARLA]
    for table in ("customer_sessions", "orders"):
        found = rows(connection, f"select customer_phone from {table} order by 1")
        assert [r["customer_phone"] for r in found] == [ANA, CARLA]
    items = rows(connection, "select customer_phone from order_items i join orders o on o.id = order_id order by 1")
    assert [r["customer_phone"] for r in items] == [ANA, ANA, CARLA, CARLA]
    assert row(connection, "select token::text from turns where customer_phone = :phone", phone=BRUNO) == {
        "token": held["token"]
    }
    assert row(connection, "select state from messages where message_id = :id", id=BRUNO) == {"state": "accepted"}


def test_a_batch_that_is_refused_for_one_value_changes_nothing(connection: Connection) -> None:
    """All or nothing, so that the caller can do it again one by one."""
    ana, bruno = accept(connection, inbound("m1", ANA), inbound("m2", BRUNO))
    before = snapshot(connection)
    with pytest.raises(IntegrityError):
        commit(connection, commit_row(ana), commit_row(bruno, session=session_row(BRUNO, session_state="dancing")))
    assert snapshot(connection) == before


def test_a_batch_of_lost_turns_is_empty(connection: Connection) -> None:
    """Nothing committed, nothing next."""
    turn = other_token(accept_one(connection, "m1"))
    assert commit(connection, commit_row(turn)) == NOTHING
