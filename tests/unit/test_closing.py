"""From a decided turn to what is committed."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
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
    SHOP,
    closing_row,
    decided,
    made,
    message,
    plan_of,
    planned,
    session_of,
    turn_of,
)
from msgspec import convert, json, to_builtins
from msgspec.structs import replace

from worker.messages.reply import Choices, QuickReply, Row
from worker.replies.closing import MAX_SHOWN, bury, close, reply_of
from worker.session.outcome import SILENT, Decision, Effects, Outcome, StoredOutcome
from worker.session.session import Checkout, Order, Session, Undo
from worker.session.turn import Turn

NOW = datetime(2026, 11, 22, 9, 0, 0, 123456, tzinfo=UTC)


def closed(turn: Turn) -> Session:
    """The session as a decided turn leaves it."""
    after = close(turn, SHOP, NOW, HUMAN_WAIT_S).session
    assert after is not None
    return after


def changing(text: str = "sumale un arroz", **effects: Any) -> Turn:
    """A customer with milk in the cart, and a decision with these effects."""
    session = session_of(state="checkout", cart=(MILK_ITEM,), context={"version": "v1", "asking": "payment"})
    decision = replace(made(), effects=Effects(**effects))
    return replace(planned(turn_of(text, session=session), RICE), outcome=Outcome("ai", decision, "deepseek"))


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
        "list": None,
        "channel": None,
    }


def test_a_reply_keeps_whatsapps_limits() -> None:
    """Titles of 20 characters, three buttons without twins, and above them 1,024 characters of text."""
    buttons = [{"id": str(number), "title": f"{number} " + "x" * 30} for number in (1, 1, 2, 3, 4)]
    reply = reply_of(turn_of(outcome=decided(reply="y" * 5_000, quick_replies=buttons)), "browsing", NOW)
    assert len(reply.text) == 1024
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
    decision = replace(
        made(next_state="adding_to_cart", cart_operations=[operation]),
        effects=Effects(cart=(MILK_ITEM, RICE_ITEM), proposed=1),
    )
    outcome = Outcome("ai", decision, "deepseek")
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
    assert session["cart_data"] == [MILK_ITEM.row(), RICE_ITEM.row()]
    assert session["context_data"]["history"] == [{"customer": "sumale un arroz", "reply": "¡Hola!"}]
    assert "currency" not in session["context_data"]
    assert row["reply"]["session_state"] == "adding_to_cart"


def test_a_placed_order() -> None:
    """As `update_session_cache` takes it: numbers, and the total of each line; it cannot be undone."""
    order = Order(
        "ARS", Decimal(3700), Decimal(500), Decimal(4200), (MILK_ITEM,), "delivery", "Calle 1", "efectivo", None, "Ana"
    )
    turn = changing(cart=(), orders=(order,), checkout=Checkout(), asking="ordered")
    row = closing_row(turn, NOW)
    assert row["orders"] == [
        {
            "currency": "ARS",
            "subtotal": "3700",
            "delivery_fee": "500",
            "total": "4200",
            "items": [MILK_ITEM.row() | {"total": "3700.00"}],
            "delivery": "delivery",
            "address": "Calle 1",
            "payment": "efectivo",
            "note": None,
            "name": "Ana",
            "channel": None,
        }
    ]
    after = closed(turn)
    assert (after.cart, after.context.ordered, after.context.version, after.context.undo) == ((), "v1", "", None)
    assert after.context.asking == "ordered"


def test_a_change_of_the_cart_ends_the_summary_and_can_be_undone() -> None:
    """The version that could be confirmed is gone; the cart before is kept under the turn's own."""
    after = closed(changing(cart=(RICE_ITEM,)))
    assert (after.cart, after.context.version, after.context.asking) == ((RICE_ITEM,), "", "")
    assert after.context.undo == Undo("token1", (MILK_ITEM,))
    again = closed(changing(cart=(RICE_ITEM,), version="v2", asking="confirm"))
    assert (again.context.version, again.context.asking) == ("v2", "confirm")


def test_a_repeated_decision_is_undone_by_its_own_button() -> None:
    """One out of the reply cache shows the version of the turn that it was first made for."""
    turn = changing(cart=(RICE_ITEM,))
    decision = replace(turn.decided().decision, quick_replies=(QuickReply("undo:first", "Deshacer"),))
    assert closed(replace(turn, outcome=Outcome("cache", decision))).context.undo == Undo("first", (MILK_ITEM,))


def test_other_details_end_the_summary_too() -> None:
    """And leave the cart as it is."""
    after = closed(changing(checkout=Checkout(payment="efectivo")))
    assert (after.cart, after.context.version, after.context.undo) == ((MILK_ITEM,), "", None)
    assert after.context.checkout == Checkout(payment="efectivo")


@pytest.mark.parametrize(
    ("asking", "state", "stays"),
    [
        ("payment", "checkout", "payment"),
        ("address", "waiting_address", "address"),
        ("confirm", "confirming_order", ""),
        ("ordered", "order_completed", ""),
        ("kept_cart", "browsing", ""),
    ],
)
def test_what_stays_asked(asking: str, state: str, stays: str) -> None:
    """A detail of the order while something else is talked of; a yes may by then be meant for something else."""
    session = session_of(state=state, cart=(MILK_ITEM,), context={"asking": asking, "version": "v1"})
    turn = replace(planned(turn_of("a qué hora abren?", session=session)), outcome=decided())
    after = closed(turn)
    assert (after.context.asking, after.context.version) == (stays, "v1")


def test_the_cart_of_before_is_asked_about_once() -> None:
    """Below the first reply, which is cut rather than the question."""
    session = session_of(context={"kept": [MILK_ITEM.row()]})
    turn = turn_of("hola", session=session, outcome=decided(reply="Hola, qué tal. " * 200))
    row = closing_row(turn, NOW)
    assert len(row["reply"]["text"]) <= 1024
    assert row["reply"]["text"].endswith("Total: $ 3.700,00\n¿Seguimos con ese?")
    assert [button["id"] for button in row["reply"]["quick_replies"]] == ["keep_cart", "drop_cart"]
    after = closed(turn)
    assert (after.context.asking, after.context.kept_shown) == ("kept_cart", True)
    again = turn_of("hola", session=after, outcome=decided())
    assert "¿Seguimos" not in closing_row(again, NOW)["reply"]["text"]
    for other in (decided(requires_human=True), replace(decided(), decision=replace(made(), effects=Effects(cart=())))):
        assert "¿Seguimos" not in closing_row(replace(turn, outcome=other), NOW)["reply"]["text"]


def test_the_cart_of_before_is_asked_about_as_soon_as_nothing_else_is() -> None:
    """Who begins with a change of the cart, or with a question of the checkout, is asked later."""
    session = session_of(context={"kept": [MILK_ITEM.row()]})
    for effects in (Effects(cart=(RICE_ITEM,), proposed=1), Effects(asking="delivery", checkout=Checkout())):
        decision = replace(made(), effects=effects)
        first = closed(turn_of("quiero arroz", session=session, outcome=Outcome("ai", decision)))
        assert (first.context.asking, first.context.kept_shown) == (effects.asking, False)
        assert closed(turn_of("gracias", session=first, outcome=decided())).context.asking == "kept_cart"


@pytest.mark.parametrize("intent", ["checkout", "view_cart"])
def test_who_looks_into_an_empty_cart_is_asked_about_the_one_of_before(intent: str) -> None:
    """In the first message, and again after it was left unanswered."""
    decision = replace(made(), intent=intent, effects=Effects(checkout=Checkout(payment="efectivo")))
    for shown in (False, True):
        session = session_of(context={"kept": [MILK_ITEM.row()], "kept_shown": shown})
        assert (
            closed(turn_of("finalizar", session=session, outcome=Outcome("ai", decision))).context.asking == "kept_cart"
        )


def test_an_answer_for_everybody_does_nothing_to_anybody() -> None:
    """Whatever a cached one holds: neither an address nor a cart is anybody's."""
    effects = Effects(cart=(), checkout=Checkout(address="Palermo Soho"), asking="confirm", version="v9", proposed=1)
    decision = replace(made(cart_operations=[{"op": "clear"}]), effects=effects)
    session = session_of(cart=(MILK_ITEM,), context={"version": "v1", "checkout": {"address": "Thames 1234"}})
    turn = turn_of("hacen envios?", session=session, plan=plan_of("hacen envios?"), outcome=Outcome("cache", decision))
    after = closed(turn)
    assert (after.cart, after.context.version, after.context.checkout) == (
        (MILK_ITEM,),
        "v1",
        Checkout(address="Thames 1234"),
    )


def test_a_change_that_the_version_before_has_decided_is_made_and_told() -> None:
    """It left the change to the commit, and said that it was done."""
    outcome = decided(
        intent="add_to_cart",
        reply="Listo, sumé un arroz.",
        cart_operations=[{"op": "add", "product_id": 8, "quantity": 1}],
    )
    turn = replace(planned(turn_of("sumale un arroz", session=session_of(cart=(MILK_ITEM,))), RICE), outcome=outcome)
    assert turn.plan is not None
    assert not turn.plan.shared
    row = closing_row(turn, NOW)
    assert [line["id"] for line in row["session"]["cart_data"]] == [7, 8]
    assert "Cambios en tu carrito:\n• 1 × Arroz largo 1 kg: $ 1.200,50" in row["reply"]["text"]


def test_an_order_that_the_version_before_has_decided_is_summed_up() -> None:
    """Nothing was ordered, whatever it said: the customer is asked."""
    outcome = decided(intent="checkout", reply="¡Tu pedido está confirmado!", next_state="order_completed")
    turn = turn_of("si", session=session_of(state="confirming_order", cart=(MILK_ITEM,)), outcome=outcome)
    row = closing_row(turn, NOW)
    assert (row["orders"], row["session"]["session_state"]) == ([], "waiting_address")
    assert "confirmado" not in row["reply"]["text"]


def test_a_left_cart_is_kept_until_the_customer_has_said_so() -> None:
    """Or has left it."""
    session = session_of(context={"kept": [MILK_ITEM.row()], "asking": "kept_cart"})
    turn = replace(planned(turn_of("hola", session=session)), outcome=decided())
    assert closed(turn).context.kept == (MILK_ITEM,)
    left = replace(turn, plan=None, outcome=replace(decided(), decision=replace(made(), effects=Effects(kept=()))))
    assert closed(left).context.kept == ()


@pytest.mark.parametrize("state", ["checkout", "waiting_address", "confirming_order"])
@pytest.mark.parametrize("next_state", ["order_completed", "browsing"])
def test_an_answer_for_everybody_ends_nobodys_checkout(state: str, next_state: str) -> None:
    """It was made without seeing the session."""
    session = session_of(state=state, cart=(MILK_ITEM,))
    turn = turn_of("gracias", session=session, plan=plan_of("gracias"))
    row = closing_row(replace(turn, outcome=decided("cache", next_state=next_state)), NOW)
    assert (row["orders"], row["session"]["session_state"]) == ([], state)
    assert row["session"]["cart_data"] == [MILK_ITEM.row()]


def test_an_answer_for_everybody_moves_who_is_only_looking() -> None:
    """And the shop's address in it is not the customer's."""
    turn = turn_of("donde queda?", session=session_of(state="searching"), plan=plan_of("donde queda?"))
    outcome = decided(next_state="browsing", entities={"address": "Calle 9"})
    after = closed(replace(turn, outcome=outcome))
    assert after.state == "browsing"
    assert after.context.checkout == Checkout()


def test_a_turn_that_needed_no_model_closes_like_any_other() -> None:
    """No plan, no products, no terms; the audio stands in the history as nothing that was said."""
    row = closing_row(turn_of(None, outcome=decided("canned", None)), NOW)
    assert row["session"]["context_data"] == {
        "history": [{"customer": "", "reply": "¡Hola!"}],
        "pace": {"replied_at_s": round(NOW.timestamp(), 1)},
    }


def test_what_was_shown_is_offered_on() -> None:
    """The rows of a list in their order, to be chosen by number; else the products of the request, the newest first."""
    session = session_of(context={"shown": ["OLD-1"], "numbered": True})
    turn = replace(planned(turn_of("tenes leche?", session=session), MILK), outcome=decided())
    assert (closed(turn).context.shown, closed(turn).context.numbered) == (("LAC-7", "OLD-1"), False)
    listed = replace(made(), choices=Choices("Ver", (Row("add:ALM-8", "Arroz"), Row("add:LAC-7", "Leche"))))
    turn = replace(turn, outcome=Outcome("ai", listed))
    assert (closed(turn).context.shown, closed(turn).context.numbered) == (("ALM-8", "LAC-7"), True)
    areas = replace(made(), choices=Choices("Ver", (Row("area:0", "Centro"),)))
    assert not closed(replace(turn, outcome=Outcome("canned", areas))).context.numbered


def test_what_is_offered_on_is_bounded() -> None:
    """A conversation about everything is no catalogue."""
    session = session_of(context={"shown": [f"OLD-{number}" for number in range(40)]})
    turn = replace(planned(turn_of("tenes leche?", session=session), MILK), outcome=decided())
    assert len(closed(turn).context.shown) == MAX_SHOWN


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


def joined(text: str = "hola", effects: Effects | None = None, **session: Any) -> Turn:
    """A customer whose two conversations have just become one, the other with milk in its cart."""
    context = {"kept": [MILK_ITEM.row()], "joined": True, "history": [{"customer": "antes"}]}
    decision = replace(made(), effects=effects or Effects())
    return turn_of(text, session=session_of(context=context, **session), outcome=Outcome("ai", decision, "deepseek"))


def test_the_first_reply_after_two_conversations_became_one_says_so() -> None:
    """Once, and offers the other one's cart beside the one that goes on."""
    turn = joined(cart=(RICE_ITEM,))
    reply = close(turn, SHOP, NOW, HUMAN_WAIT_S).reply
    assert reply is not None
    assert SHOP.text("cart.joined") in reply.text
    assert MILK_ITEM.name in reply.text
    assert [button.id for button in reply.quick_replies] == ["keep_cart", "drop_cart"]
    context = closed(turn).context
    assert (context.asking, context.joined, context.kept) == ("kept_cart", False, (MILK_ITEM,))


def test_it_is_said_beside_a_change_of_the_cart_too() -> None:
    """The next reply may be one that puts something in, and can be undone."""
    turn = joined(effects=Effects(cart=(RICE_ITEM, MILK_ITEM)), cart=(RICE_ITEM,))
    decision = replace(turn.decided().decision, quick_replies=(QuickReply("undo:v1", "Deshacer"),))
    turn = replace(turn, outcome=Outcome("ai", decision))
    after = closed(turn)
    assert (after.context.asking, after.cart) == ("kept_cart", (RICE_ITEM, MILK_ITEM))
    reply = close(turn, SHOP, NOW, HUMAN_WAIT_S).reply
    assert reply is not None
    assert [button.id for button in reply.quick_replies] == ["keep_cart", "drop_cart", "undo:v1"]


@pytest.mark.parametrize("effects", [Effects(asking="address"), Effects(kept=())])
def test_a_question_of_the_checkout_comes_first(effects: Effects) -> None:
    """It is said later, unless the customer has already said what shall become of it."""
    turn = joined(effects=effects)
    reply = close(turn, SHOP, NOW, HUMAN_WAIT_S).reply
    assert reply is not None
    assert SHOP.text("cart.joined") not in reply.text
    assert closed(turn).context.joined == (effects.kept is None)


def test_where_the_conversation_that_goes_on_has_no_cart_the_other_one_is_brought_back() -> None:
    """As after a conversation that has ended."""
    reply = close(joined(), SHOP, NOW, HUMAN_WAIT_S).reply
    assert reply is not None
    assert SHOP.text("cart.bring_back") in reply.text


def test_a_reply_goes_where_the_last_message_came_from() -> None:
    """Another id of the customer."""
    turn = turn_of(messages=(message(number=1), replace(message(number=2), sender="AR.1A2B")), outcome=decided())
    assert reply_of(turn, "browsing", NOW).to == "AR.1A2B"
