"""Waits for quiet beside business numbers, echoes, edits, revocations, late messages, groups and erasure, through the
real intake; the steps of the chain are called directly.
"""

from __future__ import annotations

from time import time
from typing import Any

import orjson
import pytest
from helpers.factories import ANA, BRUNO, expire_leases, row, rows
from sqlalchemy import Connection, text
from test_locked_customers import Road
from test_quiet import ASKS_A_MODEL, QUIET_S, pass_time, road, route, waiting

from db.customers import erase_customer
from worker.redisdb.keys import INBOUND, REJECTED
from worker.session.turn import Turn

__all__ = ("road",)

ONE, TWO = "100000000000001", "100000000000002"
#: Rounds of an intake that finds nothing to start.
FEW = 4


def send(road: Road, message_id: str, said: str | None = ASKS_A_MODEL, **changes: Any) -> None:
    """A plain body."""
    body = {"message_id": message_id, "from": ANA, "text": said, "timestamp": int(time()), "channel": ONE} | changes
    road.client.xadd(INBOUND.pattern, {"payload": orjson.dumps(body)})


def park(road: Road, message_id: str = "m1", said: str = ASKS_A_MODEL, **changes: Any) -> Turn:
    """A message whose turn waits for quiet; the turn as it was before."""
    send(road, message_id, said, **changes)
    (turn,) = road.take(1)
    assert route(road, [turn]) == ([], [])
    return turn


def texts(turns: list[Turn]) -> list[str]:
    """What turns say."""
    return [turn.text for turn in turns]


def states(connection: Connection) -> dict[str, tuple[str, str | None]]:
    """State and reason of each message."""
    return {m["message_id"]: (m["state"], m["reason"]) for m in rows(connection, "select * from messages order by id")}


def test_a_burst_over_two_numbers_is_two_turns(road: Road, connection: Connection) -> None:
    """What was written to the other number is no part of the wait's turn; it has been quiet when its time comes."""
    park(road)
    send(road, "m2", "y hay arroz?")
    send(road, "m3", "tenes leche descremada para diabeticos?", channel=TWO)
    assert road.take(1, rounds=FEW) == []
    pass_time(connection, QUIET_S + 1)
    (turn,) = road.take(1)
    assert (turn.channel, len(turn.messages), turn.quiet) == (ONE, 2, True)
    closed = road.answer([turn])
    assert [(each.channel, each.message_ids) for each in closed] == [
        (ONE, turn.message_ids),
        (TWO, closed[1].message_ids),
    ]
    assert {state for state, _ in states(connection).values()} == {"answered"}


def test_an_edit_while_the_turn_waits(road: Road, connection: Connection) -> None:
    """The turn is decided anew with the words as they are now, and waits on for what the first one waited for."""
    before = park(road)
    send(road, "d1", "agregame tres leches y decime si hay arroz", type="edit", target="m1")
    (anew,) = road.take(1)
    assert (anew.token != before.token, anew.quiet) == (True, False)
    assert route(road, [anew]) == ([], [])
    pass_time(connection, QUIET_S + 1)
    (turn,) = road.take(1)
    assert (turn.quiet, texts([turn])) == (True, ["agregame tres leches y decime si hay arroz"])
    assert len(road.answer([turn])) == 1
    assert states(connection) == {"m1": ("answered", None), "d1": ("closed", None)}


def test_an_edit_into_what_needs_no_model_is_answered_at_once(road: Road, connection: Connection) -> None:
    """Nobody waits who need not; the note of the wait of before is worth nothing."""
    park(road)
    send(road, "d1", "quiero hablar con una persona", type="edit", target="m1")
    answered, missed = route(road, road.take(1))
    assert ([turn.decided().source for turn in answered], missed) == (["canned"], [])
    pass_time(connection, 10 * QUIET_S)
    assert road.take(1, rounds=FEW) == []
    assert waiting(connection) == set()


@pytest.mark.parametrize("kills", ["before it is started", "before it waits"])
def test_a_kill_behind_an_edit_loses_nothing(road: Road, connection: Connection, kills: str) -> None:
    """The turn that the edit began is under a lease, not under the wait of before: the sweep starts it again."""
    park(road)
    send(road, "d1", "agregame tres leches y decime si hay arroz", type="edit", target="m1")
    (lost,) = road.take(1)
    if kills == "before it waits":
        route(road, [lost])
        connection.execute(text("update turns set quiet_token = null"))
    pass_time(connection, 10 * QUIET_S)
    assert road.take(1, rounds=FEW) == []
    expire_leases(connection, ANA)
    swept, _ = road.sweep()
    assert texts(swept) == ["agregame tres leches y decime si hay arroz"]
    answered, missed = route(road, swept)
    assert (answered, len(missed)) == ([], 1)


def test_an_echo_while_the_turn_waits(road: Road, connection: Connection) -> None:
    """A person has answered: the wait is nobody's, no model is asked, and what comes next is silent."""
    before = park(road)
    send(road, "e1", "hola, te atiendo yo", type="echo", to=ANA)
    assert road.take(1, rounds=FEW) == []
    pass_time(connection, 10 * QUIET_S)
    assert road.take(1, rounds=FEW) == []
    assert states(connection) == {"m1": ("closed", "answered_by_person"), "e1": ("closed", None)}
    assert row(connection, "select token, quiet_token, quiet_until from turns") == dict.fromkeys(
        ("token", "quiet_token", "quiet_until")
    )
    send(road, "m2", "gracias, y decime si hay arroz")
    (turn,) = road.take(1)
    assert turn.token != before.token
    answered, missed = route(road, [turn])
    assert ([one.decided().source for one in answered], missed) == (["closed"], [])


def test_an_echo_and_what_was_written_behind_it(road: Road, connection: Connection) -> None:
    """In one read: the message behind the echo is a turn of its own, not one of the wait."""
    park(road)
    send(road, "e1", "hola, te atiendo yo", type="echo", to=ANA)
    send(road, "m2", "gracias")
    (turn,) = road.take(1)
    assert [message.message_id for message in turn.messages] == ["m2"]
    answered, missed = route(road, [turn])
    assert ([one.decided().source for one in answered], missed) == (["closed"], [])


def test_a_revocation_while_the_turn_waits(road: Road, connection: Connection) -> None:
    """What is left of the burst waits on without the words that are gone."""
    park(road)
    send(road, "m2", "mi clave es 4455")
    assert road.take(1, rounds=FEW) == []
    send(road, "r1", None, type="revoke", target="m2")
    (anew,) = road.take(1)
    assert texts([anew]) == [ASKS_A_MODEL]
    assert route(road, [anew]) == ([], [])
    pass_time(connection, QUIET_S + 1)
    (turn,) = road.take(1)
    assert (texts([turn]), turn.quiet) == ([ASKS_A_MODEL], True)


def test_a_revocation_of_all_that_waits(road: Road, connection: Connection) -> None:
    """Nothing is left to wait for, and the next message is a turn at once."""
    park(road)
    send(road, "r1", None, type="revoke", target="m1")
    assert road.take(1, rounds=FEW) == []
    pass_time(connection, 10 * QUIET_S)
    assert road.take(1, rounds=FEW) == []
    assert states(connection)["m1"] == ("closed", "revoked")
    assert waiting(connection) == set()
    send(road, "m2", "hola")
    assert texts(road.take(1)) == ["hola"]


@pytest.mark.parametrize(
    "silent",
    [{"timestamp": int(time()) - 3 * 86_400}, {"group_id": "Y2FwaV9ncm91cDox"}, {"type": "reaction"}],
    ids=["late", "group", "reaction"],
)
def test_what_needs_no_reply_prolongs_no_wait(road: Road, connection: Connection, silent: dict[str, Any]) -> None:
    """A late message, one in a group and a reaction: none joins the turn, and it goes on as if they were not there."""
    park(road)
    pass_time(connection, QUIET_S * 0.9)
    send(road, "m2", "otra cosa", **silent)
    assert road.take(1, rounds=FEW) == []
    pass_time(connection, QUIET_S * 0.2)
    (turn,) = road.take(1)
    assert ([message.message_id for message in turn.messages], turn.quiet) == (["m1"], True)


def test_the_edit_of_what_was_said_in_a_group(road: Road, connection: Connection) -> None:
    """Gets no private answer either."""
    group = {"group_id": "Y2FwaV9ncm91cDox"}
    send(road, "m1", "hola", **group)
    send(road, "d1", "hola a todos", type="edit", target="m1", **group)
    assert road.take(1, rounds=FEW) == []
    assert set(states(connection).values()) == {("closed", None)}
    assert road.client.xlen(REJECTED.pattern) == 0


def test_a_customer_is_erased_while_the_turn_waits(road: Road, connection: Connection) -> None:
    """Nothing of it comes back; who writes again is new, and others wait on."""
    park(road)
    park(road, "b1", **{"from": BRUNO})
    erase_customer(connection, ANA)
    pass_time(connection, QUIET_S + 1)
    assert [turn.customer_phone for turn in road.take(1)] == [BRUNO]
    send(road, "m2", "hola")
    assert texts(road.take(1)) == ["hola"]
