"""Telling a customer what a decision did: changes of the cart, what was not possible and why, the total, the next step.

A model's own words stand before ours where they may stand at all; what is true of the cart, ours alone say.
Pure: no I/O.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct
from msgspec.structs import replace

from worker.catalog.product import Product
from worker.language.answers import folded, way_of_delivery
from worker.messages.reply import MAX_INTERACTIVE_CHARS, QuickReply
from worker.messages.text import clip_at_sentence
from worker.replies import buttons, checkout
from worker.replies.cart_changes import Changed, changed
from worker.replies.cart_lines import changed_lines, shown_cart
from worker.session.outcome import Decision, Effects
from worker.session.session import CHECKOUT_STATES, Checkout, Session
from worker.session.turn import Turn
from worker.shop.shop import Shop

#: States that a decision of a model may move a conversation to; the others belong to the checkout.
MODEL_STATES = frozenset({"browsing", "searching", "viewing_product", "adding_to_cart", "viewing_cart"})
#: Intents whose answer shows products to choose from.
SEARCHES = frozenset({"search_product", "browse_category"})


#: Session of no customer.
NOBODY = Session(id="", customer_phone="")


class Scene(Struct, frozen=True):
    """All that a decision about a turn is told from.

    Args:
        products: rows of the catalogue that the customer may mean, best first.
        searched: how many of them, from the first on, this message asked for; the others were shown before.
        version: of what the reply shows, for its buttons: each turn's own.
        text: the customer's words.
    """

    shop: Shop
    session: Session
    version: str
    products: tuple[Product, ...] = ()
    searched: int = 0
    text: str = ""

    def payment_in(self, words: str) -> str | None:
        """The one payment method of the shop that is named in some words."""
        spoken = folded(words)
        named = [method for method in self.shop.payments if folded(method) in spoken]
        longest = max(named, key=len, default=None)
        return longest if longest and all(folded(other) in folded(longest) for other in named) else None


def scene_of(turn: Turn, shop: Shop) -> Scene:
    """The scene of a planned turn; that of a request which is everybody's knows nothing of this customer."""
    plan = turn.planned()
    session = NOBODY if plan.shared else turn.fetched()
    return Scene(shop, session, turn.version, plan.products, plan.searched, turn.text)


def told(decision: Decision, scene: Scene, details: Checkout | None = None) -> Decision:
    """The decision with the words and buttons about what it does, and its effects.

    Args:
        details: of the order to come, where they are known better than from the decision.
    """
    shop, session = scene.shop, scene.session
    outcome = changed(shop, session.cart, decision.cart_operations, scene.products)
    details = details or _details(decision, scene, untouched=outcome.cart == session.cart)
    effects = Effects(
        cart=outcome.cart if outcome.cart != session.cart else None,
        checkout=details if details != session.context.checkout else None,
        proposed=len(decision.cart_operations),
        refused=outcome.refused,
    )
    lines = [*outcome.problems, *changed_lines(shop, session.cart, outcome.cart)]
    if _wants_checkout(decision, scene, effects):
        lead = [*lines, ""] if lines else []
        next_step = checkout.proceed(shop, outcome.cart, details, scene.version, lead)
        return _joined(decision, next_step, effects, _undo(scene, effects))
    if decision.intent == "view_cart" and not lines:
        return _with_words(decision, scene, shown_cart(shop, outcome.cart), effects, alone=True)
    if lines:
        return _with_words(decision, scene, _with_cart(scene, outcome, lines), effects, alone=bool(outcome.problems))
    return _unchanged(decision, scene, effects)


def _details(decision: Decision, scene: Scene, *, untouched: bool) -> Checkout:
    """Details of the order to come: those of a decision, as far as they stand in the customer's own words of this
    conversation, and the address that we have just asked for.
    """
    known, context = scene.session.context.checkout, scene.session.context
    words = folded(" ".join([scene.text, *(exchange.customer for exchange in context.history)]))
    address = decision.entities.get("address")
    if isinstance(address, str) and address.strip() and folded(address) and folded(address) in words:
        known = replace(known, address=address.strip(), area="")
    elif context.asking == "address" and untouched and any(map(str.isdigit, scene.text)) and "?" not in scene.text:
        known = replace(known, address=scene.text, area="")
    if scene.session.state in CHECKOUT_STATES and "?" not in scene.text:
        known = replace(
            known,
            payment=scene.payment_in(scene.text) or known.payment,
            delivery=way_of_delivery(scene.text) or known.delivery,
        )
    note = decision.entities.get("note")
    if isinstance(note, str) and folded(note) and folded(note) in words:
        known = replace(known, note=note.strip())
    return known


def _wants_checkout(decision: Decision, scene: Scene, effects: Effects) -> bool:
    """Returns whether the checkout goes on with this reply: the customer wants to buy, or is buying and has changed
    something. Who asks a question gets its answer first.
    """
    goes_on = scene.session.state in CHECKOUT_STATES and (effects.cart is not None or effects.checkout is not None)
    begins = decision.intent == "checkout" and "?" not in scene.text
    return goes_on or begins


def _joined(decision: Decision, next_step: Decision, effects: Effects, undo: tuple[QuickReply, ...]) -> Decision:
    """A step of the checkout with the effects of what came before it."""
    step = next_step.effects
    both = replace(effects, checkout=step.checkout, asking=step.asking, version=step.version)
    quick = next_step.quick_replies
    kept = (*quick[:1], *undo, *quick[1:]) if quick or not next_step.choices else quick
    return replace(
        next_step,
        entities=decision.entities,
        cart_operations=decision.cart_operations,
        effects=both,
        quick_replies=kept,
        intent=decision.intent,
        confidence=decision.confidence,
    )


def _undo(scene: Scene, effects: Effects) -> tuple[QuickReply, ...]:
    return (buttons.undo(scene.shop, scene.version),) if effects.cart is not None else ()


def _with_cart(scene: Scene, outcome: Changed, lines: list[str]) -> list[str]:
    """Lines about what was not possible end with the cart as it is."""
    if not outcome.problems:
        return lines
    return [*outcome.problems, *shown_cart(scene.shop, outcome.cart)]


def _with_words(decision: Decision, scene: Scene, lines: list[str], effects: Effects, *, alone: bool) -> Decision:
    """The decision with our lines behind its words, or instead of them.

    Args:
        alone: its words may say what was not done.
    """
    ours = "\n".join(lines)
    words = "" if alone else clip_at_sentence(decision.reply, MAX_INTERACTIVE_CHARS - len(ours) - 2)
    has_cart = bool(effects.cart if effects.cart is not None else scene.session.cart)
    quick = [*_undo(scene, effects), buttons.view_cart(scene.shop)]
    quick += [buttons.checkout(scene.shop)] if has_cart else []
    return replace(
        decision,
        reply=f"{words}\n\n{ours}" if words else ours,
        quick_replies=tuple(quick),
        next_state=_state(decision),
        effects=effects,
    )


def _unchanged(decision: Decision, scene: Scene, effects: Effects) -> Decision:
    """A decision that changes no cart: with the products to choose from, and with the button that confirms a summary
    which still stands.
    """
    context = scene.session.context
    choices = None
    if decision.intent in SEARCHES and not decision.requires_human:
        choices = buttons.product_choices(scene.shop, by_mention(decision.reply, scene.products[: scene.searched]))
    confirm = (buttons.confirm(scene.shop, context.version),) if context.version and scene.session.cart else ()
    quick = (*confirm, *decision.quick_replies)
    has_buttons = bool(choices or quick)
    return replace(
        decision,
        reply=clip_at_sentence(decision.reply, MAX_INTERACTIVE_CHARS) if has_buttons else decision.reply,
        choices=choices,
        quick_replies=quick,
        next_state=_state(decision),
        effects=effects,
    )


def _state(decision: Decision) -> str | None:
    return decision.next_state if decision.next_state in MODEL_STATES else None


def by_mention(reply: str, products: Iterable[Product]) -> list[Product]:
    """Products in the order in which a reply names them, so that its "the second" is the list's; then the others."""
    words = folded(reply)

    def place(product: Product) -> int:
        found = [words.find(folded(name)) for name in (product.full_name, product.name)]
        return min((position for position in found if position >= 0), default=len(words))

    return sorted(products, key=place)
