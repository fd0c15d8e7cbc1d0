"""Carts in words: lines with what each costs, changes, totals. Pure: no I/O."""

from collections.abc import Sequence

from worker.catalog.product import PIECES
from worker.messages.text import clip
from worker.session.cart import CartItem, by_currency, cost
from worker.shop.shop import Shop

#: Lines of a cart that are shown; so many fit into a text with buttons (`MAX_INTERACTIVE_CHARS`).
MAX_LINES = 10
#: Of a name, and of its end, where the size stands that tells a product from its neighbours.
MAX_NAME_CHARS, MAX_END_CHARS = 48, 24


def measured(shop: Shop, item: CartItem) -> str:
    """Quantity and name, as "2 × Leche" or "0,5 kg de Queso"."""
    quantity = shop.quantity(item.quantity, item.unit)
    return f"{quantity} × {short_name(item)}" if item.unit == PIECES else f"{quantity} de {short_name(item)}"


def short_name(item: CartItem) -> str:
    """The name of a product, shortened in its middle where it is so long that few lines would fit."""
    if len(item.name) <= MAX_NAME_CHARS:
        return item.name
    end = item.name[-MAX_END_CHARS:].partition(" ")[2].strip()
    return f"{clip(item.name, MAX_NAME_CHARS - len(end) - bool(end))} {end}".rstrip()


def cart_lines(shop: Shop, cart: Sequence[CartItem], most: int = MAX_LINES) -> list[str]:
    """A cart as a customer reads it, a line a product with what it costs. most: lines that are shown."""
    return _first(shop, [_line(shop, item) for item in cart], most)


def _line(shop: Shop, item: CartItem) -> str:
    return f"• {measured(shop, item)}: {shop.amount(item.total, item.currency)}"


def _first(shop: Shop, lines: list[str], most: int = MAX_LINES) -> list[str]:
    """As many lines as fit, and how many more there are."""
    more = len(lines) - most
    return lines[:most] + ([shop.text("cart.more_lines", count=more)] if more > 0 else [])


def fitted(shop: Shop, first: Sequence[str], rest: Sequence[str], room: int) -> str:
    """Lines as one text of so many characters: the first ones as far as they fit, with how many more there are, and
    all the rest.
    """
    text = "\n".join([*first, *rest])
    kept = len(first)
    while len(text) > room and kept:
        kept -= 1
        text = "\n".join([*first[:kept], shop.text("cart.more", count=len(first) - kept), *rest])
    return text


def totals(shop: Shop, cart: Sequence[CartItem]) -> str:
    """Sum of a cart, one of each currency."""
    return " + ".join(shop.amount(cost(items), currency) for currency, items in by_currency(cart).items())


def shown_cart(shop: Shop, cart: Sequence[CartItem]) -> list[str]:
    """A whole cart with its total, or that there is nothing in it."""
    if not cart:
        return [shop.text("cart.empty")]
    return [shop.text("cart.title"), *cart_lines(shop, cart), shop.text("cart.total", amount=totals(shop, cart))]


def changed_lines(shop: Shop, before: Sequence[CartItem], after: Sequence[CartItem]) -> list[str]:
    """Products whose quantity is another one than before, with the new one, and the total; none where nothing has
    changed.
    """
    was, now = ({item.id: item.quantity for item in cart} for cart in (before, after))
    put_in = [_line(shop, item) for item in after if was.get(item.id) != item.quantity]
    lines = put_in + [shop.text("cart.taken_out", name=short_name(item)) for item in before if item.id not in now]
    if not lines:
        return []
    if not after:
        return [shop.text("cart.empty")]
    total = shop.text("cart.total", amount=totals(shop, after))
    return [shop.text("cart.changed"), *_first(shop, lines), total]
