"""Cart of one customer, and the operations that change it. Pure: no I/O."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal

from msgspec import Struct
from msgspec.structs import replace

from worker.catalog.product import Product

MAX_QUANTITY = 99
#: Currency of lines that were stored before they named one, where the conversation names none either.
DEFAULT_CURRENCY = "ARS"


class CartItem(Struct, frozen=True):
    """Line of a cart: a product with its name, unit price and currency as they were when it was put in."""

    id: int
    name: str
    price: float
    quantity: int
    currency: str = DEFAULT_CURRENCY


Cart = tuple[CartItem, ...]


class CartOperation(Struct, frozen=True):
    """Change to a cart: add (to what is there), set (the quantity), remove, clear."""

    op: str
    product_id: int | None = None
    quantity: int | None = None


def item_of(product: Product, quantity: int = 1) -> CartItem:
    """A product as a line of a cart."""
    return CartItem(product.id, product.full_name, float(product.price), quantity, product.currency)


def offered_items(cart: Iterable[CartItem], products: Iterable[Product]) -> dict[int, CartItem]:
    """Lines that an operation may put in, by product id: products of the request, and of the cart as it was before the
    first operation, since a later one may put back what an earlier one has taken out.
    """
    return {item.id: item for item in cart} | {product.id: item_of(product) for product in products}


def apply_operation(cart: Cart, operation: CartOperation, offered: Mapping[int, CartItem]) -> Cart:
    """The cart after one operation; one on a product that is neither offered nor in the cart changes nothing.

    Quantities stay within 1 and `MAX_QUANTITY`.
    """
    if operation.op == "clear":
        return ()
    if operation.op == "remove":
        return tuple(item for item in cart if item.id != operation.product_id)
    quantity = max(operation.quantity or 1, 1)
    if any(item.id == operation.product_id for item in cart):
        return tuple(
            replace(item, quantity=min(quantity + (item.quantity if operation.op == "add" else 0), MAX_QUANTITY))
            if item.id == operation.product_id
            else item
            for item in cart
        )
    new = offered.get(operation.product_id or 0)
    return cart if new is None else (*cart, replace(new, quantity=min(quantity, MAX_QUANTITY)))


def changed_cart(cart: Cart, operations: Iterable[CartOperation], offered: Mapping[int, CartItem]) -> Cart:
    """The cart after all operations, in their order."""
    for operation in operations:
        cart = apply_operation(cart, operation, offered)
    return cart


def by_currency(cart: Iterable[CartItem]) -> dict[str, Cart]:
    """Items of each currency; currencies and items in the order of the cart."""
    found: dict[str, list[CartItem]] = {}
    for item in cart:
        found.setdefault(item.currency, []).append(item)
    return {currency: tuple(items) for currency, items in found.items()}


def cost(items: Iterable[CartItem]) -> Decimal:
    """Exact sum of items of one currency."""
    return sum((Decimal(str(item.price)) * item.quantity for item in items), Decimal(0))
