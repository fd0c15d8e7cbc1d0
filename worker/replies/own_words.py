"""Questions that the catalogue answers completely, in our own words and without a model: which products of a name there
are and what they cost, and which is the cheapest, of one name or of two. Pure: no I/O.
"""

import re
from collections.abc import Sequence
from typing import Final

from msgspec.structs import replace

from worker.catalog.product import Product
from worker.catalog.product_names import called
from worker.replies.buttons import product_choices
from worker.replies.open_question import listed
from worker.replies.scene import NOBODY, Scene
from worker.replies.telling import told
from worker.session.outcome import Decision
from worker.shop.shop import Shop

#: Forms of `worker/language/data/frames.toml`, by what is asked for.
ONE_PRODUCT: Final = re.compile(r"tenes (?P<name>(?:(?! [yo] ).)+) y a que precio")
CHEAPEST: Final = re.compile(r"que (?:es mas barato, (?P<one>.+) o (?P<other>.+)|(?P<name>.+) es mas barato)")


def decided_by_catalog(shop: Shop, form: str, found: Sequence[Product]) -> Decision | None:
    """The decision about a question that everybody may ask; None where the catalogue alone does not answer it.

    Args:
        form: of the question, as all who ask it could have written it.
        found: products that were searched for it.
    """
    if asked := ONE_PRODUCT.fullmatch(form):
        products = _in_stock(called(asked["name"], found))
        text = listed(shop, products)
    elif asked := CHEAPEST.fullmatch(form):
        each = [sorted(_in_stock(called(name, found)), key=_price) for name in asked.groups() if name]
        products = [product for some in each for product in some]
        # What goes by both names is compared with itself.
        text = _compared(shop, products) if all(each) and len({*products}) == len(products) else ""
    else:
        return None
    if not text:
        return None
    decision = told(
        Decision("search_product", 1.0, reply=text), Scene(shop, NOBODY, "", tuple(products), len(products))
    )
    # The list has the order of its lines, whatever is named behind them.
    return replace(decision, choices=product_choices(shop, products))


def _in_stock(products: Sequence[Product]) -> list[Product]:
    return [product for product in products if product.has(product.step)]


def _price(product: Product) -> tuple[object, int]:
    return product.price, product.id


def _compared(shop: Shop, products: Sequence[Product]) -> str:
    """A list of products and which of them costs least; only the list, where several do, or where what they cost is for
    different amounts.
    """
    least, *others = sorted(products, key=_price)
    comparable = len({(product.unit, product.currency) for product in products}) == 1
    if not others or not comparable or others[0].price == least.price:
        return listed(shop, products)
    price = shop.amount(least.price, least.currency)
    return listed(shop, products, end=shop.text("products.least", name=least.full_name, price=price))
