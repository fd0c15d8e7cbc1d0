"""Buttons and lists of ours, and the actions behind them: their ids are the contract of what a tap does. Pure: no I/O.

An id is a verb and what it is done to, between colons: `add:{sku}`, `qty:{sku}:{n}`, `confirm:{version}`.
"""

from collections.abc import Iterable

from worker.catalog.product import Product, availability
from worker.messages.reply import MAX_ROW_DESCRIPTION_CHARS, MAX_ROWS, Choices, QuickReply, Row
from worker.messages.text import clip
from worker.shop.shop import Shop

VIEW_CART = "view_cart"
CHECKOUT = "checkout"
PERSON = "human"
#: Verbs of buttons and rows that change the cart: what stands behind the colon is a product.
CART_VERBS = frozenset({"add", "remove", "qty", "order"})
#: Other verbs of ours, and whether something stands behind the colon.
VERBS = {
    VIEW_CART: False,
    CHECKOUT: False,
    "change": False,
    "confirm": True,
    "undo": True,
    "keep_cart": False,
    "drop_cart": False,
    "delivery": True,
    "area": True,
    "pay": True,
}
#: Those that a model may offer: all else must say on it what it does, as only ours surely do.
FREE = frozenset({VIEW_CART, CHECKOUT, PERSON})


def button(shop: Shop, name: str, action: str) -> QuickReply:
    """A button with a title of ours: view_cart, checkout, undo, confirm, person, delivery, pickup, and so on."""
    return QuickReply(action, shop.text(f"button.{name}"))


def titled(shop: Shop, offered: QuickReply) -> QuickReply:
    """A button that a model offers; one that does something of ours says so in our words."""
    own = {VIEW_CART: view_cart, CHECKOUT: checkout, PERSON: person}.get(offered.id.strip())
    return own(shop) if own else offered


def may_offer(action: str) -> bool:
    """Returns whether a model may put an id under a title of its own."""
    verb = action.strip().partition(":")[0]
    return action.strip() in FREE or (verb not in VERBS and verb not in CART_VERBS)


def view_cart(shop: Shop) -> QuickReply:
    """Shows the cart."""
    return button(shop, "view_cart", VIEW_CART)


def checkout(shop: Shop) -> QuickReply:
    """Begins the checkout."""
    return button(shop, "checkout", CHECKOUT)


def undo(shop: Shop, version: str) -> QuickReply:
    """Takes the change of this version back."""
    return button(shop, "undo", f"undo:{version}")


def confirm(shop: Shop, version: str) -> QuickReply:
    """Places the order that this version sums up."""
    return button(shop, "confirm", f"confirm:{version}")


def change(shop: Shop) -> QuickReply:
    """Asks for the details of the order once more."""
    return button(shop, "change", "change")


def person(shop: Shop) -> QuickReply:
    """Asks for a person of the shop."""
    return button(shop, "person", PERSON)


def product_choices(shop: Shop, products: Iterable[Product]) -> Choices | None:
    """A list of the products that can be bought, to put one into the cart by a tap; None where there is none."""
    rows = [
        Row(f"add:{product.sku}", product.name, _priced(shop, product))
        for product in products
        if product.sku and availability(product.stock) != "none"
    ]
    return Choices(shop.text("button.choices"), tuple(rows[:MAX_ROWS])) if rows else None


def _priced(shop: Shop, product: Product) -> str:
    """Name and price, of which the price is never cut."""
    price = shop.amount(product.price, product.currency)
    return f"{clip(product.full_name, MAX_ROW_DESCRIPTION_CHARS - len(price) - 2)}: {price}"


def options(action: str, titles: Iterable[str]) -> tuple[Row, ...]:
    """Rows of a list in which each stands for its place: `{action}:{n}`, from 0."""
    return tuple(Row(f"{action}:{place}", title) for place, title in enumerate(titles))
