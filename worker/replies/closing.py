"""Closing a decided turn: the session after it, the reply and the order that are committed together. Pure: no I/O."""

from datetime import datetime
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from worker.messages.reply import MAX_ROWS, Reply, expires_at, within_limits
from worker.replies.checkout import proceed
from worker.replies.kept_cart import KEPT_CART, with_kept_cart
from worker.replies.open_question import AGAIN, HOW_MANY, NOTHING, asks_how_many, marked, means_rows, open_question
from worker.replies.scene import scene_of
from worker.replies.telling import told
from worker.session.handover import MODEL, answered_by_ai, handed_over
from worker.session.machine import paced
from worker.session.outcome import SILENT, Decision, Effects, StoredOutcome
from worker.session.session import CHECKOUT_STATES, Context, Exchange, Order, Pace, Session, Undo, with_exchange
from worker.session.turn import Turn
from worker.shop.shop import Shop

#: State of a conversation whose order was placed.
ORDERED = "order_completed"
#: Products shown that stay offered until others have been shown in their place.
MAX_SHOWN = MAX_ROWS


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
        row["orders"] = [order.row() for order in self.orders]
        if self.session:
            row["session"] = self.session.row() | {"id": self.session.id}
        return row


def close(turn: Turn, shop: Shop, now: datetime, human_wait_s: float) -> Closing:
    """Closes a turn with its reply, or in silence where a person answers.

    Args:
        human_wait_s: how long the AI keeps silent where this turn hands over to a person.
    """
    decided = turn.decided()
    silent = decided.source == SILENT
    if not silent:
        decided = replace(decided, decision=with_kept_cart(_without_unmet_claims(turn, shop), turn.fetched(), shop))
        turn = replace(turn, outcome=decided)
    after = session_after(turn, now, human_wait_s)
    return Closing(
        turn.token,
        turn.customer_phone,
        turn.message_ids,
        state="closed" if silent else "answered",
        reply=None if silent else reply_of(turn, after.state, now),
        outcome=turn.stored_outcome(),
        orders=tuple(replace(order, channel=turn.channel) for order in decided.decision.effects.orders),
        session=after,
    )


def _without_unmet_claims(turn: Turn, shop: Shop) -> Decision:
    """The decision of a turn, without claims that its effects do not bear out, which earlier versions let through: such
    a decision is told anew, and an answer for everybody does nothing.
    """
    decision, session = turn.decided().decision, turn.fetched()
    is_ordered = decision.next_state == ORDERED and not decision.effects.orders
    if turn.plan and turn.plan.shared:
        state = None if is_ordered else decision.next_state
        return replace(decision, next_state=state, cart_operations=(), effects=Effects())
    if is_ordered:
        return proceed(shop, session.cart, session.context.checkout, turn.version)
    if turn.plan and decision.cart_operations and not decision.effects.proposed:
        return told(decision, scene_of(turn, shop))
    return decision


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


def session_after(turn: Turn, now: datetime, human_wait_s: float) -> Session:
    """The session as the turn leaves it. A decision that requires a person begins the wait for one."""
    outcome, after = turn.decided(), _advanced(turn, now)
    if outcome.decision.requires_human:
        reason = outcome.decision.human_reason or MODEL
        # Only a text of ours tells of the wait, a model's may not.
        told_so = outcome.source != "ai"
        waiting = handed_over(after.context, now, wait_s=human_wait_s, reason=reason, told=told_so)
        return replace(after, context=replace(waiting, pace=Pace()))
    pace = replace(paced(turn, now), replied_at_s=round(now.timestamp(), 1))
    return replace(after, context=replace(answered_by_ai(after.context), pace=pace))


def _advanced(turn: Turn, now: datetime) -> Session:
    before, outcome, plan = turn.fetched(), turn.decided(), turn.plan
    decision, effects = outcome.decision, outcome.decision.effects
    # An answer for everybody was decided without seeing the session: it never ends a checkout.
    stays = plan is not None and plan.shared and before.state in CHECKOUT_STATES
    exchange = Exchange(turn.text, "" if outcome.source == SILENT else decision.reply)
    return replace(
        with_exchange(before, exchange),
        state=before.state if stays else decision.next_state or before.state,
        cart=before.cart if effects.cart is None else effects.cart,
        context=_context(turn, with_exchange(before, exchange).context, now),
    )


def _context(turn: Turn, context: Context, now: datetime) -> Context:
    before, decision = turn.fetched(), turn.decided().decision
    effects, choices = decision.effects, decision.choices
    numbered = choices is not None and means_rows(decision.reply, choices)
    changes = effects.cart is not None or effects.checkout is not None
    left = _left_open(turn, numbered=numbered)
    return replace(
        context,
        terms=(turn.plan.terms if turn.plan else ()) or context.terms,
        checkout=context.checkout if effects.checkout is None else effects.checkout,
        asking=effects.asking or _still_asked(before, effects, decision.reply, left),
        version=effects.version or ("" if changes else context.version),
        summed_at_s=int(now.timestamp()) if effects.version else context.summed_at_s,
        ordered=context.version if effects.orders else context.ordered,
        undo=_undo(turn) if effects.cart is not None else context.undo,
        kept=context.kept if effects.kept is None else effects.kept,
        kept_shown=context.kept_shown or effects.asking == KEPT_CART,
        joined=context.joined and effects.asking != KEPT_CART and effects.kept is None,
        **_shown(turn, before.context, numbered=numbered),
        left_open=marked(left, context.history),
    )


def _left_open(turn: Turn, *, numbered: bool) -> str:
    """The question of the reply that a bare answer answers. What was said where no model could answer asks nothing."""
    outcome = turn.decided()
    decision = outcome.decision
    if outcome.source in (SILENT, "fallback") or decision.requires_human:
        return ""
    changed = decision.effects.cart is not None
    asked = open_question(decision.reply, decision.choices, numbered=numbered, changed=changed)
    # Behind a fixed text, which may have told of a problem, thanks are for a model.
    return "" if asked == NOTHING and outcome.source == "canned" else asked


def _still_asked(before: Session, effects: Effects, reply: str, left: str) -> str:
    """Our question that stays open while something else is talked of. A summary's does not: a later yes may be meant
    for something else; nor one that a number answers, where the reply asks how many of it is not certain what.
    """
    asking = before.context.asking
    stays = before.state in CHECKOUT_STATES and effects == Effects() and asking != "confirm"
    counts = asks_how_many(reply) and AGAIN.get(left, left) != HOW_MANY
    return asking if stays and (asking == "address" or not counts) else ""


def _undo(turn: Turn) -> Undo | None:
    """The cart before the turn; an order is not undone by a tap."""
    decision = turn.decided().decision
    # A decision out of the reply cache has the button of the turn that it was first made for.
    offered = [button.id for button in decision.quick_replies]
    offered += [row.id for row in decision.choices.rows] if decision.choices else []
    shown = (action.partition(":")[2] for action in offered if action.startswith("undo:"))
    return None if decision.effects.orders else Undo(next(shown, turn.version), turn.fetched().cart)


def _shown(turn: Turn, context: Context, *, numbered: bool) -> dict[str, Any]:
    """Products that are offered from now on: the rows of a list in their order, else the products of the request.

    Args:
        numbered: a number written next means a row of the list, whatever that is of.
    """
    choices, plan = turn.decided().decision.choices, turn.plan
    rows = [row.id.removeprefix("add:") for row in choices.rows if row.id.startswith("add:")] if choices else []
    asked_for = [product.sku for product in plan.products if product.sku] if plan else []
    # A number means a row of the list, and nothing that was shown before it.
    shown = dict.fromkeys(rows or [*asked_for, *context.shown])
    return {"shown": tuple(shown)[:MAX_SHOWN], "numbered": numbered and bool(rows)}


def reply_of(turn: Turn, session_state: str, now: datetime) -> Reply:
    """The reply as the gateway gets it. Its id is the turn's token: a token commits once, so a reply exists once."""
    outcome = turn.decided()
    decision = outcome.decision
    reply = Reply(
        reply_id=turn.token,
        to=turn.reached_at,
        in_reply_to=tuple(message.message_id for message in turn.messages),
        text=decision.reply,
        quick_replies=decision.quick_replies,
        choices=decision.choices,
        intent=decision.intent,
        confidence=decision.confidence,
        requires_human=decision.requires_human,
        session_state=session_state,
        source=outcome.source,
        provider=outcome.provider,
        created_at=now,
        expires_at=expires_at(max(message.sent_at_s for message in turn.messages)),
        channel=turn.channel,
    )
    return within_limits(reply)
