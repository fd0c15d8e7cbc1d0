"""Limits of a cart, and words of ours about it: each change is told, and what exceeds a limit is left out and told.

Pure: no I/O.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal

from msgspec.structs import replace

from worker.catalog.product import Product
from worker.messages.reply import QuickReply
from worker.messages.text import MAX_TEXT_CHARS, clip_at_sentence
from worker.session.cart import MAX_QUANTITY, CartItem, CartOperation, apply_operation, offered_items
from worker.session.outcome import Decision

VIEW_CART = QuickReply("view_cart", "Ver carrito")
#: Lines of a cart that are shown beside what could not be done.
MAX_LINES = 20
TOO_MANY = "De {name} podés llevar hasta {most} por pedido: no cambié nada de eso."
TOO_FEW_LEFT = "De {name} {left}: no cambié nada de eso."
CART = "En tu carrito:"
CHANGED = "Cambios en tu carrito:"
TAKEN_OUT = "• {name}: afuera"
EMPTY = "Tu carrito está vacío."


def within_limits(decision: Decision, cart: Sequence[CartItem], products: Iterable[Product]) -> Decision:
    """The decision without the operations that no cart can take; where there are any, its words are ours, since the
    model's may say that they were done. The words about a cart that changes end with what has changed, by our count.

    Args:
        products: rows of the catalogue that stood in the request.
    """
    known = {product.id: product for product in products}
    offered = offered_items(cart, known.values())
    now, kept, told = tuple(cart), list[CartOperation](), list[str]()
    for change in decision.cart_operations:
        if problem := _problem(change, now, known, offered):
            told.append(problem)
        else:
            kept.append(change)
            now = apply_operation(now, change, offered)
    if not told:
        return _with_changes(decision, cart, now)
    words = "\n".join([*dict.fromkeys(told), *_shown(now)])
    return replace(decision, cart_operations=tuple(kept), reply=words, quick_replies=(VIEW_CART,), next_state=None)


def _with_changes(decision: Decision, before: Sequence[CartItem], after: Sequence[CartItem]) -> Decision:
    """The decision, whose reply ends with what it changes: a model's own words may say nothing of it, or lie."""
    changes = "\n".join(changed_lines(before, after))
    if not changes:
        return decision
    words = clip_at_sentence(decision.reply, MAX_TEXT_CHARS - len(changes) - 2)
    return replace(decision, reply=f"{words}\n\n{changes}")


def changed_lines(before: Sequence[CartItem], after: Sequence[CartItem]) -> list[str]:
    """Products whose quantity is another one than before, with the new one; none where nothing has changed."""
    was, now = ({item.id: item.quantity for item in cart} for cart in (before, after))
    put_in = [item for item in after if was.get(item.id) != item.quantity]
    taken_out = [TAKEN_OUT.format(name=item.name) for item in before if item.id not in now]
    if not put_in and not taken_out:
        return []
    return [EMPTY] if not after else [CHANGED, *cart_lines(put_in), *taken_out[:MAX_LINES]]


def _problem(
    change: CartOperation, cart: Sequence[CartItem], known: Mapping[int, Product], offered: Mapping[int, CartItem]
) -> str | None:
    if change.op not in ("add", "set") or change.product_id is None:
        return None
    item = next((item for item in cart if item.id == change.product_id), None)
    wanted = (change.quantity or 1) + (item.quantity if item and change.op == "add" else 0)
    name = item.name if item else offered[change.product_id].name
    if wanted > MAX_QUANTITY:
        return TOO_MANY.format(name=name, most=MAX_QUANTITY)
    product = known.get(change.product_id)
    # Who takes less than is in the cart already may do so, whatever is left.
    fewer = item is not None and wanted <= item.quantity
    if product is not None and not product.has(wanted) and not fewer:
        return TOO_FEW_LEFT.format(name=name, left=_left(product.stock or Decimal(0)))
    return None


def _left(stock: Decimal) -> str:
    left = f"{stock.normalize():f}".replace(".", ",")
    return "no queda ninguno" if stock <= 0 else "queda 1" if stock == 1 else f"quedan {left}"


def _shown(cart: Sequence[CartItem]) -> list[str]:
    return [CART, *cart_lines(cart)] if cart else [EMPTY]


def cart_lines(cart: Sequence[CartItem]) -> list[str]:
    """A cart as a customer reads it, a line a product, without prices: they may have changed since."""
    lines = [f"• {item.quantity} × {item.name}" for item in cart[:MAX_LINES]]
    return lines + ([f"• y {len(cart) - MAX_LINES} productos más"] if len(cart) > MAX_LINES else [])
