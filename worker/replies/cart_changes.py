"""Changes to a cart that can be made, and why others cannot: bounds, steps and stock. Pure: no I/O."""

from collections.abc import Iterable, Sequence
from decimal import Decimal

from msgspec import Struct

from worker.catalog.product import PIECES, Product
from worker.replies.cart_lines import short_name
from worker.session.cart import MAX_QUANTITY, Cart, CartItem, CartOperation, apply_operation, item_of, offered_items
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
    step = product.step if product else Decimal(1) if line.unit == PIECES else None
    if step and wanted % step:
        return shop.text("cart.not_in_steps", name=name, step=shop.quantity(step, line.unit))
    # Who takes less than is in the cart already may do so, whatever is left.
    return _shortage(shop, name, wanted, product) if product and wanted > had else None


def _shortage(shop: Shop, name: str, wanted: Decimal, product: Product) -> str | None:
    """The stock in words, where it is too little; None where it is enough."""
    if product.stock is None or wanted <= product.stock:
        return None
    if product.stock <= 0:
        return shop.text("cart.none_left", name=name)
    return shop.text("cart.too_few_left", name=name, left=shop.quantity(product.stock, product.unit))


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
    quantity = wanted if product.has(wanted) else (product.stock or Decimal(0)) // product.step * product.step
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
