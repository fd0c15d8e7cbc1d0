"""`accept_messages`: every message once, in order, and a turn for whoever is free."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from helpers.basics import GUARD_S
from helpers.factories import (
    ANA,
    BRUNO,
    CARLA,
    SENT_AT_S,
    Json,
    accept,
    accept_one,
    answer,
    batch_of,
    commit,
    commit_row,
    expire_sessions,
    inbound,
    row,
    rows,
    wamids,
)
from sqlalchemy import Connection, Engine, text

from db import queries, retry


def test_a_new_message_is_kept_and_begins_a_turn(connection: Connection) -> None:
    """The row, the turn as the chain gets it, and a lease of the length asked for."""
    message = inbound("wamid.1", name="Ana", type="button", text="Sí", selection_id="yes")
    result = queries.accept_messages(connection, batch_of(message))
    kept = row(connection, "select id, content, state, customer_phone, attempts, reply_id from messages")
    token = row(connection, "select token::text from turns")["token"]
    (left_s,) = queries.lease_left(connection, [(ANA, token)]).values()

    content = {"type": "button", "text": "Sí", "selection_id": "yes"}
    turn_message = {"id": kept["id"], "message_id": "wamid.1", "sent_at_s": SENT_AT_S, "attempts": 0} | content
    catalog_version = row(connection, "select version from catalog_version")["version"]
    turn = {"token": token, "customer_phone": ANA, "customer_name": "Ana", "swept": False, "session_version": None}
    assert result == {
        "accepted": 1,
        "turns": [turn | {"catalog_version": catalog_version, "messages": [turn_message]}],
    }
    assert kept == {
        "id": kept["id"],
        "content": content,
        "state": "accepted",
        "customer_phone": ANA,
        "attempts": 0,
        "reply_id": None,
    }
    assert 10 < left_s <= 15


def test_an_empty_batch_does_nothing(connection: Connection) -> None:
    """No message, no turn, no row."""
    assert queries.accept_messages(connection, batch_of()) == {"accepted": 0, "turns": []}
    assert rows(connection, "select from turns") == []


def test_a_duplicate_in_the_same_batch_changes_nothing(connection: Connection) -> None:
    """The first of the two is the one that counts."""
    result = queries.accept_messages(connection, batch_of(inbound("m1", text="uno"), inbound("m1", text="dos")))
    assert result["accepted"] == 1
    assert [m["text"] for turn in result["turns"] for m in turn["messages"]] == ["uno"]


def test_a_duplicate_during_its_turn_changes_nothing(connection: Connection) -> None:
    """Neither the message nor the turn under way."""
    accept_one(connection, "m1")
    before = rows(connection, "select m, t from messages m join turns t using (customer_phone)")
    assert queries.accept_messages(connection, batch_of(inbound("m1", text="otra"))) == {"accepted": 0, "turns": []}
    assert rows(connection, "select m, t from messages m join turns t using (customer_phone)") == before


def test_a_duplicate_of_an_answered_message_begins_no_turn(connection: Connection) -> None:
    """What was answered stays answered, also beside a new message."""
    answer(connection, "m1")
    assert queries.accept_messages(connection, batch_of(inbound("m1"))) == {"accepted": 0, "turns": []}
    (turn,) = accept(connection, inbound("m1"), inbound("m2"))
    assert wamids(turn) == ["m2"]
    assert row(connection, "select state from messages where message_id = 'm1'") == {"state": "answered"}


def test_a_message_that_needs_no_reply_is_closed(connection: Connection) -> None:
    """A reaction is kept, begins no turn and stands in none."""
    assert accept(connection, inbound("r1", type="reaction", text=None, reply_due=False)) == []
    (turn,) = accept(connection, inbound("r2", reply_due=False), inbound("m1"))
    assert wamids(turn) == ["m1"]
    closed = rows(connection, "select message_id from messages where state = 'closed' order by id")
    assert [message["message_id"] for message in closed] == ["r1", "r2"]


def test_a_cart_of_the_catalogue_stays_a_list_of_items(connection: Connection) -> None:
    """In the message, and in the turn that it begins; a message without one has none."""
    order = {"items": [{"sku": "A-1", "quantity": 2}], "note": "sin bolsa"}
    cart = inbound("wamid.1", type="order", text="Pedido: 2 x A-1. sin bolsa", order=order)
    other = inbound("wamid.2", order=None)
    (turn,) = accept(connection, cart, other)
    assert [message.get("order") for message in turn["messages"]] == [order, None]
    kept = rows(connection, "select content -> 'order' as held, content ? 'order' as has from messages order by id")
    assert kept == [{"held": order, "has": True}, {"held": None, "has": False}]


def test_order_is_the_order_of_acceptance(connection: Connection) -> None:
    """Ids grow in the order of the batch, whatever the ids, customers and clocks of the messages say."""
    chance = random.Random(7)
    names = [f"m{number}" for number in range(60)]
    chance.shuffle(names)
    messages = [
        inbound(name, chance.choice((CARLA, ANA, BRUNO)), sent_at_s=SENT_AT_S - place)
        for place, name in enumerate(names)
    ]
    turns = accept(connection, *messages)
    assert [r["message_id"] for r in rows(connection, "select message_id from messages order by id")] == names
    for turn in turns:
        theirs = [m["message_id"] for m in messages if m["customer_phone"] == turn["customer_phone"]]
        assert wamids(turn) == theirs[:10]


def test_a_turn_has_at_most_ten_messages(connection: Connection) -> None:
    """The others wait for the turn after it."""
    (turn,) = accept(connection, *(inbound(f"m{number}") for number in range(12)))
    assert wamids(turn) == [f"m{number}" for number in range(10)]


@pytest.mark.parametrize(
    ("texts", "taken"),
    [
        (["a" * 2_000, "b" * 2_096, "c"], 2),
        (["a" * 2_000, "b" * 2_097], 1),
        (["a", "b" * 4_096, "c"], 1),
        (["a" * 5_000, "b"], 1),
        (["ñ" * 2_048, "ñ" * 2_048, "a"], 2),
        (["a" * 4_096, None, "", "b"], 3),
    ],
)
def test_a_turn_has_at_most_4096_characters(connection: Connection, texts: list[str | None], taken: int) -> None:
    """Characters, not bytes; only a first message may be longer, and nothing later slips in past one that waits."""
    (turn,) = accept(connection, *(inbound(f"m{place}", text=words) for place, words in enumerate(texts)))
    assert wamids(turn) == [f"m{place}" for place in range(taken)]


def test_a_busy_customer_gets_no_second_turn(connection: Connection) -> None:
    """What arrives during a turn waits; another customer of the same batch does not."""
    accept_one(connection, "m1")
    held = rows(connection, "select * from turns")
    (turn,) = accept(connection, inbound("m2"), inbound("b1", BRUNO))
    assert turn["customer_phone"] == BRUNO
    assert rows(connection, "select * from turns where customer_phone = :phone", phone=ANA) == held


def test_the_last_name_known_stays(connection: Connection) -> None:
    """A later name replaces, a missing one does not, and within a batch the last one given counts."""

    def name_after(*names: str | None) -> str | None:
        start = row(connection, "select count(*) n from messages")["n"]
        accept(connection, *(inbound(f"m{start + place}", name=name) for place, name in enumerate(names)))
        found: str | None = row(connection, "select name from customers")["name"]
        return found

    assert name_after(None) is None
    assert name_after("Ana", "Ana María", None) == "Ana María"
    assert name_after(None) == "Ana María"
    assert name_after("Anita") == "Anita"


def test_last_seen_moves_when_it_is_an_hour_old(connection: Connection) -> None:
    """To the hour is enough, so that a burst does not rewrite the row for each message."""
    accept(connection, inbound("m1", name="Ana"))
    for age, moves in (("59 minutes", False), ("61 minutes", True)):
        connection.execute(text(f"update customers set last_seen_at = now() - interval '{age}'"))
        accept(connection, inbound(f"after {age}"))
        seen = row(connection, "select last_seen_at > now() - interval '1 minute' as moved, name from customers")
        assert seen == {"moved": moves, "name": "Ana"}


def test_an_unknown_time_of_sending_is_now(connection: Connection) -> None:
    """The reply's window needs some time, and the time of acceptance is the nearest."""
    (turn,) = accept(connection, inbound("m1", sent_at_s=None), inbound("m2"))
    unknown, known = (message["sent_at_s"] for message in turn["messages"])
    assert abs(unknown - time.time()) < 10
    assert known == SENT_AT_S


def test_only_a_live_session_has_a_version(connection: Connection) -> None:
    """An expired session is none, although its row is still there."""
    committed = commit(connection, commit_row(accept_one(connection, "m1")))["committed"]
    live = accept_one(connection, "m2")
    assert live["session_version"] == committed[0]["session_version"]
    commit(connection, commit_row(live))
    expire_sessions(connection, ANA)
    assert accept_one(connection, "m3")["session_version"] is None


def both(first: Callable[[], object], second: Callable[[], object]) -> None:
    """Runs both at once; raises what either raises."""
    with ThreadPoolExecutor(2) as pool:
        for future in [pool.submit(first), pool.submit(second)]:
            future.result(GUARD_S)


def test_two_intakes_with_the_same_messages_in_opposite_order(engine: Engine) -> None:
    """Twenty times: no error, every message once, one turn per customer."""
    for place in range(20):
        phones = [f"{place}{number:010}" for number in range(20)]
        messages = [inbound(f"{phone}-{part}", phone, name=part) for part in "ab" for phone in phones]
        claimed = accepted_twice(engine, messages)
        assert sorted(turn["customer_phone"] for turn in claimed) == phones
    with engine.connect() as connection:
        counted = row(connection, "select count(*) as kept, count(distinct customer_phone) as customers from messages")
        assert counted == {"kept": 20 * 40, "customers": 20 * 20}


def accepted_twice(engine: Engine, messages: list[Json]) -> list[Json]:
    """Takes the messages in their order and in the opposite order, both at once; all turns claimed."""
    claimed: list[Json] = []
    start = Barrier(2)

    def take(some: list[Json]) -> None:
        start.wait(GUARD_S)
        claimed.extend(retry.run(engine, lambda c: queries.accept_messages(c, batch_of(*some)))["turns"])

    both(lambda: take(messages), lambda: take(messages[::-1]))
    return claimed


def test_a_deadlock_is_run_again(engine: Engine) -> None:
    """Two transactions that lock each other out for certain: one is run a second time, and both end."""
    with engine.connect() as connection:
        accept(connection, inbound("a", ANA), inbound("b", BRUNO))
    locked = Barrier(2)
    attempts: list[str] = []

    def lock(first: str, second: str) -> Callable[[Connection], None]:
        def call(connection: Connection) -> None:
            attempts.append(first)
            with connection.execution_options(isolation_level="READ COMMITTED").begin():
                change = text("update turns set swept = not swept where customer_phone = :phone")
                connection.execute(change, {"phone": first})
                if len(attempts) <= 2:
                    locked.wait(GUARD_S)
                connection.execute(change, {"phone": second})

        return call

    both(lambda: retry.run(engine, lock(ANA, BRUNO)), lambda: retry.run(engine, lock(BRUNO, ANA)))
    assert len(attempts) == 3
