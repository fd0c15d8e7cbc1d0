"""Summary of an order before it is placed, and the orders that a yes to it places. Pure: no I/O."""

from collections.abc import Sequence
from decimal import Decimal
from hashlib import blake2b

from worker.messages.reply import MAX_INTERACTIVE_CHARS
from worker.messages.text import MAX_TEXT_CHARS, clip
from worker.replies.cart_lines import cart_lines, fitted, totals
from worker.session.cart import Cart, by_currency, cost
from worker.session.session import Checkout, Order
from worker.shop.money import CENT
from worker.shop.shop import DeliveryArea, Shop

DELIVERY, PICKUP = "delivery", "pickup"
#: Of an address and of a note that are shown, so that the question below them is; the shop gets all of it.
MAX_ADDRESS_CHARS, MAX_NOTE_CHARS = 120, 60
#: Products that are named: so many fit into a text without buttons, and into a cart of WhatsApp's catalogue.
MAX_NAMED = 30


def ways_of(shop: Shop) -> list[str]:
    """Ways in which this shop's goods reach a customer; none where its file does not say."""
    return [*([DELIVERY] if shop.areas or shop.delivers else []), *([PICKUP] if shop.pickup else [])]


def area_of(shop: Shop, details: Checkout) -> DeliveryArea | None:
    """The delivery area of an order, as the shop has it today."""
    return next((area for area in shop.areas if area.name == details.area), None)


def in_currency(shop: Shop, cart: Cart) -> Cart:
    """Items in the shop's own currency, in which its fees and minimums are."""
    return by_currency(cart).get(shop.currency, ())


def summary(shop: Shop, cart: Cart, details: Checkout, area: DeliveryArea | None) -> list[str]:
    """Its lines: a title, what is ordered and for how much, how it is delivered and paid, the question."""
    orders = orders_of(shop, cart, details)
    lines = [shop.text("checkout.summary"), *cart_lines(shop, cart, MAX_NAMED)]
    if details.delivery == DELIVERY:
        lines += [shop.text("checkout.subtotal", amount=totals(shop, cart)), _fee_line(shop, cart, area)]
    lines.append(shop.text("cart.total", amount=" + ".join(shop.amount(one.total, one.currency) for one in orders)))
    lines.append(
        shop.text("checkout.pickup")
        if details.delivery == PICKUP
        else shop.text("checkout.to_address", address=clip(details.address, MAX_ADDRESS_CHARS))
    )
    lines += [shop.text("checkout.payment", method=details.payment)] if details.payment else []
    lines += [shop.text("checkout.note", note=clip(details.note, MAX_NOTE_CHARS))] if details.note else []
    return [*lines, shop.text("checkout.confirm_question")]


def version_of(token: str, lines: Sequence[str]) -> str:
    """Version of a summary: another one for each turn, and for whatever it says."""
    digest = blake2b("\n".join(lines).encode(), digest_size=4)
    return f"{token}-{digest.hexdigest()}"


def in_full(shop: Shop, lead: Sequence[str], changes: Sequence[str], lines: Sequence[str]) -> tuple[str, bool]:
    """Text of a summary, of which nothing is cut, and whether it fits above buttons.

    Args:
        lead: lines that stand before it, as far as there is room.
        changes: of the cart, as `changed_lines` tells them; left out where all of them stand in the summary again.
    """
    is_shown_again = set(changes[1:-1]).issubset(lines)
    for told in (changes, ()) if is_shown_again else (changes,):
        gap = [""] if lead or told else []
        text = "\n".join([*lead, *told, *gap, *lines])
        if len(text) <= MAX_INTERACTIVE_CHARS:
            return text, True
    return fitted(shop, lead, [*told, *gap, *lines], MAX_TEXT_CHARS), False


def _fee_line(shop: Shop, cart: Cart, area: DeliveryArea | None) -> str:
    fee = area.fee_of(cost(in_currency(shop, cart))) if area else None
    if fee is None or not in_currency(shop, cart):
        return shop.text("checkout.unknown_fee")
    name = "delivery_fee" if fee else "free_delivery"
    return shop.text(f"checkout.{name}", amount=shop.amount(fee, shop.currency))


def orders_of(shop: Shop, cart: Cart, details: Checkout, name: str | None = None) -> tuple[Order, ...]:
    """The orders of a cart: one of each currency, since an order has one total. The fee is in the shop's currency."""
    parts = by_currency(cart)
    area = area_of(shop, details) if details.delivery == DELIVERY else None
    fee = ((area.fee_of(cost(parts.get(shop.currency, ()))) if area else None) or Decimal(0)).quantize(CENT)
    orders = []
    for currency, items in parts.items():
        subtotal, extra = cost(items), fee if currency == shop.currency else Decimal(0).quantize(CENT)
        orders.append(
            Order(
                currency=currency,
                subtotal=subtotal,
                delivery_fee=extra,
                total=subtotal + extra,
                items=items,
                delivery=details.delivery or None,
                address=details.address or None if details.delivery != PICKUP else None,
                payment=details.payment or None,
                note=details.note or None,
                name=name,
            )
        )
    return tuple(orders)
