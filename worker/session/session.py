"""Session: one customer's conversation as a value, and how a turn advances it. Pure: no I/O."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import uuid4

from msgspec import Struct, convert
from msgspec.structs import replace

from worker.session.cart import DEFAULT_CURRENCY, Cart, by_currency, cost

#: A conversation ends two hours after its last turn (contract 3.4).
SESSION_TTL_S = 7_200
#: Exchanges that a model is told; more costs tokens and rarely changes an answer.
HISTORY_TURNS = 6
HISTORY_CHARS = 400
#: An order is placed only by a confirmation: from these states, never from a single message out of nowhere.
CHECKOUT_STATES = frozenset({"checkout", "waiting_address", "confirming_order"})


class Exchange(Struct, frozen=True):
    """One turn of the history: the customer's words and our reply, each at most `HISTORY_CHARS` characters."""

    customer: str = ""
    reply: str = ""


class Context(Struct, frozen=True, omit_defaults=True):
    """Memory of a conversation, stored as `context_data`.

    Args:
        history: last exchanges, oldest first.
        terms: product searches made last, so that "the second one" can be understood.
        human_until: end of the wait for a person, also of one that is over; the AI keeps silent until then.
        human_told: whether a text of ours has said so.
        currency: of cart lines that were stored before they named theirs.
        address: delivery address, remembered until the order is confirmed.
        human_since: when the wait for a person began.
        human_reason: why, as `worker.session.handover` names it.
    """

    history: tuple[Exchange, ...] = ()
    terms: tuple[str, ...] = ()
    human_until: datetime | None = None
    human_told: bool = False
    currency: str = ""
    address: str = ""
    human_since: datetime | None = None
    human_reason: str = ""


class Session(
    Struct,
    frozen=True,
    rename={"id": "session_id", "state": "session_state", "cart": "cart_data", "context": "context_data"},
):
    """State of a conversation; encoded under the names of `get_session_optimized`.

    Args:
        version: PostgreSQL's number of this state, 0 while it is not stored.
    """

    id: str
    customer_phone: str
    state: str = "browsing"
    cart: Cart = ()
    context: Context = Context()
    customer_name: str | None = None
    total_orders: int = 0
    version: int = 0

    @property
    def last_exchange(self) -> Exchange:
        """The newest exchange, an empty one where there is none."""
        return self.context.history[-1] if self.context.history else Exchange()


class Order(Struct, frozen=True):
    """Order as `update_session_cache` takes it; `total` is a decimal text of one currency."""

    total: str
    currency: str
    address: str | None
    items: Cart


def new_session(customer_phone: str, customer_name: str | None) -> Session:
    """The first state of a conversation, not stored yet."""
    return Session(id=str(uuid4()), customer_phone=customer_phone, customer_name=customer_name)


def session_from_row(row: Mapping[str, Any]) -> Session:
    """Decodes a row of `get_session_optimized` or an entry of the session cache, which has the same names."""
    currency = row["context_data"].get("currency") or DEFAULT_CURRENCY
    cart = [{"currency": currency, **line} for line in row["cart_data"]]
    return convert({**row, "session_id": str(row["session_id"]), "cart_data": cart}, Session)


def advance(
    session: Session, exchange: Exchange, cart: Cart, next_state: str | None, terms: tuple[str, ...] = ()
) -> Session:
    """The session after one turn. A completed order empties the cart.

    Args:
        exchange: clipped here.
        cart: as the turn's operations leave it.
        terms: product searches of the turn; where there are none, the earlier ones stay.
    """
    state = next_state or session.state
    if state == "order_completed":
        completes = bool(cart) and session.state in CHECKOUT_STATES
        state, cart = ("order_completed", ()) if completes else (session.state, cart)
    clipped = Exchange(exchange.customer[:HISTORY_CHARS], exchange.reply[:HISTORY_CHARS])
    history = (*session.context.history, clipped)[-HISTORY_TURNS:]
    context = replace(session.context, history=history, terms=terms or session.context.terms)
    return replace(session, state=state, cart=cart, context=context)


def orders_placed(before: Session, after: Session, cart: Cart) -> tuple[Order, ...]:
    """Orders that this turn completes: one of each currency in the cart, since an order has one total.

    Args:
        cart: as the turn's own operations have left it ("yes, and one more"), before it was emptied.
    """
    if after.state != "order_completed" or before.state not in CHECKOUT_STATES or after.cart:
        return ()
    address = after.context.address or None
    return tuple(Order(str(cost(items)), currency, address, items) for currency, items in by_currency(cart).items())
