"""From a decided turn to what is committed."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from helpers.factories import ANA, SENT_AT_S
from helpers.turns import (
    HUMAN_WAIT_S,
    MILK,
    MILK_ITEM,
    RICE,
    RICE_ITEM,
    closing_row,
    decided,
    message,
    plan_of,
    planned,
    session_of,
    turn_of,
)
from msgspec import convert, json, to_builtins
from msgspec.structs import asdict, replace

from worker.replies.closing import bury, close, reply_of
from worker.session.outcome import SILENT, Decision, StoredOutcome
from worker.session.turn import Turn

NOW = datetime(2026, 11, 22, 9, 0, 0, 123456, tzinfo=UTC)


def confirming(text: str = "sí, confirmo", **changes: Any) -> Turn:
    """A customer with milk in the cart who answers the last question of a checkout."""
    session = session_of(state="confirming_order", cart=(MILK_ITEM,), context={"address": "Calle 1"})
    return replace(planned(turn_of(text, session=session), RICE), outcome=decided(**changes))


def test_what_one_operation_takes_out_another_may_put_back() -> None:
    """Also where the request named no such product: its name and price are those it had in the cart."""
    taken_out = {"op": "remove", "product_id": 7, "quantity": None}
    put_back = {"op": "set", "product_id": 7, "quantity": 3}
    turn = confirming("3 leches", cart_operations=[taken_out, put_back])
    assert close(turn, NOW, HUMAN_WAIT_S).session.cart == (replace(MILK_ITEM, quantity=3),)


def test_the_reply_as_the_contract_has_it() -> None:
    """Every field, in JSON."""
    outcome = decided(
        quick_replies=[{"id": "view_cart", "title": "Ver carrito"}], entities={"a": 1}, requires_human=True
    )
    turn = turn_of(messages=(message(number=1), message(number=2, sent_at_s=SENT_AT_S + 60)), outcome=outcome)
    assert json.decode(json.encode(reply_of(turn, "searching", NOW))) == {
        "reply_id": "token-1",
        "to": ANA,
        "in_reply_to": ["wamid.1", "wamid.2"],
        "text": "¡Hola!",
        "quick_replies": [{"id": "view_cart", "title": "Ver carrito"}],
        "intent": "greeting",
        "confidence": 0.93,
        "requires_human": True,
        "session_state": "searching",
        "source": "ai",
        "provider": "deepseek",
        "created_at": "2026-11-22T09:00:00Z",
        "expires_at": "2025-11-23T08:27:40Z",
    }


def test_a_reply_keeps_whatsapps_limits() -> None:
    """Titles of 20 characters, three buttons without twins, 4,096 characters of text."""
    buttons = [{"id": str(number), "title": f"{number} " + "x" * 30} for number in (1, 1, 2, 3, 4)]
    reply = reply_of(turn_of(outcome=decided(reply="y" * 5_000, quick_replies=buttons)), "browsing", NOW)
    assert len(reply.text) == 4096
    assert [button.id for button in reply.quick_replies] == ["1", "2", "3"]
    assert all(len(button.title) <= 20 for button in reply.quick_replies)


def test_a_decision_without_optional_fields_is_a_reply_too() -> None:
    """A canned decision holds only what it needs."""
    outcome = replace(decided("canned", None), decision=Decision("unknown", 1.0, reply="x"))
    reply = json.decode(json.encode(reply_of(turn_of(None, outcome=outcome), "browsing", NOW)))
    assert (reply["quick_replies"], reply["requires_human"], reply["provider"]) == ([], False, None)


def test_the_row_to_commit() -> None:
    """What `update_session_cache` takes, ready for JSON."""
    operation = {"op": "add", "product_id": 8, "quantity": 1}
    outcome = decided(next_state="adding_to_cart", cart_operations=[operation])
    turn = replace(planned(turn_of("sumale un arroz", session=session_of(cart=(MILK_ITEM,))), RICE), outcome=outcome)
    row = closing_row(turn, NOW)
    assert orjson.loads(orjson.dumps(row)) == row
    assert {name: row[name] for name in ("token", "customer_phone", "message_ids", "state", "orders")} == {
        "token": "token-1",
        "customer_phone": ANA,
        "message_ids": [1],
        "state": "answered",
        "orders": [],
    }
    assert convert(row["outcome"], StoredOutcome) == turn.stored_outcome()
    session = row["session"]
    assert (session["id"], session["session_state"]) == (turn.fetched().id, "adding_to_cart")
    assert session["cart_data"] == [asdict(MILK_ITEM), asdict(RICE_ITEM)]
    assert session["context_data"]["history"] == [{"customer": "sumale un arroz", "reply": "¡Hola!"}]
    assert "currency" not in session["context_data"]
    assert row["reply"]["session_state"] == "adding_to_cart"


def test_a_confirmed_order() -> None:
    """Its items, total and address; the session goes on without a cart."""
    row = closing_row(confirming(next_state="order_completed"), NOW)
    assert row["orders"] == [{"total": "3700.0", "currency": "ARS", "address": "Calle 1", "items": [asdict(MILK_ITEM)]}]
    assert (row["session"]["cart_data"], row["session"]["session_state"]) == ([], "order_completed")


@pytest.mark.parametrize(
    ("operation", "total"),
    [
        ({"op": "add", "product_id": 8, "quantity": 1}, "4900.5"),
        ({"op": "set", "product_id": 7, "quantity": 1}, "1850.0"),
    ],
)
def test_an_order_holds_what_its_own_turn_changed(operation: dict[str, Any], total: str) -> None:
    """ "Yes, and one more": what is put in with the confirmation is ordered, not lost with the cart."""
    turn = confirming("sí, y sumale un arroz", next_state="order_completed", cart_operations=[operation])
    assert [order["total"] for order in closing_row(turn, NOW)["orders"]] == [total]


def test_an_order_is_in_the_currency_of_its_lines() -> None:
    """Not of what was looked at last: the rice in the confirmation's plan costs pesos, the milk in the cart euros."""
    turn = confirming(next_state="order_completed")
    euros = replace(turn.fetched(), cart=(replace(MILK_ITEM, currency="EUR"),))
    (order,) = closing_row(replace(turn, session=euros), NOW)["orders"]
    assert (order["total"], order["currency"]) == ("3700.0", "EUR")
    assert [item["currency"] for item in order["items"]] == ["EUR"]


def test_the_address_is_remembered_until_the_confirmation() -> None:
    """Customers give it in one message and confirm in another."""
    session = session_of(state="waiting_address", cart=(MILK_ITEM,))
    outcome = decided(entities={"address": "Av. Corrientes 1234"}, next_state="confirming_order")
    asked = replace(planned(turn_of("Av. Corrientes 1234", session=session)), outcome=outcome)
    confirmed = replace(confirming(next_state="order_completed"), session=close(asked, NOW, HUMAN_WAIT_S).session)
    assert closing_row(confirmed, NOW)["orders"][0]["address"] == "Av. Corrientes 1234"


def test_a_new_address_takes_the_place_of_the_old_one() -> None:
    """Said with the confirmation itself."""
    turn = confirming(next_state="order_completed", entities={"address": "Calle 2"})
    assert closing_row(turn, NOW)["orders"][0]["address"] == "Calle 2"


@pytest.mark.parametrize("state", ["checkout", "waiting_address", "confirming_order"])
@pytest.mark.parametrize("next_state", ["order_completed", "browsing"])
def test_an_answer_for_everybody_ends_nobodys_checkout(state: str, next_state: str) -> None:
    """It was made without seeing the session."""
    session = session_of(state=state, cart=(MILK_ITEM,))
    turn = turn_of("gracias", session=session, plan=plan_of("gracias"))
    row = closing_row(replace(turn, outcome=decided("cache", next_state=next_state)), NOW)
    assert (row["orders"], row["session"]["session_state"]) == ([], state)
    assert row["session"]["cart_data"] == [asdict(MILK_ITEM)]


def test_an_answer_for_everybody_moves_who_is_only_looking() -> None:
    """And the shop's address in it is not the customer's."""
    turn = turn_of("donde queda?", session=session_of(state="searching"), plan=plan_of("donde queda?"))
    outcome = decided(next_state="browsing", entities={"address": "Calle 9"})
    after = close(replace(turn, outcome=outcome), NOW, HUMAN_WAIT_S).session
    assert after.state == "browsing"
    assert after.context.address == ""


def test_a_turn_that_needed_no_model_closes_like_any_other() -> None:
    """No plan, no products, no terms; the audio stands in the history as nothing that was said."""
    row = closing_row(turn_of(None, outcome=decided("canned", None)), NOW)
    assert row["session"]["context_data"] == {"history": [{"customer": "", "reply": "¡Hola!"}]}


def test_terms_and_products_of_the_plan_reach_the_session() -> None:
    """The next "the second one" is about these."""
    turn = replace(planned(turn_of("tenes leche?"), MILK), outcome=decided())
    assert close(turn, NOW, HUMAN_WAIT_S).session.context.terms == ("leche",)


def test_a_turn_without_a_reply_is_closed() -> None:
    """A person answers; what the customer wrote stands in the history."""
    row = closing_row(turn_of("sigo esperando", outcome=decided(SILENT, None)), NOW)
    assert (row["state"], row["reply"], row["orders"]) == ("closed", None, [])
    assert row["session"]["context_data"]["history"] == [{"customer": "sigo esperando", "reply": ""}]


def test_a_burial_answers_nothing() -> None:
    """An apology goes out, the message stays unanswered, session and orders are not touched."""
    turn = turn_of(messages=(message(number=4),), session=None, outcome=decided("canned", None, reply="Perdón"))
    row = to_builtins(bury(turn, "waiting_address", "given up after 5 attempts", NOW))
    assert (row["state"], row["error"], row["message_ids"]) == ("dead", "given up after 5 attempts", (4,))
    assert (row["session"], row["orders"]) == (None, ())
    assert (row["reply"]["in_reply_to"], row["reply"]["reply_id"]) == ((), "token-1")
    assert (row["reply"]["text"], row["reply"]["session_state"]) == ("Perdón", "waiting_address")
