"""The checkout: what is still to be asked, the summary, and the order that a customer's yes to it places.

No model has a part in it: it begins where a customer wants to buy, asks for one detail after the other, sums up, and
places an order only by an act on the summary of this very cart. Pure: no I/O.
"""

from collections.abc import Sequence
from decimal import Decimal

from msgspec.structs import replace

from worker.catalog.product import Product
from worker.messages.reply import (
    MAX_INTERACTIVE_CHARS,
    MAX_QUICK_REPLIES,
    MAX_ROWS,
    MAX_TITLE_CHARS,
    Choices,
    QuickReply,
    Row,
)
from worker.replies.buttons import CHECKOUT, PERSON, VIEW_CART, buttons, options
from worker.replies.cart_changes import still_there
from worker.replies.cart_lines import fitted, shown_cart, totals
from worker.replies.summary import (
    DELIVERY,
    PICKUP,
    area_of,
    in_currency,
    in_full,
    orders_of,
    summary,
    version_of,
    ways_of,
)
from worker.session.cart import Cart, cost
from worker.session.outcome import Decision, Effects
from worker.session.session import Checkout, Session
from worker.shop.shop import DeliveryArea, Shop

#: Area of a customer who lives in none of those in the shop's file.
ELSEWHERE = "?"


def said(
    text: str, quick_replies: Sequence[QuickReply] = (), *, intent: str = "checkout", **values: object
) -> Decision:
    """A decision of ours, with full confidence."""
    return Decision(intent, 1.0, reply=text, quick_replies=tuple(quick_replies), **values)  # type: ignore[arg-type]


def proceed(
    shop: Shop, cart: Cart, details: Checkout, token: str, lead: Sequence[str] = (), changes: Sequence[str] = ()
) -> Decision:
    """The next question of the checkout, or the summary where nothing is left to ask.

    Args:
        token: of the turn, for the version of what is summed up.
        lead: lines that stand before it.
        changes: of the cart, behind the lead.
    """
    if not cart:
        lines = list(dict.fromkeys([*changes, shop.text("cart.empty")]))
        return said(fitted(shop, lead, lines, MAX_INTERACTIVE_CHARS), effects=Effects(checkout=details))
    details = _completed(shop, details)
    area = area_of(shop, details)
    question = _question(shop, cart, details, area)
    if question is not None:
        gap = [""] if lead or changes else []
        text = fitted(shop, lead, [*changes, *gap, question.reply], MAX_INTERACTIVE_CHARS)
        return replace(question, reply=text)
    lines = summary(shop, cart, details, area)
    version = version_of(token, lines)
    text, fits = in_full(shop, lead, changes, lines)
    quick = buttons(shop, f"confirm:{version}", "change", PERSON)
    effects = Effects(checkout=details, asking="confirm", version=version)
    return said(text, quick if fits else (), next_state="confirming_order", effects=effects)


def _completed(shop: Shop, details: Checkout) -> Checkout:
    """The details that the shop takes, with those that leave no choice."""
    ways = ways_of(shop) or [PICKUP if shop.delivers is False else DELIVERY]
    # Who has given an address wants it delivered.
    chosen = details.delivery or (DELIVERY if details.address else "")
    delivery = chosen if chosen in ways else ways[0] if len(ways) == 1 else ""
    named = shop.area_of(details.address) if details.address and not details.area else None
    payment = details.payment if details.payment in shop.payments else ""
    payment = shop.payments[0] if len(shop.payments) == 1 else payment
    return replace(details, delivery=delivery, area=named.name if named else details.area, payment=payment)


def _question(shop: Shop, cart: Cart, details: Checkout, area: DeliveryArea | None) -> Decision | None:
    """The next question, or what stands in the way; None where the order can be summed up."""
    if not details.delivery:
        ways = buttons(shop, f"delivery:{DELIVERY}", f"delivery:{PICKUP}")
        return _asked(shop.text("checkout.how_delivered"), "delivery", details, ways)
    if details.delivery == DELIVERY:
        if not details.address:
            return _asked(shop.text("checkout.which_address"), "address", details, state="waiting_address")
        if shop.areas and area is None:
            return _area_question(shop, details)
        if area and (minimum := area.missed_minimum(cost(in_currency(shop, cart)))) is not None:
            return _too_little(shop, cart, details, area, minimum)
    if shop.payments and not details.payment:
        return _payment_question(shop, details)
    return None


def _asked(
    text: str,
    asking: str,
    details: Checkout,
    quick_replies: tuple[QuickReply, ...] = (),
    choices: Choices | None = None,
    state: str = "checkout",
) -> Decision:
    effects = Effects(checkout=details, asking=asking)
    return said(text, quick_replies, choices=choices, next_state=state, effects=effects)


def _area_question(shop: Shop, details: Checkout) -> Decision:
    if details.area == ELSEWHERE:
        quick = (*_pickup(shop), *buttons(shop, PERSON))
        return _asked(shop.text("checkout.other_area"), "area", replace(details, area=""), quick)
    elsewhere = Row(f"area:{ELSEWHERE}", shop.text("button.other_area"))
    return _choice(shop, details, "area", "area", [area.name for area in shop.areas], elsewhere)


def _payment_question(shop: Shop, details: Checkout) -> Decision:
    titles = shop.payments
    if len(titles) > MAX_QUICK_REPLIES or any(len(title) > MAX_TITLE_CHARS for title in titles):
        return _choice(shop, details, "payment", "pay", titles)
    quick = tuple(QuickReply(row.id, row.title) for row in options("pay", titles))
    return _asked(shop.text("checkout.which_payment"), "payment", details, quick)


def _choice(shop: Shop, details: Checkout, asking: str, verb: str, titles: Sequence[str], *more: Row) -> Decision:
    """A question with its answers as rows of a list, numbered in the text."""
    named = "\n".join(f"{place}. {title}" for place, title in enumerate(titles, 1))
    rows = (*options(verb, titles[: MAX_ROWS - len(more)]), *more)
    text = f"{shop.text(f'checkout.which_{asking}')}\n{named}"
    return _asked(text, asking, details, choices=Choices(shop.text("button.choices"), rows))


def _too_little(shop: Shop, cart: Cart, details: Checkout, area: DeliveryArea, minimum: Decimal) -> Decision:
    text = shop.text(
        "checkout.below_minimum",
        area=area.name,
        minimum=shop.amount(minimum, shop.currency),
        subtotal=totals(shop, cart),
    )
    return _asked(text, "", details, (*buttons(shop, VIEW_CART), *_pickup(shop)))


def _pickup(shop: Shop) -> tuple[QuickReply, ...]:
    return buttons(shop, f"delivery:{PICKUP}") if shop.pickup else ()


def confirmed(shop: Shop, session: Session, version: str, token: str) -> Decision:
    """The decision about a customer's yes to a summary: the order, if it is that of this cart; else the cart as it is.

    Args:
        version: of the summary that was agreed to.
        token: of the turn, for a summary that must be shown instead.
    """
    context = session.context
    if version and version == context.ordered:
        return said(shop.text("checkout.placed_already"), effects=Effects(asking="ordered"))
    if not version or version != context.version or not _stands(shop, session):
        lead = [shop.text("checkout.old_summary")] if session.cart else []
        return proceed(shop, session.cart, context.checkout, token, lead)
    orders = orders_of(shop, session.cart, context.checkout, session.customer_name)
    _, *lines, _ = summary(shop, session.cart, context.checkout, area_of(shop, context.checkout))
    return said(
        "\n".join([shop.text("checkout.placed"), *lines]),
        next_state="order_completed",
        effects=Effects(cart=(), orders=orders, checkout=Checkout(), asking="ordered"),
    )


def _stands(shop: Shop, session: Session) -> bool:
    """Returns whether the last summary would say the same now: the shop may have changed a fee, an area, a payment."""
    if not session.cart:
        return False
    details = _completed(shop, session.context.checkout)
    area = area_of(shop, details)
    token, version = session.context.version.partition("-")[0], session.context.version
    is_same = version == version_of(token, summary(shop, session.cart, details, area))
    return is_same and _question(shop, session.cart, details, area) is None


def declined(shop: Shop, session: Session) -> Decision:
    """The decision about a customer's no: nothing is ordered, and the cart stays."""
    lines = [shop.text("checkout.not_confirmed"), *shown_cart(shop, session.cart)]
    quick = buttons(shop, CHECKOUT, PERSON)
    # The details end what the summary has offered: no later yes is one to it.
    effects = Effects(checkout=session.context.checkout)
    return said("\n".join(lines), quick, next_state="viewing_cart", effects=effects)


def summed_up_anew(shop: Shop, session: Session, token: str, products: Sequence[Product]) -> Decision:
    """The summary that takes the place of an order which could not be placed: with today's prices, and with what is
    still there.

    Args:
        products: those of the cart as they are now; one that is missing is not sold any more.
    """
    cart, lines = still_there(shop, session.cart, products)
    decision = proceed(shop, cart, session.context.checkout, token, [shop.text("checkout.changed_meanwhile"), *lines])
    return replace(decision, effects=replace(decision.effects, cart=cart))
