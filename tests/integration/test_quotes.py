"""Quotes: the message or reply that one names is looked up whenever its turn is claimed."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from helpers.factories import ANA, BRUNO, Json, accept, answer, commit, commit_row, expire_leases, inbound, row, rows
from sqlalchemy import Connection
from test_acts_of_messages import echo, edit, revoke, take

from db import queries
from db.customers import erase_customer
from worker.intake.sweep import LIMIT
from worker.session.turn import claimed_turn
from worker.session.turn_message import Quoted

BUTTONS = [{"id": "add:A-1", "title": "Agregar"}, {"id": "view_cart", "title": "Ver"}]


def quoted(turn: Json, place: int = 0) -> Quoted | None:
    """The quote of one message of a claimed turn."""
    return claimed_turn(turn).messages[place].quoted


def reply_with(connection: Connection, message_id: str, **reply: Any) -> str:
    """An answered message; the id of its reply, which has these fields."""
    (turn,) = accept(connection, inbound(message_id))
    commit(connection, commit_row(turn, reply={"reply_id": turn["token"], "to": ANA, "text": "¡Hola!"} | reply))
    return str(turn["token"])


def receipt(connection: Connection, reply_id: str, message_id: str) -> None:
    """WhatsApp's id of a reply."""
    queries.mark_deliveries(connection, [{"reply_id": reply_id, "state": "sent", "wamid": message_id}])


def test_a_customer_quotes_their_own_words(connection: Connection) -> None:
    """Those of before, and those of the same burst."""
    answer(connection, "m1")
    (turn,) = accept(connection, inbound("m2", text="leche", quoted="m1"), inbound("m3", quoted="m2"), inbound("m4"))
    assert [quoted(turn, place) for place in range(3)] == [Quoted("hola"), Quoted("leche"), None]


def test_a_customer_quotes_a_reply(connection: Connection) -> None:
    """With the products that it showed and the buttons under it; in a swept turn too."""
    first = reply_with(connection, "m1", quick_replies=BUTTONS, list=None)
    rows_of = [{"id": f"add:{sku}", "title": sku} for sku in ("B-2", "A-1", "B-2")]
    second = reply_with(connection, "m2", list={"button": "Ver", "rows": rows_of}, quick_replies=[])
    receipt(connection, first, "wamid.S1")
    receipt(connection, second, "wamid.S2")
    (turn,) = accept(connection, inbound("m3", quoted="wamid.S1"), inbound("m4", quoted="wamid.S2"))
    assert quoted(turn) == Quoted("¡Hola!", ours=True, skus=("A-1",), actions=("add:A-1", "view_cart"))
    assert quoted(turn, 1) == Quoted("¡Hola!", ours=True, skus=("B-2", "A-1"))
    expire_leases(connection, ANA)
    (swept,), _ = queries.sweep_turns(connection, lease_s=15.0, limit=LIMIT)
    assert quoted(swept) == quoted(turn)


def test_a_customer_quotes_a_person_of_the_shop(connection: Connection) -> None:
    """Whose words are the shop's."""
    take(connection, echo("e1", "te la dejo a 2.000"))
    (turn,) = accept(connection, inbound("m1", quoted="e1"))
    assert quoted(turn) == Quoted("te la dejo a 2.000", ours=True)


def test_what_nobody_knows_is_quoted_all_the_same(connection: Connection) -> None:
    """Nor are another customer's words and replies quoted, nor what was revoked."""
    (other,) = accept(connection, inbound("b1", BRUNO, text="de bruno"))
    commit(connection, commit_row(other))
    receipt(connection, other["token"], "wamid.B")
    accept(connection, inbound("m0"))
    ids = ("no", "b1", "wamid.B", "m2")
    messages = (inbound(f"q{n}", quoted=name) for n, name in enumerate(ids))
    (turn,) = take(connection, inbound("m2", text="mi clave"), *messages, revoke("m2"))["turns"]
    assert [quoted(turn, place) for place in range(1, 5)] == [Quoted()] * 4


def test_a_correction_quotes_what_it_corrects(connection: Connection) -> None:
    """What was answered."""
    answer(connection, "m1")
    (turn,) = take(connection, edit("m1", "chau", quoted="m1"))["turns"]
    assert quoted(turn) == Quoted("hola")


def test_product_and_advertisement_reach_the_turn(connection: Connection) -> None:
    """As they came."""
    (turn,) = accept(connection, inbound("m1", product="LAC-001", advertisement="Yerba en oferta"))
    (said,) = claimed_turn(turn).messages
    assert (said.product, said.advertisement, said.quoted) == ("LAC-001", "Yerba en oferta", None)


def test_the_first_receipt_counts(connection: Connection) -> None:
    """One of a reply that nobody knows changes nothing; nobody waits for a row that somebody else holds."""
    reply_id = reply_with(connection, "m1")
    receipt(connection, str(UUID(int=1)), "wamid.X")
    receipt(connection, reply_id, "wamid.S1")
    receipt(connection, reply_id, "wamid.S2")
    assert rows(connection, "select wamid from deliveries") == [{"wamid": "wamid.S1"}]


def test_an_erasure_takes_whatsapps_id(connection: Connection) -> None:
    """It holds the number of the customer."""
    receipt(connection, reply_with(connection, "m1"), "wamid.S1")
    erase_customer(connection, ANA)
    assert row(connection, "select wamid from deliveries") == {"wamid": None}
