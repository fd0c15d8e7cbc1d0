"""Offer of a request, the products that its cart operations may name, and the JSON schema of its answers: what would be
refused cannot be said. Pure: no I/O.

Kept to the subset that every provider takes: each object closed, each of its properties required, no lengths and no
bounds (Azure refuses `minimum` and `maxItems`). The check behind it knows those.
"""

from collections.abc import Iterable
from typing import Any, get_args

from msgspec import Struct

from worker.catalog.product import Product, availability
from worker.replies.decision import Intent
from worker.replies.telling import MODEL_STATES
from worker.session.cart import CartItem

Schema = dict[str, Any]
_TEXT: Schema = {"type": "string"}


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


def decision_schema(offer: Offer, *, shared: bool) -> Schema:
    """The schema of a decision under this offer. shared: the answer is everybody's, so it changes no cart, calls no
    person and moves no conversation.
    """
    properties: Schema = {
        "intent": {"type": "string", "enum": list(get_args(Intent))},
        "confidence": {"type": "number"},
        # An object whose names are not known beforehand cannot be closed, so it is a list of pairs.
        "entities": {"type": "array", "items": _object(name=_TEXT, value=_TEXT)},
        "reply": _TEXT,
        "quick_replies": {"type": "array", "items": _object(id=_TEXT, title=_TEXT)},
    }
    if not shared:
        properties |= {
            "requires_human": {"type": "boolean"},
            "next_state": {"type": ["string", "null"], "enum": [*sorted(MODEL_STATES), None]},
            "cart_operations": {"type": "array", "items": {"anyOf": list(_operations(offer))}},
        }
    return _object(**properties)


def _object(**properties: Any) -> Schema:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _operations(offer: Offer) -> Iterable[Schema]:
    """One alternative for each form of operation that may be made."""
    if offer.in_stock:
        product, quantity = _one_of(offer.in_stock), {"type": "number"}
        yield _object(op={"type": "string", "enum": ["add", "set"]}, product_id=product, quantity=quantity)
    if offer.offered:
        yield _object(op={"type": "string", "enum": ["remove"]}, product_id=_one_of(offer.offered))
    yield _object(op={"type": "string", "enum": ["clear"]})


def _one_of(numbers: Iterable[int]) -> Schema:
    return {"type": "integer", "enum": sorted(number for number in numbers if number > 0)}
