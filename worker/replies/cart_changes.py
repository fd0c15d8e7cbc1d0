"""Changes to a cart that can be made, and why others cannot: bounds, steps and stock. Pure: no I/O."""

from collections.abc import Iterable
from decimal import Decimal

from msgspec import Struct

from worker.catalog.product import PIECES, Product
from worker.replies.cart_lines import short_name
from worker.session.cart import MAX_QUANTITY, Cart, CartItem, CartOperation, apply_operation, offered_items
from worker.shop.shop import Shop


class Changed(Struct, frozen=True):
    """A cart after some operations.

    Args:
        problems: in words, of the operations that were not made.
        refused: how many were not made.
    """

    cart: Cart
    problems: tuple[str, ...] = ()
    refused: int = 0


def changed(shop: Shop, cart: Cart, operations: Iterable[CartOperation], products: Iterable[Product]) -> Changed:
    """The cart after those operations that can be made, in their order.

    Args:
        products: rows of the catalogue that may be put in.
    """
    known = {product.id: product for product in products}
    offered = offered_items(cart, known.values())
    problems: list[str] = []
    now = cart
    for operation in operations:
        if problem := _problem(shop, operation, now, known.get(operation.product_id or 0), offered):
            problems.append(problem)
        else:
            now = apply_operation(now, operation, offered)
    return Changed(now, tuple(dict.fromkeys(problems)), len(problems))


def _problem(
    shop: Shop, operation: CartOperation, cart: Cart, product: Product | None, offered: dict[int, CartItem]
) -> str | None:
    """Why an operation cannot be made, in words; None where it can."""
    if operation.op not in ("add", "set") or operation.product_id not in offered:
        return None
    line = offered[operation.product_id]
    had = next((item.quantity for item in cart if item.id == line.id), Decimal(0))
    wanted = (operation.quantity or Decimal(1)) + (had if operation.op == "add" else 0)
    name = short_name(line)
    if wanted > MAX_QUANTITY:
        return shop.text("cart.too_many", name=name, most=MAX_QUANTITY)
    if (step := _step(line, product)) and wanted % step:
        return shop.text("cart.not_in_steps", name=name, step=shop.quantity(step, line.unit))
    # Who takes less than is in the cart already may do so, whatever is left.
    return _shortage(shop, name, wanted, product) if product and wanted > had else None


def _step(line: CartItem, product: Product | None) -> Decimal | None:
    """Quantities of a product are multiples of it; None where that is not known."""
    return product.step if product else Decimal(1) if line.unit == PIECES else None


def _shortage(shop: Shop, name: str, wanted: Decimal, product: Product) -> str | None:
    """The stock in words, where it is too little; None where it is enough."""
    if product.stock is None or wanted <= product.stock:
        return None
    if product.stock <= 0:
        return shop.text("cart.none_left", name=name)
    return shop.text("cart.too_few_left", name=name, left=shop.quantity(product.stock, product.unit))
