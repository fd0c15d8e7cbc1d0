"""Closing a decided turn: the session after it, the reply and the order that are committed together. Pure: no I/O."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from worker.messages.reply import Reply, expires_at, within_limits
from worker.session.cart import Cart, changed_cart, offered_items
from worker.session.handover import MODEL, answered_by_ai, handed_over
from worker.session.outcome import SILENT, Outcome, StoredOutcome
from worker.session.session import CHECKOUT_STATES, Context, Exchange, Order, Session, advance, orders_placed
from worker.session.turn import Turn


class Closing(Struct, frozen=True):
    """End of a turn as `update_session_cache` commits it.

    Args:
        message_ids: of table `messages`.
        state: of the messages from now on: answered, closed or dead.
        reply: None where no reply is due.
        error: reason of a dead letter.
        session: None where it stays as it is.
    """

    token: str
    customer_phone: str
    message_ids: tuple[int, ...]
    state: str
    reply: Reply | None
    outcome: StoredOutcome
    error: str | None = None
    orders: tuple[Order, ...] = ()
    session: Session | None = None

    def row(self) -> dict[str, Any]:
        """The JSON form that `update_session_cache` takes; it calls the session's id `id`."""
        row: dict[str, Any] = msgspec.to_builtins(self)
        if self.session:
            row["session"]["id"] = self.session.id
        return row


def close(turn: Turn, now: datetime, human_wait_s: float) -> Closing:
    """Closes a turn with its reply, or in silence where a person answers.

    Args:
        human_wait_s: how long the AI keeps silent where this turn hands over to a person.
    """
    before, cart = turn.fetched(), cart_after(turn)
    after = session_after(turn, cart, now, human_wait_s)
    silent = turn.decided().source == SILENT
    return Closing(
        turn.token,
        turn.customer_phone,
        turn.message_ids,
        state="closed" if silent else "answered",
        reply=None if silent else reply_of(turn, after.state, now),
        outcome=turn.stored_outcome(),
        orders=orders_placed(before, after, cart),
        session=after,
    )


def bury(turn: Turn, session_state: str, error: str, now: datetime) -> Closing:
    """Closes a turn that has used up its attempts: a dead letter and an apology.

    The apology answers no message (`in_reply_to` is empty), so that a replayed letter is still answered exactly once.
    """
    return Closing(
        turn.token,
        turn.customer_phone,
        turn.message_ids,
        state="dead",
        reply=replace(reply_of(turn, session_state, now), in_reply_to=()),
        outcome=turn.stored_outcome(),
        error=error,
    )


def cart_after(turn: Turn) -> Cart:
    """The cart as the turn's operations leave it."""
    cart, operations = turn.fetched().cart, turn.decided().decision.cart_operations
    if not operations:
        return cart
    return changed_cart(cart, operations, offered_items(cart, turn.plan.products) if turn.plan else {})


def session_after(turn: Turn, cart: Cart, now: datetime, human_wait_s: float) -> Session:
    """The session as the turn leaves it. A decision that requires a person begins the wait for one."""
    outcome, after = turn.decided(), _advanced(turn, cart)
    if outcome.decision.requires_human:
        return replace(after, context=_waiting(after.context, outcome, now, human_wait_s))
    return replace(after, context=answered_by_ai(after.context))


def _waiting(context: Context, outcome: Outcome, now: datetime, wait_s: float) -> Context:
    """Only a text of ours tells of the wait, a model's may not."""
    reason, told = outcome.decision.human_reason or MODEL, outcome.source != "ai"
    return handed_over(context, now, wait_s=wait_s, reason=reason, told=told)


def _advanced(turn: Turn, cart: Cart) -> Session:
    before, outcome, plan = turn.fetched(), turn.decided(), turn.plan
    decision = outcome.decision
    # An answer for everybody was decided without seeing the session: it never ends a checkout.
    stays = plan is not None and plan.shared and before.state in CHECKOUT_STATES
    exchange = Exchange(turn.text, "" if outcome.source == SILENT else decision.reply)
    after = advance(before, exchange, cart, None if stays else decision.next_state, plan.terms if plan else ())
    # An order needs the address, which is given before it is confirmed; an answer for everybody has the shop's own.
    address = decision.entities.get("address") if plan and not plan.shared else None
    return replace(after, context=replace(after.context, address=str(address))) if address else after


def reply_of(turn: Turn, session_state: str, now: datetime) -> Reply:
    """The reply as the gateway gets it. Its id is the turn's token: a token commits once, so a reply exists once."""
    outcome = turn.decided()
    decision = outcome.decision
    reply = Reply(
        reply_id=turn.token,
        to=turn.customer_phone,
        in_reply_to=tuple(message.message_id for message in turn.messages),
        text=decision.reply,
        quick_replies=decision.quick_replies,
        intent=decision.intent,
        confidence=decision.confidence,
        requires_human=decision.requires_human,
        session_state=session_state,
        source=outcome.source,
        provider=outcome.provider,
        created_at=now,
        expires_at=expires_at(max(message.sent_at_s for message in turn.messages)),
    )
    return within_limits(reply)
