"""From a decided turn to what is committed: the session after it, the reply, the order. Pure thought."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from msgspec.structs import replace

from worker.messages.reply import QuickReply, Reply, expires_at, within_limits
from worker.replies.cart_limits import facts_by_id
from worker.session.handover import handed_over, without_wait
from worker.session.session import (
    CHECKOUT_STATES,
    CartOperation,
    Session,
    advance,
    cart_rows,
    changed_cart,
    orders_placed,
)
from worker.session.turn import SILENT, Turn


def session_after(turn: Turn, now: datetime) -> Session:
    """The session as the turn leaves it. What was decided without seeing the session never ends a checkout. A decision
    that requires a person begins the wait for one; only a text of ours says so, a model's may not.
    """
    after = _advanced(turn)
    outcome = turn.decided()
    if outcome.decision.get("requires_human"):
        return replace(after, context=handed_over(after.context, now, told=outcome.source != "ai"))
    return replace(after, context=without_wait(after.context))


def _advanced(turn: Turn) -> Session:
    decision, before = turn.decided().decision, turn.fetched()
    next_state = decision.get("next_state")
    if turn.plan is not None and turn.plan.shared and before.state in CHECKOUT_STATES:
        next_state = None
    after = advance(
        before,
        said=turn.text,
        replied="" if turn.decided().source == SILENT else decision["reply"],
        next_state=next_state,
        operations=_operations(turn),
        products=_products(turn),
        terms=turn.plan.terms if turn.plan else (),
    )
    return replace(after, context=dict(after.context) | _order_facts(turn))


def _operations(turn: Turn) -> tuple[CartOperation, ...]:
    return tuple(CartOperation(**operation) for operation in turn.decided().decision.get("cart_operations", ()))


def _products(turn: Turn) -> dict[int, Mapping[str, Any]]:
    """What the operations of the turn may put into the cart; nobody looks at them where there are none."""
    if turn.plan is None or not turn.decided().decision.get("cart_operations"):
        return {}
    return facts_by_id(turn.fetched().cart, turn.plan.products)


def _order_facts(turn: Turn) -> dict[str, str]:
    """What an order needs and is told before it is confirmed: the address. In an answer for everybody it is the
    shop's own.
    """
    if turn.plan is None or turn.plan.shared:
        return {}
    address = turn.decided().decision.get("entities", {}).get("address")
    return {"address": str(address)} if address else {}


def reply_of(turn: Turn, session_state: str, now: datetime) -> Reply:
    """The reply as the gateway gets it. Its id is the turn's token: a token commits once, so a reply exists once."""
    outcome = turn.decided()
    decision = outcome.decision
    reply = Reply(
        reply_id=turn.token,
        to=turn.customer_phone,
        in_reply_to=tuple(message.message_id for message in turn.messages),
        text=decision["reply"],
        quick_replies=tuple(QuickReply(b["id"], b["title"]) for b in decision.get("quick_replies", ())),
        intent=decision["intent"],
        confidence=decision["confidence"],
        requires_human=decision.get("requires_human", False),
        session_state=session_state,
        source=outcome.source,
        provider=outcome.provider,
        created_at=now,
        expires_at=expires_at(max(message.sent_at_s for message in turn.messages)),
    )
    return within_limits(reply)


def closing_row(turn: Turn, outcome: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    """The turn as `update_session_cache` takes it; `outcome` is what is kept of how it was decided."""
    before, after = turn.fetched(), session_after(turn, now)
    silent = turn.decided().source == SILENT
    ordered = replace(before, cart=changed_cart(before.cart, _operations(turn), _products(turn)))
    return {
        "token": turn.token,
        "customer_phone": turn.customer_phone,
        "message_ids": [message.id for message in turn.messages],
        "state": "closed" if silent else "answered",
        "reply": None if silent else reply_of(turn, after.state, now).to_dict(),
        "outcome": dict(outcome),
        "orders": orders_placed(ordered, after),
        "session": {
            "id": after.id,
            "session_state": after.state,
            "cart_data": cart_rows(after.cart),
            "context_data": dict(after.context),
        },
    }


def burial_row(turn: Turn, outcome: Mapping[str, Any], session_state: str, error: str, now: datetime) -> dict[str, Any]:
    """A turn that has used up its attempts, as `update_session_cache` takes it: a dead letter and an apology.

    The apology answers no message (`in_reply_to` is empty), so that a replayed letter is still answered exactly once.
    """
    reply = reply_of(turn, session_state, now).to_dict() | {"in_reply_to": []}
    return {
        "token": turn.token,
        "customer_phone": turn.customer_phone,
        "message_ids": [message.id for message in turn.messages],
        "state": "dead",
        "error": error,
        "reply": reply,
        "outcome": dict(outcome),
        "orders": [],
        "session": None,
    }
