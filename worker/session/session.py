"""Session: one customer's conversation as a value, and how a turn advances it. Pure: no I/O."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import uuid4

import msgspec
from msgspec import Struct, convert
from msgspec.structs import replace

from worker.session.cart import DEFAULT_CURRENCY, Cart, cart_from_rows

#: A conversation ends two hours after its last turn, in Redis (`SESSION` of redisdb/keys.py) as in PostgreSQL.
SESSION_TTL_S = 7_200
#: Exchanges that a model is told; more costs tokens and rarely changes an answer.
HISTORY_TURNS = 6
HISTORY_CHARS = 400
#: Of an address or a wish of the customer's for the order.
MAX_DETAIL_CHARS = 300
#: States of a conversation in which our checkout asks and the customer answers.
CHECKOUT_STATES = frozenset({"checkout", "waiting_address", "confirming_order"})


class Exchange(Struct, frozen=True):
    """One turn of the history: the customer's words and our reply, each at most `HISTORY_CHARS` characters."""

    customer: str = ""
    reply: str = ""


class Checkout(Struct, frozen=True, omit_defaults=True):
    """Details of the order to come, as far as the customer has given them; empty where not.

    Args:
        delivery: `delivery` or `pickup`.
        address: in the customer's own words.
        area: name of the delivery area in the shop's file; "?" for one that is not there.
        payment: one of the shop's methods.
        note: for the shop.
    """

    delivery: str = ""
    address: str = ""
    area: str = ""
    payment: str = ""
    note: str = ""


class Undo(Struct, frozen=True):
    """The cart before its last change; `version` stands in the button that brings it back."""

    version: str
    cart: Cart


class Repeated(Struct, frozen=True):
    """A text of a customer, by its digest, and when it came of late (since 1970)."""

    digest: str
    at_s: tuple[int, ...]


class Pace(Struct, frozen=True, omit_defaults=True):
    """Pace at which a customer writes, as far as it tells a machine (`worker.session.machine`); seconds since 1970.

    Args:
        replied_at_s: when our last reply was decided.
        quick: replies of ours in a row that were answered at once.
        quick_since_s: when the first of them was answered.
        texts: the last longer texts, the newest last.
        automatic_at_s: when automatic answers came.
        row: the last text of any length, as often as it came with no other between.
    """

    replied_at_s: float = 0.0
    quick: int = 0
    quick_since_s: int = 0
    texts: tuple[Repeated, ...] = ()
    automatic_at_s: tuple[int, ...] = ()
    row: Repeated | None = None


class Context(Struct, frozen=True, omit_defaults=True):
    """Memory of a conversation, stored as `context_data`.

    Args:
        history: last exchanges, oldest first.
        terms: product searches made last, so that "the second one" can be understood.
        human_until: end of the wait for a person, also of one that is over; the AI keeps silent until then.
        human_told: whether a text of ours has said so.
        currency: of cart lines that were stored before they named theirs.
        checkout: details of the order to come.
        asking: our question that is open: confirm, delivery, area, address, payment or kept_cart; `ordered` right
            after an order, where another yes is the same one.
        version: of the cart and the details that a summary of ours has shown; only this one can be confirmed.
        summed_at_s: when that summary was made, since 1970.
        ordered: version that was ordered last.
        undo: the cart before its last change.
        shown: skus of the products that the last replies have shown, in their order.
        numbered: the last reply was a list, so that a bare number means a row of it.
        left_open: what the last reply has asked, where a bare answer to it needs no model, with a mark of that reply
            (`worker.replies.open_question`).
        kept: cart of the conversation before, until the customer has said what shall become of it.
        kept_shown: whether the customer was asked.
        human_since: when the wait for a person began.
        human_reason: why, as `worker.session.handover` names it.
        pace: how the customer writes; begins anew with a handover.
        joined: two conversations have become this one, which is still to be said; `kept` is the other one's cart.
    """

    history: tuple[Exchange, ...] = ()
    terms: tuple[str, ...] = ()
    human_until: datetime | None = None
    human_told: bool = False
    currency: str = ""
    checkout: Checkout = Checkout()
    asking: str = ""
    version: str = ""
    summed_at_s: int = 0
    ordered: str = ""
    undo: Undo | None = None
    shown: tuple[str, ...] = ()
    numbered: bool = False
    left_open: str = ""
    kept: Cart = ()
    kept_shown: bool = False
    human_since: datetime | None = None
    human_reason: str = ""
    pace: Pace = Pace()
    joined: bool = False


class Session(
    Struct,
    frozen=True,
    rename={"id": "session_id", "state": "session_state", "cart": "cart_data", "context": "context_data"},
):
    """State of a conversation; encoded under the names of `get_session_optimized`. version: PostgreSQL's number of this
    state, 0 while it is not stored.
    """

    id: str
    customer_phone: str
    state: str = "browsing"
    cart: Cart = ()
    context: Context = Context()
    customer_name: str | None = None
    total_orders: int = 0
    version: int = 0

    def row(self) -> dict[str, Any]:
        """The session as PostgreSQL and the session cache keep it."""
        row: dict[str, Any] = msgspec.to_builtins(self)
        return row | {"cart_data": [item.row() for item in self.cart]}


class Order(Struct, frozen=True):
    """Order as `update_session_cache` takes it. Amounts are of one currency.

    Args:
        delivery_fee: zero where the customer picks it up, or where the shop has named none.
        delivery: `delivery` or `pickup`, None where the shop knows no difference.
        name: of the customer, as far as WhatsApp tells it.
    """

    currency: str
    subtotal: Decimal
    delivery_fee: Decimal
    total: Decimal
    items: Cart
    delivery: str | None = None
    address: str | None = None
    payment: str | None = None
    note: str | None = None
    name: str | None = None
    channel: str | None = None

    def row(self) -> dict[str, Any]:
        """The order as `update_session_cache` takes it, with the total of each line as the customer has seen it."""
        row: dict[str, Any] = msgspec.to_builtins(self)
        return row | {"items": [item.row() | {"total": str(item.total)} for item in self.items]}


def new_session(customer_phone: str, customer_name: str | None) -> Session:
    """The first state of a conversation, not stored yet."""
    return Session(id=str(uuid4()), customer_phone=customer_phone, customer_name=customer_name)


def session_from_row(row: Mapping[str, Any]) -> Session:
    """Decodes a row of `get_session_optimized` or an entry of the session cache, which has the same names."""
    currency = row["context_data"].get("currency") or DEFAULT_CURRENCY
    return convert(
        {**row, "session_id": str(row["session_id"]), "cart_data": cart_from_rows(row["cart_data"], currency)}, Session
    )


def resumed(session: Session, kept: Cart) -> Session:
    """A new session of a customer who has left a cart in the conversation before."""
    return replace(session, context=replace(session.context, kept=kept))


def with_exchange(session: Session, exchange: Exchange) -> Session:
    """The session with one more exchange, which is clipped, in its history."""
    clipped = Exchange(exchange.customer[:HISTORY_CHARS], exchange.reply[:HISTORY_CHARS])
    history = (*session.context.history, clipped)[-HISTORY_TURNS:]
    return replace(session, context=replace(session.context, history=history))
