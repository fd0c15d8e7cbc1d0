"""One person is one customer, by whatever id WhatsApp names them: links, and two customers who become one."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from helpers.factories import (
    ANA,
    BRUNO,
    NOTHING,
    Json,
    accept,
    accept_one,
    answer,
    batch_of,
    commit,
    commit_row,
    expire_sessions,
    inbound,
    order_of,
    row,
    rows,
    session_row,
    snapshot,
    wamids,
)
from helpers.locking import behind
from sqlalchemy import Connection, Engine, text

from db import queries, retry
from db.customers import erase_customer, forget_ids, linked_ids

USER, OTHER_USER = "AR.1A2B3C4D", "AR.9Z9Z9Z"
NEW = "5491100000009"
MILK: Json = {"id": 1, "sku": "A", "name": "Leche", "price": "100.00", "quantity": "2", "currency": "ARS", "unit": "u"}
BREAD: Json = MILK | {"id": 2, "sku": "B", "name": "Pan"}


def linked(message_id: str, phone: str = ANA, user: str = USER, **changes: Any) -> Json:
    """A message whose body names a phone and a business-scoped id."""
    return inbound(message_id, phone, links=[{"alias": user, "customer_phone": phone}], **changes)


def moved(message_id: str, before: str = ANA, now: str = NEW) -> Json:
    """A notice that an id of a customer's has changed."""
    links = [{"alias": before, "customer_phone": now, "former": True}]
    return inbound(message_id, before, type="system", text=None, reply_due=False, links=links)


def left(connection: Connection) -> list[str]:
    """Customers of whom there is anything, in any table but that of the ids."""
    tables = ("messages", "customers", "customer_sessions", "orders", "order_events", "kept_carts", "turns")
    union = " union ".join(f"select customer_phone from {table}" for table in tables)
    return [one["customer_phone"] for one in rows(connection, f"{union} order by 1")]


def ids(connection: Connection) -> dict[str, tuple[str, bool]]:
    """Whom each other id means, and whether it is still theirs."""
    found = rows(connection, "select alias, customer_phone, until is null as theirs from customer_ids")
    return {one["alias"]: (one["customer_phone"], one["theirs"]) for one in found}


def talk(connection: Connection, phone: str, cart: list[Json], message_id: str, **context: Any) -> Json:
    """A conversation of one answered message that has put something into the cart."""
    session = session_row(phone, cart_data=cart, context_data={"history": [{"customer": message_id}], **context})
    return answer(connection, message_id, phone, session=session)


def session(connection: Connection) -> Json:
    """The only session."""
    return row(connection, "select customer_phone, cart_data, context_data, version from customer_sessions")


def test_a_business_scoped_id_alone_is_the_phones_customer(connection: Connection) -> None:
    """The session is there, and the message says by which id it came."""
    (turn,) = accept(connection, linked("m1"))
    commit(connection, commit_row(turn, session=session_row(cart_data=[MILK])))
    (turn,) = accept(connection, inbound("m2", USER))
    assert (turn["customer_phone"], turn["session_version"]) == (ANA, session(connection)["version"])
    assert [message.get("sender") for message in turn["messages"]] == [USER]
    assert (left(connection), ids(connection)) == ([ANA], {USER: (ANA, True)})


def test_a_phone_beside_the_id_says_nothing_of_a_sender(connection: Connection) -> None:
    """A turn is what it always was."""
    (turn,) = accept(connection, linked("m1"))
    assert "sender" not in turn["messages"][0]
    assert not rows(connection, "select from messages where content ? 'from'")


def test_all_of_a_batch_know_what_one_of_it_tells(connection: Connection) -> None:
    """In the order of acceptance, also what came before it."""
    (turn,) = accept(connection, inbound("m1", USER), linked("m2"), inbound("m3", USER))
    assert (turn["customer_phone"], wamids(turn)) == (ANA, ["m1", "m2", "m3"])
    assert left(connection) == [ANA]


def test_a_known_link_locks_and_writes_nothing(connection: Connection) -> None:
    """Every body of a customer names both ids: the second one finds all of it known."""
    accept(connection, linked("m1"))
    before = rows(connection, "select xmin::text, alias from customer_ids")
    accept(connection, linked("m2"))
    assert rows(connection, "select xmin::text, alias from customer_ids") == before


def test_a_customer_of_the_id_becomes_the_phones(connection: Connection) -> None:
    """Conversation, cart, name, orders and what is unanswered go over."""
    accept(connection, inbound("m0", USER, name="Ana", reply_due=False))
    talk(connection, USER, [MILK], "m1")
    answer(connection, "m2", USER, orders=[order_of()], session=None)
    accept_one(connection, "m3", USER)
    version = session(connection)["version"]
    (turn,) = accept(connection, linked("m4"))
    assert wamids(turn) == ["m3", "m4"]
    assert (turn["customer_phone"], turn["customer_name"]) == (ANA, "Ana")
    assert [message.get("sender") for message in turn["messages"]] == [USER, None]
    assert session(connection)["cart_data"] == [MILK]
    assert turn["session_version"] == session(connection)["version"] != version
    assert left(connection) == [ANA]


def test_the_newer_of_two_carts_goes_on(connection: Connection) -> None:
    """The other one is kept beside it, to be offered; the history is of both, in order."""
    talk(connection, USER, [MILK], "m1")
    talk(connection, ANA, [BREAD], "m2", asking="confirm")
    accept(connection, linked("m3"))
    kept = session(connection)
    assert (kept["customer_phone"], kept["cart_data"]) == (ANA, [BREAD])
    context = kept["context_data"]
    assert (context["kept"], context["joined"], context["asking"]) == ([MILK], True, "confirm")
    assert [exchange["customer"] for exchange in context["history"]] == ["m1", "m2"]
    ended = row(connection, "select data ->> 'reason' as reason from events where kind = 'session_end'")
    assert ended == {"reason": "joined"}


def test_the_newer_cart_may_be_that_of_the_one_who_is_gone(connection: Connection) -> None:
    """Then it is the phone's from now on."""
    talk(connection, ANA, [BREAD], "m1")
    talk(connection, USER, [MILK], "m2")
    accept(connection, linked("m3"))
    kept = session(connection)
    assert (kept["customer_phone"], kept["cart_data"]) == (ANA, [MILK])
    assert kept["context_data"]["kept"] == [BREAD]


def test_a_cart_is_worth_more_than_an_empty_one(connection: Connection) -> None:
    """However new the empty one is; nothing is offered then."""
    talk(connection, USER, [MILK], "m1")
    talk(connection, ANA, [], "m2")
    accept(connection, linked("m3"))
    kept = session(connection)
    assert (kept["customer_phone"], kept["cart_data"]) == (ANA, [MILK])
    assert "kept" not in kept["context_data"]


def test_a_cart_that_was_left_is_offered(connection: Connection) -> None:
    """The other conversation has ended within the day, cleaned up or not."""
    for cleaned in (False, True):
        user, phone = f"AR.{cleaned}", f"549110000001{int(cleaned)}"
        talk(connection, user, [MILK], f"m1{cleaned}")
        expire_sessions(connection, user)
        if cleaned:
            queries.cleanup_expired_sessions(connection)
        talk(connection, phone, [BREAD], f"m2{cleaned}")
        accept(connection, linked(f"m3{cleaned}", phone, user))
        found = row(connection, "select * from customer_sessions where customer_phone = :phone", phone=phone)
        assert (found["cart_data"], found["context_data"]["kept"]) == ([BREAD], [MILK])


def test_a_cart_that_was_left_waits_for_the_next_conversation(connection: Connection) -> None:
    """Where the phone has none."""
    talk(connection, USER, [MILK], "m1")
    expire_sessions(connection, USER)
    queries.cleanup_expired_sessions(connection)
    accept(connection, linked("m2"))
    assert queries.left_carts(connection, [ANA]) == [{"customer_phone": ANA, "cart_data": [MILK]}]


def test_a_wait_for_a_person_goes_on(connection: Connection) -> None:
    """Also where the other conversation is the one that lasts."""
    wait = {"human_until": "2099-01-01T00:00:00Z", "human_since": "2026-01-01T00:00:00Z", "human_reason": "asked"}
    talk(connection, USER, [], "m1", **wait, human_told=True)
    talk(connection, ANA, [BREAD], "m2")
    accept(connection, linked("m3"))
    context = session(connection)["context_data"]
    assert {name: context[name] for name in wait} == wait


def test_turns_of_both_lose_their_tokens(connection: Connection) -> None:
    """Neither has seen all; what both had is answered together, in order."""
    begun = accept(connection, inbound("m1", USER)) + accept(connection, inbound("m2", ANA))
    accept(connection, inbound("m3", USER))
    (turn,) = accept(connection, linked("m4"))
    assert wamids(turn) == ["m1", "m2", "m3", "m4"]
    assert commit(connection, *map(commit_row, begun)) == NOTHING
    assert len(commit(connection, commit_row(turn))["committed"]) == 1
    assert left(connection) == [ANA]


def test_a_changed_number_is_the_customer_from_now_on(connection: Connection) -> None:
    """Cart, orders and what waits are the new number's; nobody is answered where he is no longer."""
    talk(connection, ANA, [MILK], "m1")
    accept_one(connection, "m2", ANA)
    (turn,) = accept(connection, moved("m3"))
    assert (turn["customer_phone"], wamids(turn)) == (NEW, ["m2"])
    assert "sender" not in turn["messages"][0]
    (first,) = rows(connection, "select reply from messages where message_id = 'm1'")
    assert first["reply"]["to"] == NEW
    assert (left(connection), session(connection)["cart_data"]) == ([NEW], [MILK])
    commit(connection, commit_row(turn, session=None))
    (late,) = accept(connection, inbound("m4", ANA))
    assert (late["customer_phone"], late["messages"][0].get("sender")) == (NEW, None)


def test_the_id_follows_a_changed_number(connection: Connection) -> None:
    """Links are never chains."""
    accept(connection, linked("m1"), moved("m2"), moved("m3", NEW, BRUNO))
    assert ids(connection) == {USER: (BRUNO, True), ANA: (BRUNO, False), NEW: (BRUNO, False)}
    accept(connection, inbound("m4", USER))
    assert left(connection) == [BRUNO]


def test_a_number_is_changed_back(connection: Connection) -> None:
    """The first one is the customer again; the notice of before changes nothing when it comes again."""
    talk(connection, ANA, [MILK], "m1")
    accept(connection, moved("m2"))
    accept(connection, moved("m3", NEW, ANA))
    accept(connection, moved("m2"))
    assert (left(connection), ids(connection)) == ([ANA], {NEW: (ANA, False)})
    assert session(connection)["cart_data"] == [MILK]


def test_a_number_that_was_given_up_is_somebody_elses_later(connection: Connection) -> None:
    """After a month it means nobody, and whoever writes from it is a stranger."""
    talk(connection, ANA, [MILK], "m1")
    accept(connection, moved("m2"))
    connection.execute(text("update customer_ids set until = now()"))
    (turn,) = accept(connection, inbound("m3", ANA))
    assert (turn["customer_phone"], turn["session_version"]) == (ANA, None)
    assert linked_ids(connection, NEW) == [NEW]
    while queries.apply_retention(connection, 30):
        pass
    assert ids(connection) == {}


def test_a_number_changed_without_a_notice(connection: Connection) -> None:
    """The same business-scoped id comes beside another phone."""
    talk(connection, ANA, [MILK], "m1")
    accept(connection, linked("m2"))
    accept(connection, linked("m3", NEW))
    assert (left(connection), ids(connection)) == ([NEW], {USER: (NEW, True), ANA: (NEW, False)})


def test_a_changed_id(connection: Connection) -> None:
    """The phone stays the customer; a message that came from the id of before is answered to the phone."""
    accept(connection, linked("m1"), inbound("m2", USER))
    accept(connection, moved("m3", USER, OTHER_USER))
    assert ids(connection) == {USER: (ANA, False), OTHER_USER: (ANA, True)}
    assert not rows(connection, "select from messages where content ? 'from' and state = 'accepted'")


def test_a_changed_id_without_a_phone(connection: Connection) -> None:
    """The new one is the customer until a phone is named."""
    talk(connection, USER, [MILK], "m1")
    accept(connection, moved("m2", USER, OTHER_USER))
    assert (left(connection), ids(connection)) == ([OTHER_USER], {USER: (OTHER_USER, False)})
    accept(connection, linked("m3", ANA, OTHER_USER))
    assert (left(connection), ids(connection)) == ([ANA], {USER: (ANA, False), OTHER_USER: (ANA, True)})
    assert session(connection)["cart_data"] == [MILK]


def test_duplicates_change_nothing(connection: Connection) -> None:
    """Neither a link that is known, nor one of a message that was erased since."""
    sent = [inbound("m1", USER), linked("m2"), inbound("m3", USER), moved("m4")]
    accept(connection, *sent)
    before = snapshot(connection)
    assert accept(connection, *sent) == []
    assert snapshot(connection) == before
    for phone in linked_ids(connection, USER):
        erase_customer(connection, phone)
    forget_ids(connection, [USER, ANA, NEW])
    assert accept(connection, *sent) == []
    assert (left(connection), ids(connection)) == (["erased"], {})


def test_what_was_joined_is_told(connection: Connection) -> None:
    """So that caches and limits can follow."""
    accept(connection, inbound("m1", USER))
    accepted = queries.accept_messages(connection, batch_of(linked("m2")))
    assert accepted["joined"] == [{"gone": USER, "kept": ANA}]
    assert "joined" not in queries.accept_messages(connection, batch_of(linked("m3")))


def test_acts_are_done_to_the_customer(connection: Connection) -> None:
    """A revocation that comes from the other id."""
    accept(connection, linked("m1", text="secreto"))
    accept(connection, inbound("m2", USER, type="revoke", act="revoke", target="m1", reply_due=False))
    assert row(connection, "select state, reason from messages where message_id = 'm1'")["reason"] == "revoked"


@pytest.mark.parametrize("first", ["link", "message"])
def test_a_message_from_the_id_beside_the_link(engine: Engine, connection: Connection, first: str) -> None:
    """Whichever commits first, it is the phone's customer in the end, with nothing left of the other."""
    accept(connection, inbound("m0", USER, reply_due=False))
    calls = [
        lambda other: queries.accept_messages(other, batch_of(linked("m1"))),
        lambda other: queries.accept_messages(other, batch_of(inbound("m2", USER))),
    ]
    behind(engine, *(calls if first == "link" else reversed(calls)))
    assert left(connection) == [ANA]
    assert row(connection, "select count(*) from messages where customer_phone = :phone", phone=ANA) == {"count": 3}


@pytest.mark.parametrize("joins_first", [True, False])
def test_a_commit_beside_the_join(engine: Engine, connection: Connection, joins_first: bool) -> None:
    """Either the turn is answered and its cart goes over, or it is lost and begun anew."""
    turn = accept_one(connection, "m1", USER)
    done = commit_row(turn, session=session_row(USER, cart_data=[MILK]))
    calls = [
        lambda other: queries.accept_messages(other, batch_of(linked("m2"))),
        lambda other: commit(other, done),
    ]
    told = behind(engine, *(calls if joins_first else reversed(calls)))
    assert left(connection) == [ANA]
    states = {one["message_id"]: one["state"] for one in rows(connection, "select message_id, state from messages")}
    if joins_first:
        assert told == NOTHING
        assert states == {"m1": "accepted", "m2": "accepted"}
    else:
        assert states == {"m1": "answered", "m2": "accepted"}
        assert session(connection)["cart_data"] == [MILK]


def test_who_is_locked_is_told_by_the_id_that_was_asked_for(engine: Engine, connection: Connection) -> None:
    """Intake holds messages back by the id that they name."""
    accept(connection, linked("m1"))
    with engine.connect().execution_options(isolation_level="READ COMMITTED") as other, other.begin():
        other.execute(text("select from turns where customer_phone = :phone for update"), {"phone": ANA})
        assert queries.locked_for_acceptance(connection, [USER, BRUNO]) == {USER}


def test_many_at_once(engine: Engine, connection: Connection) -> None:
    """Whoever writes by whatever id while links come in: one customer in the end, every message once, nothing stuck."""
    phones = [ANA, BRUNO]
    users = {ANA: USER, BRUNO: OTHER_USER}
    start = Barrier(4)

    def write(worker: int) -> None:
        with engine.connect() as own:
            start.wait()
            for number in range(8):
                name = f"{worker}-{number}"
                some = [linked(f"{name}-{phone}", phone, users[phone]) for phone in phones]
                some += [inbound(f"{name}-{user}", user) for user in users.values()]
                batch = batch_of(*(some if worker % 2 else reversed(some)))
                turns = retry.again_on_conflict(lambda batch=batch: queries.accept_messages(own, batch))["turns"]
                retry.again_on_conflict(lambda turns=turns: commit(own, *map(commit_row, turns)))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(4)))
    assert left(connection) == phones
    assert row(connection, "select count(*) from messages") == {"count": 4 * 8 * 4}
    assert ids(connection) == {users[phone]: (phone, True) for phone in phones}
