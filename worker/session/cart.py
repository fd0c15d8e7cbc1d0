"""Cart of one customer, and the operations that change it. Pure: no I/O."""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from msgspec import Struct, convert
from msgspec.structs import asdict, replace

from worker.catalog.product import PIECES, Product
from worker.shop.money import CENT, rounded

MAX_QUANTITY = 99
#: Currency of lines that were stored before they named one, where the conversation names none either.
DEFAULT_CURRENCY = "ARS"


class CartItem(Struct, frozen=True):
    """Line of a cart: a product with its name, price and currency as they were when it was put in.

    Args:
        price: of one unit.
        quantity: in its unit; a fraction only where that is no piece.
        sku: the shop's own id, empty in lines that were stored before they had one.
    """

    id: int
    name: str
    price: Decimal
    quantity: Decimal
    currency: str = DEFAULT_CURRENCY
    unit: str = PIECES
    sku: str = ""

    @property
    def total(self) -> Decimal:
        """Price of the whole line, in coins of its currency."""
        return rounded(self.price * self.quantity, self.currency, like=self.price).quantize(CENT)

    def row(self) -> dict[str, Any]:
        """The line as `cart_data` keeps it, with numbers for price and quantity."""
        return asdict(self) | {"price": _number(self.price), "quantity": _number(self.quantity)}


Cart = tuple[CartItem, ...]


def cart_from_rows(rows: Iterable[Mapping[str, Any]], currency: str = DEFAULT_CURRENCY) -> Cart:
    """Decodes `cart_data`. currency: of lines that were stored before they named theirs."""
    return tuple(convert({"currency": currency, **line}, CartItem) for line in rows)


class CartOperation(Struct, frozen=True):
    """Change to a cart: add (to what is there), set (the quantity), remove, clear."""

    op: str
    product_id: int | None = None
    quantity: Decimal | None = None


def _number(value: Decimal) -> int | float:
    return int(value) if value == value.to_integral_value() else float(value)


def item_of(product: Product, quantity: Decimal = Decimal(1)) -> CartItem:
    """A product as a line of a cart."""
    return CartItem(product.id, product.full_name, product.price, quantity, product.currency, product.unit, product.sku)


def offered_items(cart: Iterable[CartItem], products: Iterable[Product]) -> dict[int, CartItem]:
    """Lines that an operation may put in, by product id: products of the request, and of the cart as it was before the
    first operation, since a later one may put back what an earlier one has taken out.
    """
    return {item.id: item for item in cart} | {product.id: item_of(product) for product in products}


def apply_operation(cart: Cart, operation: CartOperation, offered: Mapping[int, CartItem]) -> Cart:
    """The cart after one operation; one on a product that is neither offered nor in the cart changes nothing.

    Quantities stay at most `MAX_QUANTITY`.
    """
    if operation.op == "clear":
        return ()
    if operation.op == "remove":
        return tuple(item for item in cart if item.id != operation.product_id)
    quantity = operation.quantity or Decimal(1)
    if any(item.id == operation.product_id for item in cart):
        return tuple(
            replace(item, quantity=_limited(quantity + (item.quantity if operation.op == "add" else 0)))
            if item.id == operation.product_id
            else item
            for item in cart
        )
    new = offered.get(operation.product_id or 0)
    return cart if new is None else (*cart, replace(new, quantity=_limited(quantity)))


def _limited(quantity: Decimal) -> Decimal:
    return min(quantity, Decimal(MAX_QUANTITY))


def by_currency(cart: Iterable[CartItem]) -> dict[str, Cart]:
    """Items of each currency; currencies and items in the order of the cart."""
    found: dict[str, list[CartItem]] = {}
    for item in cart:
        found.setdefault(item.currency, []).append(item)
    return {currency: tuple(items) for currency, items in found.items()}


def cost(items: Iterable[CartItem]) -> Decimal:
    """Exact sum of items of one currency."""
    return sum((item.total for item in items), Decimal(0))
