"""`update_session_cache` that must not commit: a turn that is no longer the caller's, or not what comes next."""

from __future__ import annotations

from typing import Any

import pytest
from helpers.factories import (
    ANA,
    BRUNO,
    NOTHING,
    accept,
    accept_one,
    answer,
    commit,
    commit_row,
    expire_leases,
    inbound,
    order_of,
    other_token,
    snapshot,
)
from sqlalchemy import Connection, text

from db import queries

REFUSED: dict[str, Any] = NOTHING


def test_a_wrong_token_changes_nothing(connection: Connection) -> None:
    """Not a row of any table."""
    turn = accept_one(connection)
    before = snapshot(connection)
    assert commit(connection, commit_row(other_token(turn), orders=[order_of()])) == REFUSED
    assert snapshot(connection) == before


def test_another_customers_token_changes_nothing(connection: Connection) -> None:
    """A token counts only with the customer whose turn it is."""
    ana, bruno = accept(connection, inbound("m1", ANA), inbound("m2", BRUNO))
    before = snapshot(connection)
    assert commit(connection, commit_row(ana, token=bruno["token"])) == REFUSED
    assert snapshot(connection) == before


def test_a_lost_token_changes_nothing(connection: Connection) -> None:
    """Since the sweep has claimed the turn again, the first run is too late, and the second commits."""
    turn = accept_one(connection)
    expire_leases(connection, ANA)
    (swept,) = queries.sweep_turns(connection, lease_s=15, limit=10)[0]
    before = snapshot(connection)
    assert commit(connection, commit_row(turn, orders=[order_of()])) == REFUSED
    assert snapshot(connection) == before
    assert len(commit(connection, commit_row(swept))["committed"]) == 1


def test_an_overdue_turn_still_commits(connection: Connection) -> None:
    """A lease that has ended takes nothing away until somebody else claims the turn."""
    turn = accept_one(connection)
    expire_leases(connection, ANA)
    assert len(commit(connection, commit_row(turn))["committed"]) == 1


@pytest.mark.parametrize("places", [[1], [0, 2], [2, 1]])
def test_an_older_unanswered_message_refuses(connection: Connection, places: list[int]) -> None:
    """Nothing is answered before what was written before it."""
    (turn,) = accept(connection, *(inbound(f"m{place}") for place in range(3)))
    ids = [turn["messages"][place]["id"] for place in places]
    before = snapshot(connection)
    assert commit(connection, commit_row(turn, message_ids=ids)) == REFUSED
    assert snapshot(connection) == before


def test_the_first_messages_alone_commit(connection: Connection) -> None:
    """A turn may answer less than it claimed, in any order of ids; the rest is the next turn."""
    (turn,) = accept(connection, *(inbound(f"m{place}") for place in range(3)))
    first, second, _ = (message["id"] for message in turn["messages"])
    result = commit(connection, commit_row(turn, message_ids=[second, first]))
    assert len(result["committed"]) == 1
    assert [message["message_id"] for message in result["next"][0]["messages"]] == ["m2"]


@pytest.mark.parametrize("state", ["answered", "closed", "dead"])
def test_a_message_that_is_done_refuses(connection: Connection, state: str) -> None:
    """No message gets a second reply, not even beside one that waits for its first."""
    (turn,) = accept(connection, inbound("m1"), inbound("m2"))
    connection.execute(text("update messages set state = :state where message_id = 'm1'"), {"state": state})
    before = snapshot(connection)
    assert commit(connection, commit_row(turn)) == REFUSED
    assert snapshot(connection) == before


def test_another_customers_message_refuses(connection: Connection) -> None:
    """Ids of messages count only with the customer who wrote them."""
    ana, bruno = accept(connection, inbound("m1", ANA), inbound("m2", BRUNO))
    before = snapshot(connection)
    ids = [message["id"] for turn in (ana, bruno) for message in turn["messages"]]
    assert commit(connection, commit_row(ana, message_ids=ids)) == REFUSED
    assert snapshot(connection) == before


@pytest.mark.parametrize("ids", [[], ["same", "same"], ["same", 10**15]])
def test_ids_that_are_no_turn_refuse(connection: Connection, ids: list[Any]) -> None:
    """None at all, one twice, one that does not exist."""
    turn = accept_one(connection)
    here = turn["messages"][0]["id"]
    before = snapshot(connection)
    given = [here if message_id == "same" else message_id for message_id in ids]
    assert commit(connection, commit_row(turn, message_ids=given)) == REFUSED
    assert snapshot(connection) == before


def test_a_token_that_committed_ends_no_later_turn(connection: Connection) -> None:
    """The same call again, when the customer has a new turn, leaves that one alone."""
    done = answer(connection, "m1")
    turn = accept_one(connection, "m2")
    before = snapshot(connection)
    assert [entry["token"] for entry in commit(connection, done)["committed"]] == [done["token"]]
    assert snapshot(connection) == before
    assert len(commit(connection, commit_row(turn))["committed"]) == 1
