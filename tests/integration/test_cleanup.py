"""`cleanup_expired_sessions`: what has expired goes, in bounded steps, and never under somebody who waits."""

from __future__ import annotations

import pytest
from helpers.factories import (
    ANA,
    BRUNO,
    CARLA,
    accept,
    accept_one,
    answer,
    commit,
    commit_row,
    expire_sessions,
    inbound,
    order_of,
    row,
    rows,
    session_row,
)
from helpers.turns import MILK_ITEM
from sqlalchemy import Connection, Engine, text

from db import queries


def phones(connection: Connection) -> list[str]:
    """Customers who have a session."""
    return [r["customer_phone"] for r in rows(connection, "select customer_phone from customer_sessions order by 1")]


def test_expired_sessions_go_and_live_ones_stay(connection: Connection) -> None:
    """The number that went comes back; the next call finds none."""
    for phone in (ANA, BRUNO, CARLA):
        answer(connection, phone, phone)
    expire_sessions(connection, ANA, BRUNO)
    assert queries.cleanup_expired_sessions(connection) == 2
    assert phones(connection) == [CARLA]
    assert queries.cleanup_expired_sessions(connection) == 0


@pytest.mark.parametrize("cleaned", [False, True])
def test_a_cart_that_nobody_spoke_of_is_kept_on(connection: Connection, *, cleaned: bool) -> None:
    """It was left in the conversation before the last one, whose customer did not answer our question about it."""
    line = MILK_ITEM.row()
    answer(connection, "m1", session=session_row(context_data={"history": [], "kept": [line]}))
    assert queries.left_carts(connection, [ANA]) == []
    expire_sessions(connection, ANA)
    assert not cleaned or queries.cleanup_expired_sessions(connection) == 1
    (left,) = queries.left_carts(connection, [ANA])
    assert left == {"customer_phone": ANA, "cart_data": [line]}
    answer(connection, "m2", session=session_row())
    expire_sessions(connection, ANA)
    assert not cleaned or queries.cleanup_expired_sessions(connection) == 1
    assert queries.left_carts(connection, [ANA]) == []


def test_each_end_is_recorded_and_their_number(connection: Connection) -> None:
    """Two kinds of events; a cleanup that found nothing is none."""
    answer(connection, "m1", session=session_row(session_state="checkout"))
    connection.execute(text("update customer_sessions set created_at = updated_at - interval '90 seconds'"))
    expire_sessions(connection, ANA)
    session = row(connection, "select id::text from customer_sessions")
    queries.cleanup_expired_sessions(connection)
    queries.cleanup_expired_sessions(connection)
    ended = {"session_id": session["id"], "state": "checkout", "messages": 1, "reason": "expired", "duration_s": 90}
    assert rows(connection, "select kind, data from events order by kind") == [
        {"kind": "cleanup", "data": {"deleted": 1}},
        {"kind": "session_end", "data": ended},
    ]


def test_a_customer_with_a_turn_keeps_the_session(connection: Connection) -> None:
    """Whatever became of its messages; once the turn has ended, an expired session goes."""
    answer(connection, "m1")
    turn = accept_one(connection, "m2")
    expire_sessions(connection, ANA)
    for state in ("closed", "accepted"):
        connection.execute(text("update messages set state = :state where message_id = 'm2'"), {"state": state})
        assert queries.cleanup_expired_sessions(connection) == 0
    commit(connection, commit_row(turn, session=None))
    assert queries.cleanup_expired_sessions(connection) == 1


def test_a_customer_with_unanswered_messages_keeps_the_session(connection: Connection) -> None:
    """Even where no turn is under way."""
    answer(connection, "m1")
    accept_one(connection, "m2")
    connection.execute(text("update turns set token = null, lease_until = null"))
    expire_sessions(connection, ANA)
    assert queries.cleanup_expired_sessions(connection) == 0
    connection.execute(text("update messages set state = 'closed' where state = 'accepted'"))
    assert queries.cleanup_expired_sessions(connection) == 1


def test_a_session_without_a_row_of_turns_goes_too(connection: Connection) -> None:
    """There is nothing to wait for."""
    answer(connection, "m1")
    connection.execute(text("delete from turns"))
    expire_sessions(connection, ANA)
    assert queries.cleanup_expired_sessions(connection) == 1


def test_at_most_ten_thousand_go_at_once(connection: Connection) -> None:
    """The longest expired first; the last one goes with the next call."""
    connection.execute(
        text("""
            insert into customer_sessions (customer_phone, expires_at)
            select 'p' || n, now() - make_interval(secs => n) from generate_series(1, 10001) n
        """)
    )
    assert queries.cleanup_expired_sessions(connection) == 10_000
    assert phones(connection) == ["p1"]
    assert queries.cleanup_expired_sessions(connection) == 1
    assert queries.cleanup_expired_sessions(connection) == 0
    counted = "select kind, count(*) as n, sum((data ->> 'deleted')::integer) as deleted from events group by kind"
    assert rows(connection, f"{counted} order by kind") == [
        {"kind": "cleanup", "n": 2, "deleted": 10_001},
        {"kind": "session_end", "n": 10_001, "deleted": None},
    ]


def test_a_cleanup_does_not_wait_for_a_busy_row(engine: Engine, connection: Connection) -> None:
    """A customer whom another transaction is just working on is left for the next call."""
    for phone in (ANA, BRUNO):
        answer(connection, phone, phone)
    expire_sessions(connection, ANA, BRUNO)
    with engine.connect().execution_options(isolation_level="READ COMMITTED") as other, other.begin():
        other.execute(text("select from turns where customer_phone = :phone for update"), {"phone": ANA})
        connection.execute(text("set statement_timeout = '2s'"))
        assert queries.cleanup_expired_sessions(connection) == 1
    connection.execute(text("set statement_timeout = '10s'"))
    assert phones(connection) == [ANA]


def test_messages_and_orders_outlive_the_session(connection: Connection) -> None:
    """A cleanup takes away the session and nothing else."""
    accept(connection, inbound("m0", BRUNO, name="Bruno"))
    answer(connection, "m1", orders=[order_of()])
    expire_sessions(connection, ANA)
    assert queries.cleanup_expired_sessions(connection) == 1
    counts = "select (select count(*) from messages) as messages, (select count(*) from orders) as orders"
    assert row(connection, counts) == {"messages": 2, "orders": 1}
