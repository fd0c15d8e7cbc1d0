"""The cart of the conversation before, and the question what shall become of it. Pure: no I/O."""

from msgspec.structs import replace

from worker.messages.reply import MAX_INTERACTIVE_CHARS
from worker.messages.text import clip_at_sentence
from worker.replies.buttons import button
from worker.replies.cart_lines import shown_cart
from worker.session.outcome import Decision
from worker.session.session import CHECKOUT_STATES, Session
from worker.shop.shop import Shop

#: Name of the question, as it stands in the session.
KEPT_CART = "kept_cart"
#: Texts and buttons of it: where the cart takes the place of the one now, and where it would be added to that.
OFFERS = (("bring_back", "go_on", "keep", "drop"), ("joined", "add_other", "add_other", "leave_other"))


def with_kept_cart(decision: Decision, session: Session, shop: Shop) -> Decision:
    """The decision, with the question below it where the cart of before is in question: once in a conversation, once
    more after it became one with another, and where the customer wants to see or to buy what is in an empty cart.
    """
    is_wanted = not session.cart and decision.intent in ("checkout", "view_cart")
    is_due = session.context.kept and (is_wanted or session.context.joined or not session.context.kept_shown)
    return _asking(decision, session, shop) if is_due and _has_room(decision, session) else decision


def _has_room(decision: Decision, session: Session) -> bool:
    """Returns whether nothing else is asked, or done that has buttons of its own."""
    effects = decision.effects
    is_open = decision.requires_human or effects.asking or effects.kept is not None or effects.orders
    if session.context.joined:
        # To be said with the next reply, also beside a change of the cart.
        return not is_open
    is_buying = bool(session.cart) and session.state in CHECKOUT_STATES
    return not (is_open or is_buying or effects.cart is not None)


def _asking(decision: Decision, session: Session, shop: Shop) -> Decision:
    lead, question, yes, no = OFFERS[bool(session.context.joined and session.cart)]
    lines = [shop.text(f"cart.{lead}"), *shown_cart(shop, session.context.kept)[1:], shop.text(f"cart.{question}")]
    ours = "\n".join(lines)
    # Beside a change of the cart, which stays one to take back.
    undo = [one for one in decision.quick_replies if one.id.startswith("undo:")]
    quick = (button(shop, "keep_cart", yes), button(shop, "drop_cart", no), *undo)
    return replace(
        decision,
        reply="\n".join([clip_at_sentence(decision.reply, MAX_INTERACTIVE_CHARS - len(ours) - 2), "", ours]),
        quick_replies=quick,
        choices=None,
        effects=replace(decision.effects, asking=KEPT_CART),
    )
