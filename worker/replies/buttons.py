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


#: Names of titles where the verb is none.
TITLES = {PERSON: "person", "delivery:pickup": "pickup"}


def button(shop: Shop, action: str, name: str = "") -> QuickReply:
    """A button of ours. name: of its title, where that is not its verb's."""
    verb = action.partition(":")[0]
    return QuickReply(action, shop.text(f"button.{name or TITLES.get(action, verb)}"))


def buttons(shop: Shop, *actions: str) -> tuple[QuickReply, ...]:
    """Buttons of ours, under the titles of their verbs."""
    return tuple(button(shop, action) for action in actions)


def titled(shop: Shop, offered: QuickReply) -> QuickReply:
    """A button that a model offers; one that does something of ours says so in our words."""
    action = offered.id.strip()
    return button(shop, action) if action in FREE else offered


def may_offer(action: str) -> bool:
    """Returns whether a model may put an id under a title of its own."""
    verb = action.strip().partition(":")[0]
    return action.strip() in FREE or (verb not in VERBS and verb not in CART_VERBS)


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
