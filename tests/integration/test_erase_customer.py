"""`erase_customer`: nothing personal is left in any table, figures are, and work under way cannot bring it back."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from helpers.basics import GUARD_S
from helpers.factories import (
    ANA,
    BRUNO,
    NOTHING,
    accept,
    accept_one,
    answer,
    batch_of,
    commit,
    commit_row,
    expire_sessions,
    inbound,
    metrics_row,
    order_of,
    rows,
    session_row,
    snapshot,
    wamids,
)
from helpers.locking import behind, in_its_own_connection, wait_until_blocked
from sqlalchemy import Connection, Engine, text

from db import queries
from db.customers import erase_customer
from worker.telemetry.report import make_report

Json = dict[str, Any]
SECRET = "Calle Falsa"


def personal(connection: Connection, *words: str) -> list[str]:
    """Rows of any table that hold one of the words."""
    return [line for lines in snapshot(connection).values() for line in lines if any(word in line for word in words)]


def live(connection: Connection, phone: str, prefix: str) -> None:
    """A customer with an order, a dead letter, a conversation, and a message that waits."""
    accept(connection, inbound(f"{prefix}0", phone, name=f"Name {SECRET}", reply_due=False))
    session = session_row(phone, context_data={"address": SECRET})
    outcome = {"source": "ai", "terms": [SECRET], "decision": {"reply": SECRET}}
    given = answer(connection, f"{prefix}1", phone, session=session, orders=[order_of(address=SECRET)], outcome=outcome)
    queries.record_metrics(connection, [metrics_row(given["token"])])
    dead = commit_row(accept_one(connection, f"{prefix}2", phone), state="dead", error="given up", session=None)
    commit(connection, dead)
    accept(connection, inbound(f"{prefix}3", phone, text=SECRET))


def test_nothing_personal_is_left(connection: Connection) -> None:
    """In no column of no table; what was removed is counted, and what another customer said stays."""
    live(connection, ANA, "wamid.a")
    live(connection, BRUNO, "wamid.b")
    others = personal(connection, BRUNO)
    counted = erase_customer(connection, ANA)
    assert personal(connection, ANA, "wamid.a") == []
    assert personal(connection, SECRET) == [line for line in others if SECRET in line]
    assert personal(connection, BRUNO) == others
    names = ("messages", "unanswered", "dead_letters", "sessions", "orders", "customers")
    assert [counted[name] for name in names] == [4, 1, 1, 1, 1, 1]
    assert len(counted["tokens"]) == 1
    states = rows(connection, "select state, reason from messages where customer_phone = 'erased' order by id")
    closed = [{"state": "closed", "reason": reason} for reason in (None, "given up; erased", "erased")]
    assert states == [closed[0], {"state": "answered", "reason": None}, *closed[1:]]


def test_a_second_run_finds_nothing(connection: Connection) -> None:
    """And changes nothing, not even the customers who were erased before."""
    live(connection, ANA, "a")
    erase_customer(connection, ANA)
    before = snapshot(connection)
    for phone in (ANA, BRUNO):
        assert not any(erase_customer(connection, phone).values())
    erase_customer(connection, "erased")
    assert snapshot(connection) == before


def test_figures_stay(connection: Connection) -> None:
    """The report says the same: replies, costs, times, and how long the session lasted."""
    live(connection, ANA, "a")
    connection.execute(text("update customer_sessions set created_at = updated_at - interval '90 seconds'"))
    expire_sessions(connection, ANA)
    before = make_report(connection)
    erase_customer(connection, ANA)
    after = make_report(connection)
    assert after["sessions"].pop("average_session_duration_s") == 90
    before["sessions"].pop("average_session_duration_s")
    assert after == before


def test_work_under_way_cannot_write_it_back(connection: Connection) -> None:
    """Whatever a process does with a turn that it still holds."""
    turn = accept_one(connection, "m1")
    holder = [(ANA, turn["token"])]
    erase_customer(connection, ANA)
    erased = snapshot(connection)
    assert commit(connection, commit_row(turn)) == NOTHING
    assert queries.extend_leases(connection, holder, 30) == set()
    assert queries.lease_left(connection, holder) == {}
    failed = {"customer_phone": ANA, "token": turn["token"], "message_ids": [1], "error": "Boom"}
    queries.release_turns(connection, [failed])
    begun = {"customer_phone": ANA, "token": turn["token"], "message_id": turn["messages"][0]["id"]}
    assert queries.begin_attempts(connection, {"lease_s": 15, "turns": [begun]}) == {}
    assert queries.sweep_turns(connection, lease_s=15, limit=10)[0] == []
    assert snapshot(connection) == erased


def test_what_the_lost_turn_cost_is_recorded(connection: Connection) -> None:
    """Of a turn that was fenced off, and of a reply that was committed but not yet published."""
    turn = accept_one(connection, "m1")
    reply = answer(connection, "m2", BRUNO)
    for phone in (ANA, BRUNO):
        erase_customer(connection, phone)
    lost, made = metrics_row(turn["token"], committed=False), metrics_row(reply["token"])
    assert set(queries.record_metrics(connection, [lost, made])) == {turn["token"], reply["token"]}
    assert queries.unpublished_replies(connection, older_than_s=0) == []


def test_a_second_delivery_is_still_a_duplicate(connection: Connection) -> None:
    """Although the id is gone: no message, no customer, no turn comes of it; a new message is a new customer."""
    answer(connection, "wamid.1")
    erase_customer(connection, ANA)
    before = snapshot(connection)
    batch = [inbound("wamid.1", ANA, name="Ana"), inbound("wamid.2", BRUNO), inbound("wamid.1", ANA)]
    assert [turn["customer_phone"] for turn in accept(connection, *batch)] == [BRUNO]
    assert len(snapshot(connection)["messages"]) == len(before["messages"]) + 1
    assert personal(connection, ANA, "Ana") == []
    (turn,) = accept(connection, inbound("wamid.3", ANA))
    assert (turn["customer_name"], turn["session_version"]) == (None, None)


def test_the_rest_of_redis_is_named(connection: Connection) -> None:
    """Replies somebody may be about to publish, and the keys of cached replies that hold the session."""
    outcome = {"source": "ai", "reply_key": "k1"}
    given = answer(connection, "m1", outcome=outcome)
    answer(connection, "m2", outcome=outcome)
    answer(connection, "m3", outcome={"source": "ai", "reply_key": None})
    queries.record_metrics(connection, [metrics_row(given["token"])])
    counted = erase_customer(connection, ANA)
    assert counted["reply_keys"] == ["k1"]
    assert given["token"] not in counted["unpublished"]
    assert len(counted["unpublished"]) == 2


def test_an_erasure_takes_what_a_commit_before_it_left(engine: Engine, connection: Connection) -> None:
    """It waits for the commit of a turn, and then erases the reply too."""
    ending = commit_row(accept_one(connection, "m1"))
    counted = behind(engine, lambda c: commit(c, ending), lambda c: erase_customer(c, ANA))
    assert (counted["messages"], counted["unanswered"], counted["unpublished"]) == (1, 0, [ending["token"]])
    assert personal(connection, ANA) == []


def test_an_erasure_takes_what_is_just_being_accepted(engine: Engine, connection: Connection) -> None:
    """A message that is added to a turn under way, by a commit that has locked the customer and changed nothing yet."""
    accept_one(connection, "m1")
    counted = behind(engine, lambda c: accept(c, inbound("m2")), lambda c: erase_customer(c, ANA))
    assert counted["unanswered"] == 2
    assert personal(connection, ANA) == []


def test_a_commit_after_an_erasure_comes_to_nothing(engine: Engine, connection: Connection) -> None:
    """It waits for the erasure, and then finds neither its turn nor its messages."""
    ending = commit_row(accept_one(connection, "m1"))
    result = behind(engine, lambda c: erase_customer(c, ANA), lambda c: commit(c, ending))
    assert result == NOTHING
    assert personal(connection, ANA) == []


def test_a_message_accepted_beside_an_erasure_is_answered(engine: Engine, connection: Connection) -> None:
    """The row of `turns` that acceptance has just found may be gone when it comes to lock it: it makes a new one, or
    the message would wait for ever.
    """
    for phone in (ANA, BRUNO):
        answer(connection, phone, phone)
    batch = batch_of(inbound("m1", ANA), inbound("m2", BRUNO))
    with ThreadPoolExecutor(1) as pool:
        with engine.connect().execution_options(isolation_level="READ COMMITTED") as first, first.begin():
            first.execute(text("select from turns where customer_phone = :phone for update"), {"phone": ANA})
            accepting = pool.submit(in_its_own_connection, engine, lambda c: queries.accept_messages(c, batch))
            wait_until_blocked(connection, accepting)
            erase_customer(connection, BRUNO)
        turns = accepting.result(GUARD_S)["turns"]
    assert [wamids(turn) for turn in turns] == [["m1"], ["m2"]]
