"""Two transactions at one customer's turn: the later one waits, and then sees what the earlier one did."""

from __future__ import annotations

from collections.abc import Callable

from helpers.factories import (
    ANA,
    NOTHING,
    Json,
    accept,
    accept_one,
    batch_of,
    commit,
    commit_row,
    expire_leases,
    inbound,
    order_of,
    row,
    wamids,
)
from helpers.locking import behind
from sqlalchemy import Connection, Engine

from db import queries


def taking(*messages: Json) -> Callable[[Connection], Json]:
    """A call that accepts the messages."""
    return lambda connection: queries.accept_messages(connection, batch_of(*messages))


def test_a_message_that_arrives_as_a_turn_ends_gets_its_own(engine: Engine, connection: Connection) -> None:
    """The commit has not seen it, so its acceptance must: no message waits without anybody to answer it."""
    ending = commit_row(accept_one(connection, "m1"))
    result = behind(engine, lambda c: commit(c, ending), taking(inbound("m2")))
    (turn,) = result["turns"]
    version = row(connection, "select version from customer_sessions")["version"]
    assert (wamids(turn), turn["session_version"]) == (["m2"], version)


def test_a_turn_that_ends_as_a_message_arrives_goes_on_with_it(engine: Engine, connection: Connection) -> None:
    """Its acceptance found a turn under way, so the commit must claim it."""
    ending = commit_row(accept_one(connection, "m1"))
    result = behind(engine, taking(inbound("m2")), lambda c: commit(c, ending))
    assert [wamids(turn) for turn in result["next"]] == [["m2"]]


def test_a_turn_that_is_just_being_swept_does_not_commit(engine: Engine, connection: Connection) -> None:
    """The run that lost it sees the new token, and leaves everything to whoever holds that."""
    lost = commit_row(accept_one(connection, "m1"))
    expire_leases(connection, ANA)
    result = behind(engine, lambda c: queries.sweep_turns(c, lease_s=15, limit=10)[0], lambda c: commit(c, lost))
    assert result == NOTHING
    assert row(connection, "select state from messages") == {"state": "accepted"}
    assert row(connection, "select swept, token is not null as held from turns") == {"swept": True, "held": True}


def test_the_same_commit_twice_at_once_counts_once(engine: Engine, connection: Connection) -> None:
    """The second finds the first's work done; one order, and the message that waits belongs to the first."""
    ending = commit_row(accept_one(connection, "m1"), orders=[order_of()])
    accept(connection, inbound("m2"))
    result = behind(engine, lambda c: commit(c, ending), lambda c: commit(c, ending))
    assert result["committed"] == [{"token": ending["token"], "session_version": None}]
    assert result["next"] == []
    assert row(connection, "select count(*) as orders from orders") == {"orders": 1}


def test_the_same_message_twice_at_once_counts_once(engine: Engine, connection: Connection) -> None:
    """Of a customer whom nobody knew: the second intake finds message and turn."""
    result = behind(engine, taking(inbound("m1")), taking(inbound("m1"), inbound("m2")))
    assert result == {"accepted": 1, "turns": []}
    assert row(connection, "select count(*) as messages from messages") == {"messages": 2}
