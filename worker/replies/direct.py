"""Decisions about acts that need no model. All of it works while every provider is away. Pure: no I/O."""

from collections.abc import Mapping, Sequence
from decimal import Decimal

from msgspec.structs import replace

from worker.catalog.product import PIECES, Product
from worker.language.answers import denies, folded, says_only, spelled_out
from worker.messages.text import clip
from worker.replies import checkout
from worker.replies.acts import CHANGING, PIECES_VERB, Act
from worker.replies.buttons import CHECKOUT, PERSON, VIEW_CART, buttons
from worker.replies.cart_lines import changed_lines, shown_cart
from worker.replies.open_question import asked_again
from worker.replies.scene import Scene
from worker.replies.summary import DELIVERY, ways_of
from worker.replies.telling import told
from worker.session.cart import Cart, CartOperation
from worker.session.outcome import Decision, Effects
from worker.session.session import MAX_DETAIL_CHARS, Checkout

#: Unknown products that are named at once.
MAX_UNKNOWN = 5


def decision_of(acts: Sequence[Act], scene: Scene, by_sku: Mapping[str, Product]) -> Decision | None:
    """The decision that some acts are; None where a model must read them after all (a payment method that the shop
    does not have, say).

    Args:
        scene: its products are those of `by_sku`.
    """
    cart_acts = [act for act in acts if act.verb in CHANGING]
    other = next((act for act in acts if act.verb not in CHANGING), None)
    by_the_piece = {sku for sku, product in by_sku.items() if product.unit == PIECES}
    if any(act.verb == PIECES_VERB and act.object not in by_the_piece for act in cart_acts):
        return None
    if not cart_acts:
        return _other(other, scene) if other else None
    return _cart_decision(cart_acts, other, scene, by_sku)


def _cart_decision(acts: Sequence[Act], other: Act | None, scene: Scene, by_sku: Mapping[str, Product]) -> Decision:
    in_cart = {item.sku: item.id for item in scene.session.cart if item.sku}
    ids = in_cart | {sku: product.id for sku, product in by_sku.items()}
    operations = tuple(_operation(act, ids[act.object]) for act in acts if act.object in ids)
    unknown = list(dict.fromkeys(act.object for act in acts if act.object not in ids))
    problems = [scene.shop.text("cart.unknown_products", skus=_listed(unknown))] if unknown else []
    details = scene.session.context.checkout
    if other and other.verb == "note":
        details = replace(details, note=clip(other.object, MAX_DETAIL_CHARS))
    wants = "checkout" if other and other.verb in ("checkout", "confirm") else "add_to_cart"
    return told(Decision(wants, 1.0, cart_operations=operations), scene, details, problems)


def _listed(skus: Sequence[str]) -> str:
    return ", ".join(clip(sku, MAX_DETAIL_CHARS // MAX_UNKNOWN) for sku in skus[:MAX_UNKNOWN]) + (
        "…" if len(skus) > MAX_UNKNOWN else ""
    )


def _operation(act: Act, product_id: int) -> CartOperation:
    if act.verb == "remove":
        return CartOperation("remove", product_id)
    return CartOperation("set" if act.verb == "qty" else "add", product_id, Decimal(act.quantity))


def _other(act: Act, scene: Scene) -> Decision | None:
    """The decision for an act that names no product: about the cart as a whole, or a step of the checkout with the
    detail that the act gives. None where it stands for nothing here.
    """
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
        case "delivery" if act.object in ways_of(shop):
            details = replace(details, delivery=act.object)
        case "address":
            address = clip(" ".join(act.object.split()), MAX_DETAIL_CHARS)
            details = replace(details, address=address, area="", delivery=DELIVERY)
        case "area" | "named_area":
            area = _area(scene, act.object) if act.verb == "area" else _named_area(scene, act.object)
            if area is None:
                return None
            details = replace(details, area=area)
        case "pay" | "named_pay":
            methods = scene.shop.payments
            method = _at(methods, act.object) if act.verb == "pay" else _named_payment(scene, act.object)
            if method is None:
                return None
            details = replace(details, payment=method)
        case "change":
            details = Checkout()
        case "leave" | "welcome" | "ask_which" | "ask_how_many" | "ask_what" | "ask_more":
            return asked_again(act.verb, scene)
        case "checkout":
            pass
        case _:
            return None
    return checkout.proceed(shop, session.cart, details, version)


def _area(scene: Scene, place: str) -> str | None:
    """The area that a row stands for."""
    return place if place == checkout.ELSEWHERE else _at([area.name for area in scene.shop.areas], place)


def _at(names: Sequence[str], place: str) -> str | None:
    """The name at a place, which is a text from outside."""
    return next((name for number, name in enumerate(names) if str(number) == place), None)


def _named_area(scene: Scene, given: str) -> str | None:
    """The area that a text names, where it does nothing else."""
    found = None if denies(given) else scene.shop.area_of(given)
    names = folded(" ".join([found.name, *found.names])).split() if found else []
    return found.name if found and says_only(given, names) else None


def _named_payment(scene: Scene, given: str) -> str | None:
    """The shop's payment method that a text names, where it does nothing else."""
    method = scene.payment_in(given)
    return method if method and says_only(spelled_out(folded(given)), folded(method).split()) else None


def _viewed(scene: Scene) -> Decision:
    cart = scene.session.cart
    quick = buttons(scene.shop, *([CHECKOUT] if cart else []), PERSON)
    text = "\n".join(shown_cart(scene.shop, cart))
    return checkout.said(text, quick, intent="view_cart", next_state="viewing_cart")


def _undone(scene: Scene, version: str) -> Decision:
    shop, cart, undo = scene.shop, scene.session.cart, scene.session.context.undo
    if undo is None or undo.version != version:
        lines = [shop.text("cart.nothing_to_undo"), *shown_cart(shop, cart)]
        return checkout.said("\n".join(lines), buttons(shop, VIEW_CART), intent="modify_cart_quantity")
    return _replaced(scene, undo.cart, "undone", undone=True)


def _replaced(scene: Scene, cart: Cart, lead: str, *, undone: bool = False, kept: Cart | None = None) -> Decision:
    shop = scene.shop
    lines = [shop.text(f"cart.{lead}"), *changed_lines(shop, scene.session.cart, cart)]
    quick = buttons(shop, f"undo:{scene.version}", VIEW_CART, CHECKOUT)
    effects = Effects(cart=cart, undone=undone, kept=kept)
    return checkout.said("\n".join(lines), quick, intent="modify_cart_quantity", effects=effects)


def _kept(scene: Scene, *, keep: bool) -> Decision:
    shop, kept = scene.shop, scene.session.context.kept
    if not kept:
        return checkout.said(shop.text("cart.nothing_kept"), intent="view_cart")
    if not keep:
        told, intent = ("other_left", "view_cart") if scene.session.cart else ("left_behind", "clear_cart")
        return checkout.said(shop.text(f"cart.{told}"), intent=intent, effects=Effects(kept=()))
    # Of a product in both the newer line stays.
    newer = {item.id for item in scene.session.cart}
    merged = (*(item for item in kept if item.id not in newer), *scene.session.cart)
    return _replaced(scene, merged, "brought_back", kept=())
