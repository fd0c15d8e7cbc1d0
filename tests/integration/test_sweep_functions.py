"""`sweep_turns` and what surrounds a lease: who may still work on a turn, and who may claim it again."""

from __future__ import annotations

from typing import Any

import pytest
from helpers.factories import (
    ANA,
    BRUNO,
    CARLA,
    accept,
    accept_one,
    commit,
    commit_row,
    expire_leases,
    inbound,
    other_token,
    row,
    rows,
    snapshot,
    wamids,
)
from sqlalchemy import Connection, Engine, text

from db import queries
from worker.intake.sweep import MAX_ATTEMPTS

Json = dict[str, Any]


def swept(connection: Connection, limit: int = 10) -> list[Json]:
    """The turns that a sweep claims, by customer."""
    return sorted(queries.sweep_turns(connection, lease_s=15, limit=limit)[0], key=lambda turn: turn["customer_phone"])


def lease_left_s(connection: Connection, turn: Json) -> float | None:
    """Seconds left of the turn's lease; None where its token is not held."""
    return queries.lease_left(connection, [(turn["customer_phone"], turn["token"])]).get(turn["token"])


def run_of(*turns: Json, lease_s: float = 15) -> Json:
    """The argument of `begin_attempts`."""
    begun = [
        {"customer_phone": t["customer_phone"], "token": t["token"], "message_id": t["messages"][0]["id"]}
        for t in turns
    ]
    return {"lease_s": lease_s, "turns": begun}


def failure(turn: Json, *places: int) -> Json:
    """An entry of the argument of `release_turns`, for the messages at these places of the turn."""
    ids = [turn["messages"][place]["id"] for place in places]
    return {"customer_phone": turn["customer_phone"], "token": turn["token"], "message_ids": ids, "error": "Boom"}


def test_only_overdue_turns_are_claimed(connection: Connection) -> None:
    """A turn whose lease still runs is left alone, and so is a customer who is free."""
    _, bruno = accept(connection, inbound("m1", ANA), inbound("m2", BRUNO))
    commit(connection, commit_row(accept_one(connection, "m3", CARLA)))
    assert swept(connection) == []
    expire_leases(connection, ANA)
    (again,) = swept(connection)
    assert again["customer_phone"] == ANA
    assert lease_left_s(connection, bruno) is not None
    assert swept(connection) == []


def test_a_swept_turn_is_one_message_under_a_new_token(connection: Connection) -> None:
    """Alone, so that a message that kills its worker takes no other with it; marked, with a lease of its own."""
    (turn,) = accept(connection, inbound("m1", name="Ana"), inbound("m2"))
    expire_leases(connection, ANA)
    (again,) = swept(connection)
    assert again == turn | {"token": again["token"], "swept": True, "messages": turn["messages"][:1]}
    assert again["token"] != turn["token"]
    left_s = lease_left_s(connection, again)
    assert left_s is not None
    assert 10 < left_s <= 15
    assert row(connection, "select swept, token::text from turns") == {"swept": True, "token": again["token"]}


def test_after_the_sweep_only_the_new_token_commits(connection: Connection) -> None:
    """And what the swept turn left waiting is an ordinary turn again."""
    (turn,) = accept(connection, inbound("m1"), inbound("m2"), inbound("m3"))
    expire_leases(connection, ANA)
    (again,) = swept(connection)
    assert commit(connection, commit_row(turn))["committed"] == []
    (following,) = commit(connection, commit_row(again))["next"]
    assert (wamids(following), following["swept"]) == (["m2", "m3"], False)


def test_a_long_message_is_swept_too(connection: Connection) -> None:
    """No limit of characters keeps a message from being started again."""
    accept(connection, inbound("m1", text="a" * 4_096))
    expire_leases(connection, ANA)
    assert [wamids(turn) for turn in swept(connection)] == [["m1"]]


def test_a_turn_with_nothing_to_answer_is_set_free(connection: Connection) -> None:
    """Otherwise its customer would never be answered again."""
    accept_one(connection, "m1")
    connection.execute(text("update messages set state = 'closed'"))
    expire_leases(connection, ANA)
    assert swept(connection) == []
    free = {"customer_phone": ANA, "token": None, "lease_until": None, "swept": False}
    assert rows(connection, "select customer_phone, token, lease_until, swept from turns") == [free]
    assert wamids(accept_one(connection, "m2")) == ["m2"]


def test_a_sweep_takes_the_longest_overdue_up_to_its_limit(connection: Connection) -> None:
    """The rest is taken by the next one."""
    accept(connection, *(inbound(phone, phone) for phone in (ANA, BRUNO, CARLA)))
    for phone, ago_s in ((ANA, 1), (BRUNO, 3), (CARLA, 2)):
        expire_leases(connection, phone, ago_s=ago_s)
    assert [turn["customer_phone"] for turn in swept(connection, limit=2)] == [BRUNO, CARLA]
    assert [turn["customer_phone"] for turn in swept(connection, limit=2)] == [ANA]


def test_a_sweep_does_not_wait_for_a_busy_row(engine: Engine, connection: Connection) -> None:
    """A turn that another transaction is just ending is left for later."""
    accept(connection, inbound("m1", ANA), inbound("m2", BRUNO))
    expire_leases(connection, ANA, BRUNO)
    with engine.connect().execution_options(isolation_level="READ COMMITTED") as other, other.begin():
        other.execute(text("select from turns where customer_phone = :phone for update"), {"phone": ANA})
        connection.execute(text("set statement_timeout = '2s'"))
        assert [turn["customer_phone"] for turn in swept(connection)] == [BRUNO]
    connection.execute(text("set statement_timeout = '10s'"))
    assert [turn["customer_phone"] for turn in swept(connection)] == [ANA]


def test_an_attempt_is_counted_and_restarts_the_lease(connection: Connection) -> None:
    """Time spent waiting in a queue does not shorten the run."""
    accept_one(connection)
    expire_leases(connection, ANA)
    (turn,) = swept(connection)
    expire_leases(connection, ANA)
    assert queries.begin_attempts(connection, run_of(turn, lease_s=60)) == {turn["token"]: 1}
    left_s = lease_left_s(connection, turn)
    assert left_s is not None
    assert 50 < left_s <= 60
    assert queries.begin_attempts(connection, run_of(turn)) == {turn["token"]: 2}
    expire_leases(connection, ANA)
    assert [turn["messages"][0]["attempts"] for turn in swept(connection)] == [2]


def test_what_waits_in_a_queue_is_no_attempt(connection: Connection) -> None:
    """However often a turn is swept while nobody takes it from the queue. The lease stays as it is."""
    accept_one(connection)
    for _ in range(MAX_ATTEMPTS + 1):
        expire_leases(connection, ANA)
        (turn,) = swept(connection)
        assert turn["messages"][0]["attempts"] == 0
        assert queries.begin_attempts(connection, run_of(turn, lease_s=60)) == {turn["token"]: 1}
        queries.suspend_attempts(connection, run_of(turn))
    left_s = lease_left_s(connection, turn)
    assert left_s is not None
    assert left_s > 50


def test_an_attempt_of_another_is_not_taken_back(connection: Connection) -> None:
    """By who has lost the turn meanwhile; and never is one taken back that was not counted."""
    turn = accept_one(connection)
    queries.suspend_attempts(connection, run_of(turn))
    expire_leases(connection, ANA)
    (again,) = swept(connection)
    assert queries.begin_attempts(connection, run_of(again)) == {again["token"]: 1}
    queries.suspend_attempts(connection, run_of(turn))
    assert queries.begin_attempts(connection, run_of(again)) == {again["token"]: 2}


def test_a_lost_turn_counts_no_attempt(connection: Connection) -> None:
    """Beside a turn that is held, one that is not changes nothing."""
    ana, bruno = accept(connection, inbound("m1", ANA), inbound("m2", BRUNO))
    before = rows(connection, "select m, t from messages m join turns t using (customer_phone) where message_id = 'm2'")
    assert queries.begin_attempts(connection, run_of(ana, other_token(bruno))) == {ana["token"]: 1}
    after = rows(connection, "select m, t from messages m join turns t using (customer_phone) where message_id = 'm2'")
    assert after == before


@pytest.mark.parametrize("newest_first", [True, False])
def test_both_runs_of_a_turn_in_one_call_are_told_apart(connection: Connection, newest_first: bool) -> None:
    """The run that lost the turn is not taken for the one that holds it."""
    turn = accept_one(connection)
    expire_leases(connection, ANA)
    (again,) = swept(connection)
    runs = [again, turn] if newest_first else [turn, again]
    assert queries.begin_attempts(connection, run_of(*runs)) == {again["token"]: 1}


def test_a_released_turn_is_overdue_at_once(connection: Connection) -> None:
    """With the kind of error on the messages that failed, kept for good, and a fresh run by the next sweep."""
    (turn,) = accept(connection, inbound("m1"), inbound("m2"))
    queries.release_turns(connection, [failure(turn, 0)])
    errors = rows(connection, "select message_id, last_error from messages order by id")
    assert errors == [{"message_id": "m1", "last_error": "Boom"}, {"message_id": "m2", "last_error": None}]
    (again,) = swept(connection)
    commit(connection, commit_row(again))
    done = row(connection, "select message_id, last_error from messages where state = 'answered'")
    assert done == {"message_id": "m1", "last_error": "Boom"}


def test_a_lost_turn_releases_nothing(connection: Connection) -> None:
    """Whoever holds it now goes on undisturbed; beside it, a turn that is held is released."""
    ana, bruno = accept(connection, inbound("m1", ANA), inbound("m2", BRUNO))
    queries.release_turns(connection, [failure(other_token(ana), 0), failure(bruno, 0)])
    assert [turn["customer_phone"] for turn in swept(connection)] == [BRUNO]
    assert row(connection, "select last_error from messages where message_id = 'm1'") == {"last_error": None}


def test_a_failure_names_only_messages_of_its_customer(connection: Connection) -> None:
    """An id of another customer's message is passed over."""
    ana, bruno = accept(connection, inbound("m1", ANA), inbound("m2", BRUNO))
    wrong = failure(ana, 0) | {"message_ids": [bruno["messages"][0]["id"]]}
    queries.release_turns(connection, [wrong, failure(bruno)])
    assert rows(connection, "select distinct last_error from messages") == [{"last_error": None}]


def test_leases_are_lengthened_for_whoever_holds_them(connection: Connection) -> None:
    """The answer names the tokens that count; those of others stay as they are."""
    ana, bruno = accept(connection, inbound("m1", ANA), inbound("m2", BRUNO))
    lost = other_token(bruno)
    holders = [(turn["customer_phone"], turn["token"]) for turn in (lost, ana)]
    assert queries.extend_leases(connection, holders, 45) == {ana["token"]}
    left_s = queries.lease_left(connection, holders)
    assert set(left_s) == {ana["token"]}
    assert 40 < left_s[ana["token"]] <= 45
    bruno_left_s = lease_left_s(connection, bruno)
    assert bruno_left_s is not None
    assert bruno_left_s <= 15


def test_an_ended_lease_has_less_than_nothing_left(connection: Connection) -> None:
    """It is still held until the sweep comes, and may be lengthened again."""
    turn = accept_one(connection)
    expire_leases(connection, ANA, ago_s=5)
    left_s = lease_left_s(connection, turn)
    assert left_s is not None
    assert -10 < left_s <= -5
    assert queries.extend_leases(connection, [(ANA, turn["token"])], 15) == {turn["token"]}
    assert swept(connection) == []


def test_no_turns_are_no_work(connection: Connection) -> None:
    """Each function takes an empty list."""
    accept_one(connection)
    before = snapshot(connection)
    assert queries.extend_leases(connection, [], 15) == set()
    assert queries.lease_left(connection, []) == {}
    assert queries.begin_attempts(connection, run_of()) == {}
    queries.release_turns(connection, [])
    assert snapshot(connection) == before
