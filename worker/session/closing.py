"""From a decided turn to what is committed: the session after it, the reply, the order. Pure thought."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from worker.ai.prompt import product_facts
from worker.messages.reply import QuickReply, Reply, expires_at, within_limits
from worker.session.session import (
    CHECKOUT_STATES,
    CartOperation,
    Session,
    advance,
    cart_rows,
    order_placed,
)
from worker.session.turn import Turn


def session_after(turn: Turn) -> Session:
    """The session as the turn leaves it. What was decided without seeing the session never ends a checkout."""
    decision, before = turn.decided().decision, turn.fetched()
    next_state = decision.get("next_state")
    if turn.plan is not None and turn.plan.shared and before.state in CHECKOUT_STATES:
        next_state = None
    products: dict[int, Mapping[str, Any]] = {
        p["id"]: product_facts(p) for p in (turn.plan.products if turn.plan else ())
    }
    return advance(
        before,
        said=turn.text,
        replied=decision["reply"],
        next_state=next_state,
        operations=tuple(CartOperation(**operation) for operation in decision.get("cart_operations", ())),
        products=products,
        terms=turn.plan.terms if turn.plan else (),
    )


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
    after = session_after(turn)
    address = turn.decided().decision.get("entities", {}).get("address")
    return {
        "token": turn.token,
        "customer_phone": turn.customer_phone,
        "message_ids": [message.id for message in turn.messages],
        "state": "answered",
        "reply": reply_of(turn, after.state, now).to_dict(),
        "outcome": dict(outcome),
        "order": order_placed(turn.fetched(), after, str(address) if address else None),
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
        "order": None,
        "session": None,
    }
