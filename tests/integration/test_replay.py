"""Dead letters tried again or closed by hand: in their place, once, and never against a turn under way."""

from __future__ import annotations

from typing import Any

from helpers.factories import (
    ANA,
    BRUNO,
    accept,
    accept_one,
    answer,
    commit,
    commit_row,
    expire_leases,
    inbound,
    metrics_row,
    row,
    rows,
    wamids,
)
from helpers.locking import behind
from sqlalchemy import Connection, Engine, text

from db import dead_letters, queries

Json = dict[str, Any]


def bury(connection: Connection, message_id: str, phone: str = ANA) -> int:
    """Lets a message of a free customer become a dead letter with an apology; its number."""
    turn = accept_one(connection, message_id, phone)
    connection.execute(text("update messages set attempts = 5, last_error = 'Boom' where state = 'accepted'"))
    commit(connection, commit_row(turn, state="dead", error="given up after 5 attempts", session=None))
    return int(turn["messages"][0]["id"])


def sweep(connection: Connection) -> list[Json]:
    """The turns that a sweep claims now."""
    return queries.sweep_turns(connection, lease_s=15, limit=10)[0]


def test_a_dead_letter_has_a_reason_and_its_last_error(connection: Connection) -> None:
    """Why it was given up does not hide what went wrong."""
    bury(connection, "m1")
    (letter,) = dead_letters.find_all(connection)
    assert (letter["reason"], letter["last_error"], letter["attempts"]) == ("given up after 5 attempts", "Boom", 5)
    assert letter["customer_phone"] == ANA
    assert letter["died_at"] is not None


def test_a_replayed_letter_is_a_new_message_for_the_sweep(connection: Connection) -> None:
    """Nothing of the first life is left but what was written; the sweep finds it at once, alone and with no attempt."""
    letter = bury(connection, "m1")
    connection.execute(text("update messages set accepted_at = now() - interval '1 day'"))
    assert dead_letters.replay(connection, [letter]) == 1
    message = row(connection, "select *, accepted_at > now() - interval '1 minute' as fresh from messages")
    cleared = ("last_error", "reason", "reply_id", "reply", "outcome", "answered_at", "published_at")
    assert {name: message[name] for name in cleared} == dict.fromkeys(cleared)
    assert (message["state"], message["attempts"], message["fresh"]) == ("accepted", 0, True)
    (turn,) = sweep(connection)
    assert (wamids(turn), turn["swept"], turn["messages"][0]["text"]) == (["m1"], True, "hola")
    assert len(commit(connection, commit_row(turn))["committed"]) == 1
    assert dead_letters.find_all(connection) == []


def test_a_replayed_letter_comes_after_what_waits(connection: Connection) -> None:
    """A turn under way is not disturbed; the commit that ends it claims what waited, and the letter last."""
    letter = bury(connection, "m1")
    turn = accept_one(connection, "m2")
    accept(connection, inbound("m3"))
    dead_letters.replay(connection, [letter])
    accept(connection, inbound("m4"))
    assert sweep(connection) == []
    result = commit(connection, commit_row(turn))
    assert len(result["committed"]) == 1
    assert [wamids(turn) for turn in result["next"]] == [["m3", "m1", "m4"]]


def test_letters_of_a_customer_keep_their_order(connection: Connection) -> None:
    """However they are given; those of others go their own way."""
    first, other, second = bury(connection, "m1"), bury(connection, "m2", BRUNO), bury(connection, "m3")
    assert dead_letters.replay(connection, [second, other, first]) == 3
    turns = {turn["customer_phone"]: turn for turn in sweep(connection)}
    assert {phone: wamids(turn) for phone, turn in turns.items()} == {ANA: ["m1"], BRUNO: ["m2"]}
    assert [wamids(turn) for turn in commit(connection, commit_row(turns[ANA]))["next"]] == [["m3"]]


def test_a_second_replay_changes_nothing(connection: Connection) -> None:
    """Nor does a replay of what is no dead letter."""
    letter = bury(connection, "m1")
    answer(connection, "m2")
    answered = row(connection, "select id from messages where message_id = 'm2'")["id"]
    assert dead_letters.replay(connection, [letter]) == 1
    before = rows(connection, "select * from messages order by id")
    new = row(connection, "select id from messages where message_id = 'm1'")["id"]
    assert dead_letters.replay(connection, [letter, new, answered, 10**12]) == 0
    assert rows(connection, "select * from messages order by id") == before


def test_a_replayed_letter_dies_again_after_five_attempts(connection: Connection) -> None:
    """The count starts anew."""
    letter = bury(connection, "m1")
    dead_letters.replay(connection, [letter])
    attempts = []
    for _ in range(5):
        (turn,) = sweep(connection)
        begun = {"customer_phone": ANA, "token": turn["token"], "message_id": turn["messages"][0]["id"]}
        attempts += queries.begin_attempts(connection, {"lease_s": 15, "turns": [begun]}).values()
        expire_leases(connection, ANA)
    assert attempts == [1, 2, 3, 4, 5]


def test_the_old_apology_does_not_pass_for_the_new_reply(connection: Connection) -> None:
    """The new reply counts as published only once its own id is recorded."""
    letter = bury(connection, "m1")
    apology = row(connection, "select reply_id::text as id from messages")["id"]
    queries.record_metrics(connection, [metrics_row(apology, source="canned")])
    dead_letters.replay(connection, [letter])
    (turn,) = sweep(connection)
    (published,) = commit(connection, commit_row(turn))["replies"]
    assert published["reply_id"] == turn["token"]
    queries.record_metrics(connection, [metrics_row(apology, source="canned")])
    assert [reply["reply_id"] for reply in queries.unpublished_replies(connection, older_than_s=0)] == [turn["token"]]


def test_a_delivery_after_a_replay_is_still_a_duplicate(connection: Connection) -> None:
    """The id of the message stays."""
    dead_letters.replay(connection, [bury(connection, "m1")])
    assert accept(connection, inbound("m1")) == []
    assert row(connection, "select count(*) from messages") == {"count": 1}


def test_a_turn_that_ends_beside_a_replay_goes_on_with_the_letter(engine: Engine, connection: Connection) -> None:
    """Its commit waits for the replay: else neither would start the letter, and it would wait for ever."""
    letter = bury(connection, "m1")
    ending = commit_row(accept_one(connection, "m2"))
    result = behind(engine, lambda c: dead_letters.replay(c, [letter]), lambda c: commit(c, ending))
    assert [wamids(turn) for turn in result["next"]] == [["m1"]]


def test_a_replay_beside_the_end_of_a_turn_makes_one_of_its_own(engine: Engine, connection: Connection) -> None:
    """It waits for the commit, which has not seen the letter."""
    letter = bury(connection, "m1")
    ending = commit_row(accept_one(connection, "m2"))
    replayed = behind(engine, lambda c: commit(c, ending), lambda c: {"n": dead_letters.replay(c, [letter])})
    assert replayed == {"n": 1}
    assert [wamids(turn) for turn in sweep(connection)] == [["m1"]]


def test_a_discarded_letter_is_closed(connection: Connection) -> None:
    """With a note; it can be neither replayed nor discarded again, and its apology is published all the same."""
    letter = bury(connection, "m1")
    assert dead_letters.discard(connection, letter)
    assert dead_letters.find_all(connection) == []
    message = row(connection, "select state, reason, last_error from messages")
    assert message == {"state": "closed", "reason": "given up after 5 attempts; discarded", "last_error": "Boom"}
    assert not dead_letters.discard(connection, letter)
    assert dead_letters.replay(connection, [letter]) == 0
    assert len(queries.unpublished_replies(connection, older_than_s=0)) == 1


def test_a_message_is_found_by_its_number_and_by_its_id(connection: Connection) -> None:
    """WhatsApp's id comes first, should somebody's ids be numbers too."""
    letter = bury(connection, "m1")
    other = bury(connection, str(letter), BRUNO)
    for reference, number in (("m1", letter), (str(letter), other), (str(other), other)):
        found = dead_letters.find_message(connection, reference)
        assert found is not None
        assert found["id"] == number
    for unknown in ("m", "999999", "9" * 40, "-1", "²", ""):
        assert dead_letters.find_message(connection, unknown) is None
