"""Offer of a request: the products that its cart operations may name. Pure: no I/O."""

from collections.abc import Iterable

from msgspec import Struct

from worker.catalog.product import Product, availability
from worker.session.cart import CartItem


class Offer(Struct, frozen=True):
    """Products of a request.

    Args:
        offered: ids of those that stand in it or in the cart.
        in_stock: those of them that can be added.
    """

    offered: frozenset[int] = frozenset()
    in_stock: frozenset[int] = frozenset()


def offer_of(products: Iterable[Product], cart: Iterable[CartItem]) -> Offer:
    """The offer of a request with these products for a customer with this cart."""
    known = {product.id: product for product in products}
    in_cart = {item.id for item in cart}
    sold_out = {number for number, product in known.items() if availability(product.stock) == "none"}
    offered = frozenset(known.keys() | in_cart)
    return Offer(offered, offered - sold_out)
