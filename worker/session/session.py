"""A customer's conversation as a value, and what a decision does to it. Pure thought."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any
from uuid import uuid4

from msgspec import Struct, convert
from msgspec.structs import asdict, replace

#: Two hours after the last turn a conversation ends (contract 3.4).
SESSION_TTL_S = 7_200
#: What a model is told of the conversation so far; more costs tokens and rarely changes an answer.
HISTORY_TURNS = 6
HISTORY_CHARS = 400
MAX_QUANTITY = 99
#: An order is placed only by a confirmation: from these states, never from a single message out of nowhere.
CHECKOUT_STATES = frozenset({"checkout", "waiting_address", "confirming_order"})
#: Of what was put into a cart before its lines named their currency, where the conversation names none either.
DEFAULT_CURRENCY = "ARS"


class CartItem(Struct, frozen=True):
    """A product in the cart, with name, unit price and its currency as they were when it was put in."""

    id: int
    name: str
    price: float
    quantity: int
    currency: str = DEFAULT_CURRENCY


class CartOperation(Struct, frozen=True):
    """A change to the cart: add (to what is there), set (the quantity), remove, clear."""

    op: str
    product_id: int | None = None
    quantity: int | None = None


class Session(Struct, frozen=True):
    """`version` is PostgreSQL's number of this state, 0 while it is not stored. `context` is `context_data`."""

    id: str
    customer_phone: str
    state: str = "browsing"
    cart: tuple[CartItem, ...] = ()
    context: Mapping[str, Any] = {}
    customer_name: str | None = None
    total_orders: int = 0
    version: int = 0

    @property
    def history(self) -> list[dict[str, str]]:
        """The last exchanges, oldest first: {"customer", "reply"}."""
        return list(self.context.get("history", ()))

    @property
    def cart_totals(self) -> dict[str, Decimal]:
        """What the cart costs, by currency in the order of the cart: amounts of two are never added."""
        return {currency: cost(items) for currency, items in by_currency(self.cart).items()}


def by_currency(cart: Iterable[CartItem]) -> dict[str, tuple[CartItem, ...]]:
    """The items of each currency; currencies and items in the order of the cart."""
    found: dict[str, list[CartItem]] = {}
    for item in cart:
        found.setdefault(item.currency, []).append(item)
    return {currency: tuple(items) for currency, items in found.items()}


def cost(items: Iterable[CartItem]) -> Decimal:
    """What items of one currency cost together."""
    return sum((Decimal(str(item.price)) * item.quantity for item in items), Decimal(0))


def new_session(customer_phone: str, customer_name: str | None) -> Session:
    """The first state of a conversation, not stored yet."""
    return Session(id=str(uuid4()), customer_phone=customer_phone, customer_name=customer_name)


def session_from_row(row: Mapping[str, Any]) -> Session:
    """A session from a row of `get_session_optimized` or from the session cache, which holds the same names."""
    return Session(
        id=str(row["session_id"]),
        customer_phone=row["customer_phone"],
        state=row["session_state"],
        cart=cart_from_rows(row["cart_data"], row["context_data"].get("currency", DEFAULT_CURRENCY)),
        context=row["context_data"],
        customer_name=row["customer_name"],
        total_orders=row["total_orders"],
        version=row["version"],
    )


def cart_from_rows(rows: Iterable[Mapping[str, Any]], currency: str) -> tuple[CartItem, ...]:
    """A cart out of `cart_data`. currency: of lines that name none; fields of a newer version are left out."""
    return tuple(convert({"currency": currency, **row}, CartItem) for row in rows)


def cart_rows(cart: Iterable[CartItem]) -> list[dict[str, Any]]:
    """`cart_data` of contract 3.5: a list of {id, name, price, quantity, currency}."""
    return [asdict(item) for item in cart]


def session_row(session: Session) -> dict[str, Any]:
    """The JSON form, with the names of `get_session_optimized`."""
    return {
        "session_id": session.id,
        "customer_phone": session.customer_phone,
        "session_state": session.state,
        "cart_data": cart_rows(session.cart),
        "context_data": dict(session.context),
        "customer_name": session.customer_name,
        "total_orders": session.total_orders,
        "version": session.version,
    }


def apply_cart_operation(
    cart: tuple[CartItem, ...], operation: CartOperation, products: Mapping[int, Mapping[str, Any]]
) -> tuple[CartItem, ...]:
    """The cart after one operation. A product that is neither in `products` (id to name, price and currency) nor in
    the cart changes nothing; quantities stay within 1..99.
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
    product = products.get(operation.product_id or 0)
    if product is None:
        return cart
    return (*cart, _put_in(product, min(quantity, MAX_QUANTITY)))


def _put_in(product: Mapping[str, Any], quantity: int) -> CartItem:
    return CartItem(product["id"], product["name"], float(product["price"]), quantity, product["currency"])


def changed_cart(
    cart: tuple[CartItem, ...], operations: Iterable[CartOperation], products: Mapping[int, Mapping[str, Any]]
) -> tuple[CartItem, ...]:
    """The cart after all operations, in their order."""
    for operation in operations:
        cart = apply_cart_operation(cart, operation, products)
    return cart


def advance(
    session: Session,
    *,
    said: str,
    replied: str,
    next_state: str | None,
    operations: tuple[CartOperation, ...],
    products: Mapping[int, Mapping[str, Any]],
    terms: tuple[str, ...],
) -> Session:
    """The session after one turn: cart, state, history, and what was last searched for (so that "the second one" can
    be understood). A completed order empties the cart.
    """
    cart = changed_cart(session.cart, operations, products)
    state = next_state or session.state
    if state == "order_completed":
        completes = bool(cart) and session.state in CHECKOUT_STATES
        state, cart = ("order_completed", ()) if completes else (session.state, cart)
    exchange = {"customer": said[:HISTORY_CHARS], "reply": replied[:HISTORY_CHARS]}
    context = dict(session.context) | {"history": [*session.history, exchange][-HISTORY_TURNS:]}
    if terms:
        context["terms"] = list(terms)
    return replace(session, state=state, cart=cart, context=context)


def orders_placed(before: Session, after: Session) -> list[dict[str, Any]]:
    """The orders that this turn completes, as `update_session_cache` takes them: one of each currency in the cart,
    since an order has one total. Empty where it completes none.

    before: with the cart as the turn's own operations have left it ("yes, and one more").
    """
    if after.state != "order_completed" or before.state not in CHECKOUT_STATES or after.cart:
        return []
    address = after.context.get("address")
    return [
        {"total": str(cost(items)), "currency": currency, "address": address, "items": cart_rows(items)}
        for currency, items in by_currency(before.cart).items()
    ]
