"""Acts that need no model: a tapped button or row, the number of a row, a plain yes or no, a cart of the catalogue.

All of it works while every provider is away. Pure: no I/O.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal, InvalidOperation

from msgspec import Struct
from msgspec.structs import replace

from worker.catalog.product import Product
from worker.language.answers import NO, YES, named_button, row_number, way_of_delivery, yes_or_no
from worker.language.topics import is_address
from worker.replies import buttons, checkout
from worker.replies.buttons import CART_VERBS, VERBS
from worker.replies.cart_lines import changed_lines, shown_cart
from worker.replies.telling import Scene, told
from worker.session.cart import Cart, CartOperation
from worker.session.outcome import Decision, Effects
from worker.session.session import Checkout, Context, Session
from worker.session.turn import Turn
from worker.session.turn_message import TurnMessage

LOCATION = "location"


class Act(Struct, frozen=True):
    """Something a customer does that has one meaning: a verb, and what it is done to."""

    verb: str
    object: str = ""
    quantity: str = ""


def acts_of(turn: Turn) -> tuple[Act, ...]:
    """The acts that a turn consists of; none where a model must read any part of it."""
    session = turn.fetched()
    found = [_acts(message, session) for message in turn.messages]
    if not all(found):
        return ()
    acts = [act for some in found for act in some]
    cart_acts = [act for act in acts if act.verb in CART_VERBS]
    others = list(dict.fromkeys(act for act in acts if act.verb not in CART_VERBS))
    # Two different answers at once say nothing plainly.
    return (*cart_acts, *others) if len(others) <= 1 else ()


def _acts(message: TurnMessage, session: Session) -> tuple[Act, ...]:
    if message.order:
        items = tuple(Act("order", item.sku.strip(), str(item.quantity)) for item in message.order.items)
        note = message.order.note
        return () if note and "?" in note else items + ((Act("note", note),) if note else ())
    if message.selection_id:
        return _tapped(message.selection_id)
    act = _written(message, session.context, session.state) if message.text else None
    return (act,) if act else ()


def _tapped(action: str) -> tuple[Act, ...]:
    verb, _, rest = action.partition(":")
    if verb in ("add", "remove") and rest:
        return (Act(verb, rest, "1"),)
    sku, _, count = rest.rpartition(":")
    if verb == "qty" and sku and _decimal(count) is not None:
        return (Act(verb, sku, count),)
    return (Act(verb, rest),) if VERBS.get(verb) is bool(rest) else ()


def _decimal(text: str) -> Decimal | None:
    """A positive quantity, None for any other text."""
    try:
        value = Decimal(text)
    except InvalidOperation:
        return None
    return value if value.is_finite() and value > 0 else None


def _written(message: TurnMessage, context: Context, state: str) -> Act | None:
    text = message.text or ""
    if quoted := message.quoted:
        row = row_number(text)
        if row and quoted.skus:
            return Act("add", quoted.skus[row - 1], "1") if row <= len(quoted.skus) else None
        # A yes beside another text than our summary of this very cart agrees to that.
        if row or (context.asking == "confirm" and f"confirm:{context.version}" not in quoted.actions):
            return None
    if context.asking == "address" and (message.type == LOCATION or is_address(text)):
        return Act("address", text)
    if context.numbered and (row := row_number(text)) and row <= len(context.shown):
        return Act("add", context.shown[row - 1], "1")
    if name := named_button(text):
        return Act(name)
    answer = yes_or_no(text)
    if context.asking:
        return _answer(context, answer, text)
    if answer == YES and state == "order_completed" and not message.refers:
        return Act("confirm", context.ordered)
    return None


def _answer(context: Context, answer: str | None, text: str) -> Act | None:
    """An answer to our open question."""
    if context.asking == "confirm":
        return Act("confirm", context.version) if answer == YES else Act("decline") if answer == NO else None
    if context.asking == "kept_cart":
        return Act("keep_cart") if answer == YES else Act("drop_cart") if answer == NO else None
    if answer == NO:
        return Act("decline")
    if context.asking == "delivery" and (way := way_of_delivery(text)):
        return Act("delivery", way)
    if context.asking in ("area", "payment"):
        number = row_number(text)
        return Act(context.asking, str(number - 1) if number else text)
    return None


def skus_of(acts: Iterable[Act]) -> tuple[str, ...]:
    """Products that must be looked up before the acts are done."""
    return tuple(dict.fromkeys(act.object for act in acts if act.verb in CART_VERBS))


def decision_of(acts: Sequence[Act], scene: Scene, by_sku: Mapping[str, Product]) -> Decision | None:
    """The decision that some acts are; None where a model must read them after all (a payment method that the shop
    does not have, say).

    Args:
        scene: its products are those of `by_sku`.
    """
    cart_acts = [act for act in acts if act.verb in CART_VERBS]
    other = next((act for act in acts if act.verb not in CART_VERBS), None)
    if not cart_acts:
        return _other(other, scene) if other else None
    return _cart_decision(cart_acts, other, scene, by_sku)


def _cart_decision(acts: Sequence[Act], other: Act | None, scene: Scene, by_sku: Mapping[str, Product]) -> Decision:
    in_cart = {item.sku: item.id for item in scene.session.cart if item.sku}
    ids = in_cart | {sku: product.id for sku, product in by_sku.items()}
    operations = tuple(_operation(act, ids[act.object]) for act in acts if act.object in ids)
    unknown = list(dict.fromkeys(act.object for act in acts if act.object not in ids))
    lead = [scene.shop.text("cart.unknown_products", skus=", ".join(unknown))] if unknown else []
    details = scene.session.context.checkout
    if other and other.verb == "note":
        details = replace(details, note=other.object)
    wants = "checkout" if other and other.verb in ("checkout", "confirm") else "add_to_cart"
    proposed = Decision(wants, 1.0, reply="\n".join(lead), cart_operations=operations)
    return told(proposed, scene, details)


def _operation(act: Act, product_id: int) -> CartOperation:
    if act.verb == "remove":
        return CartOperation("remove", product_id)
    return CartOperation("set" if act.verb == "qty" else "add", product_id, Decimal(act.quantity))


def _other(act: Act, scene: Scene) -> Decision | None:
    shop, session, version = scene.shop, scene.session, scene.version
    details = session.context.checkout
    match act.verb:
        case "view_cart":
            return _viewed(scene)
        case "confirm":
            return checkout.confirmed(shop, session, act.object, version)
        case "decline":
            return checkout.declined(shop, session)
        case "undo":
            return _undone(scene, act.object)
        case "keep_cart" | "drop_cart":
            return _kept(scene, keep=act.verb == "keep_cart")
        case "delivery" if act.object in (checkout.DELIVERY, checkout.PICKUP):
            details = replace(details, delivery=act.object)
        case "address":
            details = replace(details, address=act.object, area="", delivery=checkout.DELIVERY)
        case "area":
            if (area := _area_named(scene, act.object)) is None:
                return None
            details = replace(details, area=area)
        case "pay" | "payment":
            if (method := payment_named(scene, act.object)) is None:
                return None
            details = replace(details, payment=method)
        case "change":
            details = Checkout()
        case "checkout":
            pass
        case _:
            return None
    return checkout.proceed(shop, session.cart, details, version)


def _area_named(scene: Scene, given: str) -> str | None:
    if given == checkout.ELSEWHERE:
        return given
    if given.isdecimal():
        place = int(given)
        return scene.shop.areas[place].name if place < len(scene.shop.areas) else None
    found = scene.shop.area_of(given)
    return found.name if found else None


def payment_named(scene: Scene, given: str) -> str | None:
    """The shop's payment method that a number of a row or some words stand for; None where it is none, or several."""
    methods = scene.shop.payments
    if given.isdecimal():
        return methods[int(given)] if int(given) < len(methods) else None
    return scene.payment_in(given)


def _viewed(scene: Scene) -> Decision:
    cart = scene.session.cart
    quick = (buttons.checkout(scene.shop),) if cart else ()
    text = "\n".join(shown_cart(scene.shop, cart))
    return checkout.said(text, (*quick, buttons.person(scene.shop)), intent="view_cart", next_state="viewing_cart")


def _undone(scene: Scene, version: str) -> Decision:
    shop, cart, undo = scene.shop, scene.session.cart, scene.session.context.undo
    if undo is None or undo.version != version:
        lines = [shop.text("cart.nothing_to_undo"), *shown_cart(shop, cart)]
        return checkout.said("\n".join(lines), (buttons.view_cart(shop),), intent="modify_cart_quantity")
    return _replaced(scene, undo.cart, "undone", undone=True)


def _replaced(scene: Scene, cart: Cart, lead: str, *, undone: bool = False, kept: Cart | None = None) -> Decision:
    shop = scene.shop
    lines = [shop.text(f"cart.{lead}"), *changed_lines(shop, scene.session.cart, cart)]
    quick = (buttons.undo(shop, scene.version), buttons.view_cart(shop), buttons.checkout(shop))
    effects = Effects(cart=cart, undone=undone, kept=kept)
    return checkout.said("\n".join(lines), quick, intent="modify_cart_quantity", effects=effects)


def _kept(scene: Scene, *, keep: bool) -> Decision:
    shop, kept = scene.shop, scene.session.context.kept
    if not kept:
        return checkout.said(shop.text("cart.nothing_kept"), intent="view_cart")
    if not keep:
        told, intent = ("other_left", "view_cart") if scene.session.cart else ("left_behind", "clear_cart")
        return checkout.said(shop.text(f"cart.{told}"), intent=intent, effects=Effects(kept=()))
    return _replaced(scene, _merged(kept, scene.session.cart), "brought_back", kept=())


def _merged(kept: Cart, cart: Cart) -> Cart:
    """The kept lines, and those put in since; of a product in both, the newer line."""
    newer = {item.id for item in cart}
    return (*(item for item in kept if item.id not in newer), *cart)
