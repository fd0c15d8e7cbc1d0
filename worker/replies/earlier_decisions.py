"""Decisions that a worker of the version before has made, which left what they do to the commit. Pure: no I/O."""

from msgspec.structs import replace

from worker.replies.checkout import proceed
from worker.replies.scene import scene_of
from worker.replies.telling import told
from worker.session.outcome import Decision, Effects
from worker.session.turn import Turn
from worker.shop.shop import Shop

#: State of a conversation whose order was placed.
ORDERED = "order_completed"


def of_today(turn: Turn, shop: Shop) -> Decision:
    """The decision of a turn, in which nothing is said to be done that its effects do not hold: one of the version
    before is told anew, and no answer for everybody does anything.
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
