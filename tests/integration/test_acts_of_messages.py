"""Echoes, edits and revocations: what an accepted message does to others of its customer."""

from __future__ import annotations

from typing import Any

from helpers.factories import (
    ANA,
    BRUNO,
    Json,
    accept,
    answer,
    batch_of,
    commit,
    commit_row,
    expire_sessions,
    inbound,
    row,
    rows,
    session_row,
)
from sqlalchemy import Connection, text

from db import customers, queries
from worker.session.session import Context, session_from_row

OPTIONS = {"human_wait_s": 1_800.0, "session_ttl_s": 7_200}


def echo(message_id: str = "e1", words: str | None = "te la dejo a 2.000", phone: str = ANA, **changes: Any) -> Json:
    """What a person of the shop has written."""
    return inbound(message_id, phone, **{"type": "echo", "act": "echo", "text": words, "reply_due": False} | changes)


def edit(target: str, words: str, message_id: str = "d1", **changes: Any) -> Json:
    """The edit of a message."""
    said = {"text": f"Corrección: {words}", "edited": words, "target": target}
    return inbound(message_id, type="edit", act="edit", **said | changes)


def revoke(target: str, message_id: str = "r1", phone: str = ANA) -> Json:
    """The revocation of a message."""
    return inbound(message_id, phone, type="revoke", act="revoke", text=None, target=target, reply_due=False)


def take(connection: Connection, *messages: Json) -> Json:
    """Accepts messages; the whole answer."""
    return queries.accept_messages(connection, batch_of(*messages) | OPTIONS)


def context_of(connection: Connection, phone: str = ANA) -> Context:
    """Context of a customer's live session."""
    (session,) = queries.load_sessions(connection, [phone])
    return session_from_row(session).context


def said(connection: Connection, phone: str = ANA) -> list[tuple[str, str]]:
    """History of a customer."""
    return [(exchange.customer, exchange.reply) for exchange in context_of(connection, phone).history]


def states(connection: Connection) -> dict[str, tuple[str, str | None]]:
    """State and reason of each message."""
    return {m["message_id"]: (m["state"], m["reason"]) for m in rows(connection, "select * from messages order by id")}


def test_an_echo_takes_the_turn(connection: Connection) -> None:
    """What was under way commits nothing; it and what waited is closed, and stands in the history before the words."""
    (turn,) = accept(connection, inbound("m1", text="hola"))
    accept(connection, inbound("m2", text="hay leche?"))
    assert take(connection, echo())["turns"] == []
    assert commit(connection, commit_row(turn))["committed"] == []
    by_person = ("closed", "answered_by_person")
    assert states(connection) == {"m1": by_person, "m2": by_person, "e1": ("closed", None)}
    assert said(connection) == [("hola\nhay leche?", "te la dejo a 2.000")]
    assert row(connection, "select token from turns") == {"token": None}


def test_an_echo_begins_a_wait_for_a_person(connection: Connection) -> None:
    """Also for a customer who has no conversation; `chasqui people` lists it, and the next echo prolongs it."""
    take(connection, echo())
    first = context_of(connection)
    assert first.human_until
    assert first.human_since
    assert (first.human_until - first.human_since).total_seconds() == 1_800
    assert (first.human_reason, first.human_told, said(connection)) == (
        "person_wrote",
        True,
        [("", "te la dejo a 2.000")],
    )
    ((listed),) = customers.waiting(connection)
    assert (listed.customer_phone, listed.reason, listed.ended) == (ANA, "person_wrote", False)
    connection.execute(
        text("""
        update customer_sessions set context_data = context_data
            || '{"human_since": "2026-01-01T00:00:00Z"}' || jsonb_build_object('human_until', now() + interval '1 s')
    """)
    )
    take(connection, echo("e2", "¿dale?"))
    later = context_of(connection)
    assert (later.human_until or first.human_until) >= first.human_until
    assert later.human_since
    assert later.human_since.year == 2026
    assert later.human_since.month == 1
    assert said(connection)[1] == ("", "¿dale?")


def test_a_wait_that_was_over_begins_anew(connection: Connection) -> None:
    """Since now; and one that ended after a person wrote is nobody whom the shop forgot."""
    take(connection, echo())
    connection.execute(
        text("""
        update customer_sessions set context_data = context_data
            || '{"human_since": "2026-01-01T00:00:00Z", "human_until": "2026-01-01T01:00:00Z"}'
    """)
    )
    assert customers.waiting(connection) == ()
    take(connection, echo("e2"))
    later = context_of(connection)
    assert later.human_since
    assert later.human_until
    assert (later.human_until - later.human_since).total_seconds() == 1_800


def test_an_echo_that_comes_again_changes_nothing(connection: Connection) -> None:
    """In the same batch, or later."""
    take(connection, echo(), echo())
    before = rows(connection, "select version, context_data from customer_sessions")
    (turn,) = accept(connection, inbound("m1"))
    take(connection, echo())
    assert rows(connection, "select version, context_data from customer_sessions") == before
    assert len(commit(connection, commit_row(turn))["committed"]) == 1


def test_a_message_behind_the_echo_is_a_turn(connection: Connection) -> None:
    """It is decided with the session that waits; one before it is closed, all in one batch."""
    (turn,) = take(connection, inbound("m1", text="a"), echo(), inbound("m2", text="b"), inbound("b1", BRUNO))["turns"][
        :1
    ]
    assert [message["message_id"] for message in turn["messages"]] == ["m2"]
    assert turn["session_version"] == row(connection, "select version from customer_sessions")["version"]
    assert states(connection)["m1"] == ("closed", "answered_by_person")
    assert states(connection)["b1"] == ("accepted", None)


def test_the_conversation_stays(connection: Connection) -> None:
    """Cart and state; what we asked last is open no more, and the history keeps six exchanges."""
    context = {"history": [{"customer": str(n), "reply": "."} for n in range(6)], "asking": "confirm", "version": "v"}
    cart = [{"id": 7, "name": "Leche", "price": 1850.0, "quantity": 2, "currency": "ARS"}]
    answer(connection, "m1", session=session_row(cart_data=cart, session_state="checkout", context_data=context))
    before = row(connection, "select id, version from customer_sessions")
    take(connection, echo())
    after = row(connection, "select id, version, cart_data, session_state from customer_sessions")
    assert (after["id"], after["cart_data"], after["session_state"]) == (before["id"], cart, "checkout")
    assert after["version"] > before["version"]
    assert (context_of(connection).asking, context_of(connection).version) == ("", "v")
    assert [customer for customer, _ in said(connection)] == ["1", "2", "3", "4", "5", ""]


def test_a_conversation_that_had_ended(connection: Connection) -> None:
    """A new one begins, and keeps the cart of the old one, as it would for a message."""
    cart = [{"id": 7, "name": "Leche", "price": 1850.0, "quantity": 2, "currency": "ARS"}]
    answer(connection, "m1", session=session_row(cart_data=cart))
    old = row(connection, "select id from customer_sessions")
    expire_sessions(connection, ANA)
    take(connection, echo())
    new = row(connection, "select id, cart_data from customer_sessions")
    assert new["id"] != old["id"]
    assert new["cart_data"] == []
    assert [item.id for item in context_of(connection).kept] == [7]
    assert row(connection, "select count(*) from events where kind = 'session_end'") == {"count": 1}


def test_closed_messages_are_counted_by_reason(connection: Connection) -> None:
    """Those that an echo closes, and those that come too late."""
    connection.execute(text("delete from metric_totals"))
    accept(connection, inbound("m1"))
    late = inbound("m2", reply_due=False, reason="too_late")
    take(connection, inbound("m3"), echo(), late)
    found = rows(
        connection, "select labels ->> 'source' as source, value from metric_totals where labels ->> 'state' = 'closed'"
    )
    assert {each["source"]: each["value"] for each in found} == {"answered_by_person": 2, "closed": 1, "too_late": 1}


def test_an_edit_before_the_answer(connection: Connection) -> None:
    """The message says what it was edited to, and its turn is decided anew."""
    (turn,) = accept(connection, inbound("m1", text="agregá 2 leche"))
    (anew,) = take(connection, edit("m1", "agregá 3 leche"))["turns"]
    assert [(m["message_id"], m["text"]) for m in anew["messages"]] == [("m1", "agregá 3 leche")]
    assert commit(connection, commit_row(turn))["committed"] == []
    assert commit(connection, commit_row(anew))["next"] == []
    assert states(connection) == {"m1": ("answered", None), "d1": ("closed", None)}


def test_an_edit_in_the_same_batch(connection: Connection) -> None:
    """And the edit of an edit."""
    first = inbound("m1", text="a")
    (turn,) = take(connection, first, edit("m1", "b"), edit("m1", "c", "d2"), edit("m1", "c", "d2"))["turns"]
    assert [m["text"] for m in turn["messages"]] == ["c"]


def test_an_edit_after_the_answer_is_a_message(connection: Connection) -> None:
    """So is one of another customer's."""
    answer(connection, "m1")
    accept(connection, inbound("b1", BRUNO, text="de bruno"))
    (turn,) = take(connection, edit("m1", "3"), edit("b1", "4", "d2"))["turns"]
    assert [m["text"] for m in turn["messages"]] == ["Corrección: 3", "Corrección: 4"]
    assert row(connection, "select content ->> 'text' as t from messages where message_id = 'b1'") == {"t": "de bruno"}


def test_an_edit_that_comes_before_its_message(connection: Connection) -> None:
    """WhatsApp keeps no order between bodies: the edit says all, and the message as it was is not taken any more."""
    (turn,) = take(connection, edit("m1", "agregá 3 leche", quoted="m1"))["turns"]
    (said,) = turn["messages"]
    assert (said["text"], said.get("quoted")) == ("agregá 3 leche", None)
    assert take(connection, inbound("m1", text="agregá 2 leche"))["turns"] == []
    assert commit(connection, commit_row(turn))["next"] == []
    assert states(connection) == {"m1": ("closed", None), "d1": ("answered", None)}
    take(connection, revoke("m1"))
    assert not rows(connection, "select from messages m where m::text like '%leche%'")


def test_of_several_edits_the_last_counts(connection: Connection) -> None:
    """Behind an answer, and before the message has come; the edit of what was revoked says nothing."""
    answer(connection, "m1")
    take(connection, edit("m1", "3", "d1"))
    (turn,) = take(connection, edit("m1", "4", "d2"))["turns"]
    assert [m["text"] for m in turn["messages"]] == ["Corrección: 4"]
    commit(connection, commit_row(turn))
    take(connection, edit("m2", "tres", "d3"))
    (turn,) = take(connection, edit("m2", "cuatro", "d4"))["turns"]
    assert [m["text"] for m in turn["messages"]] == ["cuatro"]
    commit(connection, commit_row(turn))
    take(connection, revoke("m3"))
    assert take(connection, edit("m3", "clave", "d5"))["turns"] == []
    assert not rows(connection, "select from messages m where m::text ~ 'clave|tres'")


def test_a_person_of_the_shop_edits_and_deletes(connection: Connection) -> None:
    """The history has what the shop says now, and loses what it has deleted; the wait goes on."""
    take(connection, inbound("m1", text="cuánto sale?"), echo("e1", "100 pesos"), echo("e2", "era para otro"))
    take(connection, echo("e3", None, act="edit", target="e1", edited="200 pesos"))
    take(connection, echo("e4", None, act="revoke", target="e2"))
    assert said(connection) == [("cuánto sale?", "200 pesos")]
    assert context_of(connection).human_until
    assert not rows(connection, "select from messages m where m::text ~ '100 pesos|para otro'")
    take(connection, echo("e5", None, act="revoke", target="e1"))
    assert said(connection) == [("cuánto sale?", "")]


def test_nobody_changes_the_words_of_the_other(connection: Connection) -> None:
    """A customer those of the shop, or the shop those of a customer."""
    take(connection, echo("e1", "100 pesos"), inbound("m1", text="dale"))
    by_shop = [echo(f"x{n}", None, act=act, target="m1", edited="no") for n, act in enumerate(("edit", "revoke"))]
    take(connection, edit("e1", "5 pesos", reply_due=False), revoke("e1"), *by_shop)
    assert said(connection) == [("", "100 pesos")]
    assert row(connection, "select state, content ->> 'text' as t from messages where message_id = 'm1'") == {
        "state": "accepted",
        "t": "dale",
    }


def test_what_is_revoked_before_the_answer_is_closed(connection: Connection) -> None:
    """Its words are nowhere; what else the customer wrote is a turn of its own."""
    (turn,) = accept(connection, inbound("m1", text="mi clave es 4455"))
    accept(connection, inbound("m2", text="hola"))
    taken = take(connection, revoke("m1"))
    assert [m["message_id"] for m in taken["turns"][0]["messages"]] == ["m2"]
    assert taken["forgotten"] == {"phones": [ANA], "reply_keys": [], "terms": [], "words": ["mi clave es 4455"]}
    assert states(connection)["m1"] == ("closed", "revoked")
    assert commit(connection, commit_row(turn))["committed"] == []
    assert not rows(connection, "select from messages m where m::text like '%4455%'")


def test_what_is_revoked_after_the_answer_is_forgotten(connection: Connection) -> None:
    """In messages, history and searches; the cached reply is named, also when it is said again. Others' words stay."""
    history = [{"customer": "hola", "reply": "¡Hola!"}, {"customer": "mi clave es 4455", "reply": "Gracias"}]
    outcome = {"source": "ai", "reply_key": "k1", "terms": ["clave 4455"]}
    turn = take(connection, inbound("m1", text="mi clave es 4455"))["turns"][0]
    commit(connection, commit_row(turn, outcome=outcome, session=session_row(context_data={"history": history})))
    before = row(connection, "select version from customer_sessions")["version"]
    forgotten = take(connection, revoke("m1"))["forgotten"]
    assert forgotten == {"phones": [ANA], "reply_keys": ["k1"], "terms": ["clave 4455"], "words": ["mi clave es 4455"]}
    again = take(connection, revoke("m1"))["forgotten"]
    assert again == {"phones": [ANA], "reply_keys": ["k1"], "terms": [], "words": []}
    assert said(connection) == [("hola", "¡Hola!")]
    assert states(connection)["m1"] == ("answered", None)
    assert not rows(connection, "select from messages m where m::text like '%4455%'")
    assert row(connection, "select version from customer_sessions")["version"] > before


def test_searches_for_what_is_revoked_are_forgotten(connection: Connection) -> None:
    """In the session, from which the next messages are understood, and in the turns that were understood so."""
    for number, terms in enumerate((["pan"], ["clave 4455"], ["azucar", "clave 4455"]), 1):
        (turn,) = take(connection, inbound(f"m{number}", text=f"mi texto {number}"))["turns"]
        session = session_row(context_data={"history": [], "terms": terms})
        commit(connection, commit_row(turn, outcome={"source": "ai", "terms": terms}, session=session))
    take(connection, revoke("m2"))
    assert context_of(connection).terms == ("azucar",)
    found = rows(connection, "select outcome -> 'terms' as terms from messages where outcome is not null order by id")
    assert [each["terms"] for each in found] == [["pan"], [], ["azucar"]]


def test_short_words_are_revoked_with_their_turn_alone(connection: Connection) -> None:
    """A "sí" elsewhere stays."""
    history = [{"customer": "sí, claro", "reply": "ok"}, {"customer": "sí\nque sea hoy", "reply": "ok"}]
    (turn,) = take(connection, inbound("m1", text="sí"), inbound("m2", text="que sea hoy"))["turns"]
    commit(connection, commit_row(turn, session=session_row(context_data={"history": history})))
    take(connection, revoke("m1"))
    assert said(connection) == [("sí, claro", "ok")]


def test_a_turn_under_way_that_may_hold_revoked_words(connection: Connection) -> None:
    """Its session was read before: it is decided anew."""
    answer(connection, "m1")
    (turn,) = accept(connection, inbound("m2"))
    (anew,) = take(connection, revoke("m1"))["turns"]
    assert anew["token"] != turn["token"]
    assert [m["message_id"] for m in anew["messages"]] == ["m2"]


def test_a_correction_is_revoked_with_its_message(connection: Connection) -> None:
    """Answered or not, applied or not."""
    take(connection, inbound("m1", text="uno"), edit("m1", "clave 4455", "d1"))
    (turn,) = rows(connection, "select token::text, customer_phone from turns")
    ids = [each["id"] for each in rows(connection, "select id from messages where state = 'accepted'")]
    commit(connection, commit_row({**turn, "messages": [{"id": i} for i in ids]}))
    take(connection, edit("m1", "clave 7788", "d2"))
    assert take(connection, revoke("m1"))["turns"] == []
    assert states(connection)["d2"] == ("closed", "revoked")
    assert not rows(connection, "select from messages m where m::text ~ '4455|7788'")


def test_what_comes_after_its_revocation(connection: Connection) -> None:
    """Is not taken: WhatsApp keeps no order between bodies."""
    take(connection, revoke("m1"))
    assert take(connection, inbound("m1", text="mi clave"))["turns"] == []
    assert states(connection)["m1"] == ("closed", "revoked")


def test_nobody_revokes_or_edits_what_another_wrote(connection: Connection) -> None:
    """Whatever id they name."""
    accept(connection, inbound("b1", BRUNO, text="de bruno"))
    answer(connection, "m1")
    assert take(connection, revoke("b1"))["turns"] == []
    assert row(connection, "select state, content ->> 'text' as t from messages where message_id = 'b1'") == {
        "state": "accepted",
        "t": "de bruno",
    }


def test_a_turn_begun_anew_knows_what_its_customer_had_read(connection: Connection) -> None:
    """What was written before our last reply was there agrees to nothing in it, also where it was edited meanwhile or
    something behind it revoked; what was written behind the reply may.
    """
    (turn,) = accept(connection, inbound("m1"))
    accept(connection, inbound("m2", text="bueno"), inbound("m3", text="clave"))
    commit(connection, commit_row(turn))
    (edited,) = take(connection, edit("m2", "si"))["turns"]
    (revoked,) = take(connection, revoke("m3"))["turns"]
    assert [(one["waited"], one["messages"][0]["text"]) for one in (edited, revoked)] == [(True, "si")] * 2
    commit(connection, commit_row(revoked))
    accept(connection, inbound("m4", text="bueno"))
    (edited,) = take(connection, edit("m4", "si", "d2"))["turns"]
    assert not edited["waited"]
