"""Products that have changed since a summary: what can still be ordered, and what is told. Pure: no I/O."""

from collections.abc import Sequence
from decimal import Decimal

from worker.catalog.product import Product
from worker.replies.cart_lines import short_name
from worker.session.cart import Cart, CartItem, item_of
from worker.shop.shop import Shop


def still_there(shop: Shop, cart: Cart, products: Sequence[Product]) -> tuple[Cart, list[str]]:
    """The cart as it can be ordered now, and a line about each change.

    Args:
        products: those of the cart as they are now; one that is missing is not sold any more.
    """
    known = {product.id: product for product in products}
    lines: list[str] = []
    left: list[CartItem] = []
    for item in cart:
        now, told = _as_sold_now(shop, item, known.get(item.id))
        lines += told
        left += [now] if now else []
    return tuple(left), lines


def _as_sold_now(shop: Shop, item: CartItem, product: Product | None) -> tuple[CartItem | None, list[str]]:
    """A line of the cart as it can be ordered now, None where it cannot, and what is told about it."""
    name = short_name(item)
    if product is None or not product.active or not product.has(product.step):
        return None, [shop.text("checkout.gone", name=name)]
    step = shop.quantity(product.step, product.unit)
    wanted = item.quantity // product.step * product.step
    # Two pieces are not two kilograms, and what is less than a step cannot be had.
    if product.unit != item.unit or not wanted:
        return None, [shop.text("checkout.other_unit", name=name, step=step)]
    quantity = wanted if product.has(wanted) else _left(product)
    now = item_of(product, quantity)
    told = [shop.text("checkout.renamed", name=name, now=short_name(now))] if now.name != item.name else []
    amount = shop.quantity(quantity, product.unit)
    if quantity < wanted:
        told.append(shop.text("checkout.less_left", name=name, left=amount))
    elif wanted < item.quantity:
        told.append(shop.text("checkout.other_step", name=name, step=step, quantity=amount))
    if (now.price, now.currency) != (item.price, item.currency):
        price = shop.amount(now.price, now.currency)
        told.append(shop.text("checkout.price_changed", name=name, price=price))
    return now, told


def _left(product: Product) -> Decimal:
    """Stock of a product in whole steps."""
    return (product.stock or Decimal(0)) // product.step * product.step
