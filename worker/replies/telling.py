"""Applying a model's cart operations, and telling the customer what they did: changes of the cart, what was not
possible and why, the total, the next step.

A model's own words stand before ours where they may stand at all; what is true of the cart, ours alone say.
Pure: no I/O.
"""

from collections.abc import Iterable, Sequence

from msgspec.structs import replace

from worker.catalog.product import Product
from worker.language.answers import asks, denies, folded, way_of_delivery
from worker.language.normalise import normalised
from worker.language.spelling import stem
from worker.language.topics import is_address
from worker.messages.reply import MAX_INTERACTIVE_CHARS, MAX_QUICK_REPLIES, MAX_ROWS, Choices, QuickReply, Row
from worker.messages.text import clip, clip_at_sentence
from worker.replies import checkout
from worker.replies.buttons import CHECKOUT, VIEW_CART, buttons, product_choices
from worker.replies.cart_changes import changed
from worker.replies.cart_lines import changed_lines, fitted, shown_cart
from worker.replies.scene import Scene
from worker.replies.summary import DELIVERY, ways_of
from worker.session.outcome import Decision, Effects
from worker.session.session import CHECKOUT_STATES, MAX_DETAIL_CHARS, Checkout
from worker.shop.shop import Shop

#: States that a decision of a model may move a conversation to; the others belong to the checkout.
MODEL_STATES = frozenset({"browsing", "searching", "viewing_product", "adding_to_cart", "viewing_cart"})
#: An address of fewer words is none ("casa"): it would be delivered to nobody.
LEAST_ADDRESS_WORDS = 2
#: Intents whose answer shows products to choose from. Who wants one and has not said which is asked among them too.
SEARCHES = frozenset({"search_product", "browse_category"})
SHOWING = SEARCHES | {"add_to_cart"}


def told(decision: Decision, scene: Scene, details: Checkout | None = None, problems: Sequence[str] = ()) -> Decision:
    """The decision with its effects (the cart operations are applied here), and with words and buttons about them.

    Args:
        details: of the order to come, where they are known better than from the decision.
        problems: in words, of what was not possible before.
    """
    shop, session = scene.shop, scene.session
    decision = replace(decision, next_state=decision.next_state if decision.next_state in MODEL_STATES else None)
    if not session.id:
        # What everybody is answered shows nobody's cart and gives nobody's details.
        return _unchanged(decision, scene, Effects())
    change = changed(shop, session.cart, decision.cart_operations, scene.products)
    change = replace(change, problems=(*problems, *change.problems))
    details = details or details_of(decision, scene, untouched=not decision.cart_operations)
    effects = Effects(
        cart=change.cart if change.cart != session.cart else None,
        checkout=details if details != session.context.checkout else None,
        proposed=len(decision.cart_operations),
        refused=change.refused,
    )
    changes = changed_lines(shop, session.cart, change.cart)
    if _wants_checkout(decision, scene, effects):
        next_step = checkout.proceed(shop, change.cart, details, scene.version, change.problems, changes)
        return _joined(decision, next_step, scene, effects)
    if change.problems or changes:
        lines = changes or shown_cart(shop, change.cart)
        return _with_words(decision, scene, change.problems, lines, effects)
    if decision.intent == "view_cart" or decision.cart_operations:
        # Operations that change nothing leave no word of a change either.
        return _with_words(replace(decision, reply=""), scene, (), shown_cart(shop, change.cart), effects)
    return _unchanged(decision, scene, effects)


def _wants_checkout(decision: Decision, scene: Scene, effects: Effects) -> bool:
    """Returns whether the checkout goes on with this reply: the customer wants to buy, or is buying and has changed
    something. Who asks a question gets its answer first, and who needs a person gets one.
    """
    if decision.requires_human:
        return False
    goes_on = scene.session.state in CHECKOUT_STATES and (effects.cart is not None or effects.checkout is not None)
    begins = decision.intent == "checkout" and not asks(scene.text)
    return goes_on or begins


def _joined(decision: Decision, next_step: Decision, scene: Scene, effects: Effects) -> Decision:
    """A step of the checkout with the effects of what came before it."""
    step = next_step.effects
    both = replace(effects, checkout=step.checkout, asking=step.asking, version=step.version)
    quick, choices = _undoable(scene.shop, next_step, _undo(scene, effects))
    return replace(
        next_step,
        entities=decision.entities,
        cart_operations=decision.cart_operations,
        effects=both,
        quick_replies=quick,
        choices=choices,
        intent=decision.intent,
        confidence=decision.confidence,
    )


def _undoable(
    shop: Shop, step: Decision, undo: tuple[QuickReply, ...]
) -> tuple[tuple[QuickReply, ...], Choices | None]:
    """Buttons and list of a step of the checkout, among them the one that undoes; all answers to its question stay."""
    quick, choices = step.quick_replies, step.choices
    if step.effects.asking == "confirm":
        # A summary that has no buttons is too long for any.
        return quick and (*quick[:1], *undo, *quick[1:]), choices
    if not choices and len(quick) + len(undo) <= MAX_QUICK_REPLIES:
        return (*quick, *undo), None
    rows = (*(choices.rows if choices else ()), *(Row(one.id, one.title) for one in (*quick, *undo)))
    if not undo or len(rows) > MAX_ROWS:
        return quick, choices
    return (), Choices(shop.text("button.choices"), rows)


def _undo(scene: Scene, effects: Effects) -> tuple[QuickReply, ...]:
    return buttons(scene.shop, f"undo:{scene.version}") if effects.cart is not None else ()


def _with_words(
    decision: Decision, scene: Scene, problems: Sequence[str], lines: Sequence[str], effects: Effects
) -> Decision:
    """The decision with our lines behind its words, or instead of them: where there were problems, they may say what
    was not done.
    """
    ours = fitted(scene.shop, problems, lines, MAX_INTERACTIVE_CHARS)
    words = "" if problems else clip_at_sentence(decision.reply, MAX_INTERACTIVE_CHARS - len(ours) - 2)
    has_cart = bool(effects.cart if effects.cart is not None else scene.session.cart)
    onward = buttons(scene.shop, VIEW_CART, *([CHECKOUT] if has_cart else []))
    return replace(
        decision,
        reply=f"{words}\n\n{ours}" if words else ours,
        quick_replies=(*_undo(scene, effects), *onward),
        effects=effects,
    )


def _unchanged(decision: Decision, scene: Scene, effects: Effects) -> Decision:
    """A decision that changes no cart: with the products to choose from, and with a way back to a summary which still
    stands. None that confirms it: under words which may ask something else, a tap could be meant for those. Sections
    have no list of what a search for the customer's words has found.
    """
    context = scene.session.context
    found, choices = scene.products[: scene.searched], None
    if decision.intent in SHOWING and not decision.requires_human:
        told_of = decision.intent == "search_product" or _speaks_of(decision.reply, found)
        choices = product_choices(scene.shop, by_mention(decision.reply, found)) if told_of else None
    onward = buttons(scene.shop, CHECKOUT) if context.version and scene.session.cart else ()
    quick = (*onward, *decision.quick_replies)
    has_buttons = bool(choices or quick)
    return replace(
        decision,
        reply=clip_at_sentence(decision.reply, MAX_INTERACTIVE_CHARS) if has_buttons else decision.reply,
        choices=choices,
        quick_replies=quick,
        effects=effects,
    )


def _speaks_of(reply: str, found: Sequence[Product]) -> bool:
    """Returns whether a reply names one of the products, or in other words all of them: "leches y arroces"."""
    words = folded(reply)
    if any(_place(words, product) for product in found):
        return True
    first = {stem(name[0]) for product in found if (name := normalised(product.name).split())}
    return bool(first) and first.issubset(map(stem, normalised(reply).split()))


def by_mention(reply: str, products: Iterable[Product]) -> list[Product]:
    """Products in the order in which a reply names them, so that its "the second" is the list's; then the others."""
    words = folded(reply)
    return sorted(products, key=lambda product: _place(words, product) or len(words) + 1)


def _place(words: str, product: Product) -> int:
    """Place at which the folded words of a reply name a product, from 1; 0 where they do not."""
    # "Leche" stands in the line of "Leche entera" too: the whole name tells more.
    found = (words.find(folded(name)) + 1 for name in (product.full_name, product.name))
    return next(filter(None, found), 0)


def details_of(decision: Decision, scene: Scene, *, untouched: bool) -> Checkout:
    """The details that were known, with those that this turn gives: a model's, where the customer has said the same in
    this conversation, and answers to what we have asked for.

    Args:
        untouched: nothing is done to the cart, so that the words may be all an answer.
    """
    known = scene.session.context.checkout
    address = _said(decision, scene, "address") or (_given_address(scene) if untouched else "")
    if address and folded(address) != folded(known.address):
        known = replace(known, address=address, area="", delivery=DELIVERY)
    if note := _said(decision, scene, "note"):
        known = replace(known, note=note)
    return _answered(known, scene) if scene.session.state in CHECKOUT_STATES and not asks(scene.text) else known


def _said(decision: Decision, scene: Scene, name: str) -> str:
    """A detail that a model has understood; empty where the customer has not said it."""
    value = decision.entities.get(name)
    words = folded(value) if isinstance(value, str) else ""
    said = [scene.text, *(exchange.customer for exchange in scene.session.context.history)]
    is_short = name == "address" and len(words.split()) < LEAST_ADDRESS_WORDS
    is_said = any(f" {words} " in f" {folded(text)} " for text in said)
    return clip(str(value).strip(), MAX_DETAIL_CHARS) if words and is_said and not is_short else ""


def _given_address(scene: Scene) -> str:
    """The whole text where we have asked for an address and it is one."""
    text = " ".join(scene.text.split())
    asked = scene.session.context.asking == "address" and is_address(text)
    return clip(text, MAX_DETAIL_CHARS) if asked else ""


def _answered(known: Checkout, scene: Scene) -> Checkout:
    """The details with the answers to questions of the checkout."""
    asking, text = scene.session.context.asking, scene.text
    way = way_of_delivery(text)
    area = scene.shop.area_of(text) if asking == "area" and not denies(text) else None
    return replace(
        known,
        payment=scene.payment_in(text) or known.payment,
        delivery=way if way in ways_of(scene.shop) else known.delivery,
        area=area.name if area else known.area,
    )
