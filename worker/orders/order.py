"""Order as the shop is told of it (docs/gateway.md, Orders), and its status: moved in PostgreSQL, told through
the outbox.

Money and quantities are decimal texts.
"""

import tomllib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal
from uuid import uuid4

from msgspec import Struct, convert, to_builtins
from redis.exceptions import RedisError
from sqlalchemy import Connection

from db import orders, retry
from db.states import OrderStatus
from worker.errors import CommandError, RedisNotSwept
from worker.messages.reply import Reply, expires_at, within_limits
from worker.orders.outbox import outbox_events, publish_events
from worker.redisdb.streams import Streams

WORDS: Mapping[str, str] = tomllib.loads((Path(__file__).parent / "status_words.toml").read_text("utf-8"))
#: Source of words of the shop itself (docs/gateway.md, Outbound).
SHOP = "shop"
#: Reasons for which `set_order_status` moves nothing.
PROBLEMS = {
    "unknown": "there is no order {id}",
    "same": "order {id} is {status} already",
    "final": "order {id} is {status}, and that is final",
}
#: Largest number that an order can have.
MAX_ID = 2**63 - 1


class OrderItem(Struct, frozen=True):
    """Line of an order as it was when it was placed.

    Args:
        sku: None where the product was gone from the catalogue by then.
        unit: u, kg or l; quantity and price are of it.
    """

    sku: str | None
    name: str
    unit: str
    quantity: str
    price: str
    total: str


class Order(Struct, frozen=True):
    """Confirmed purchase in one currency.

    Args:
        customer: WhatsApp's id, or `erased`.
        channel: the business number that the customer wrote to, None where the inbound named none.
        delivery: `delivery` or `pickup`; None in orders of the version before.
    """

    id: int
    customer: str
    name: str | None
    channel: str | None
    status: OrderStatus
    items: tuple[OrderItem, ...]
    subtotal: str
    delivery_fee: str
    total: str
    currency: str
    delivery: Literal["delivery", "pickup"] | None
    address: str | None
    payment: str | None
    note: str | None


class StoredOrder(Struct, frozen=True):
    """Order as PostgreSQL keeps it.

    Args:
        last_wrote_at: when the customer sent the last message, None where none of them is known (any more).
        session_state: of the customer's conversation, None where there is none.
    """

    order: Order
    created_at: datetime
    status_at: datetime | None
    events: tuple[dict[str, Any], ...]
    last_wrote_at: datetime | None
    session_state: str | None

    def may_be_told_until(self) -> datetime | None:
        """Returns when WhatsApp begins to refuse free text to this customer; None: it does already."""
        end = expires_at(int(self.last_wrote_at.timestamp())) if self.last_wrote_at else None
        return end if end and end > datetime.now(UTC) else None


class Move(Struct, frozen=True):
    """Result of moving an order.

    Args:
        before: the status that it had.
        told: words that are on their way to the customer, None where there are none.
        untold: why the customer is not told although that was wanted.
        published: whether the shop's stream has it; else the sweep of the running service publishes it.
    """

    id: int
    before: str
    status: str
    told: str | None
    untold: str | None
    published: bool


def find_order(connection: Connection, order_id: int) -> StoredOrder:
    """Reads an order. Raises CommandError where there is none."""
    found = orders.find_order(connection, order_id) if 0 < order_id <= MAX_ID else None
    if found is None:
        raise CommandError(f"there is no order {order_id}")
    return convert({**found, "order": found["entry"]}, StoredOrder)


def move_order(
    connection: Connection, streams: Streams, order_id: int, status: OrderStatus, words: str | None = None
) -> Move:
    """Moves an order to a status, and tells the shop and, where words are given, the customer.

    Args:
        connection: not in a transaction; the move is one of its own.
        words: None: the customer is told nothing; empty: the usual words.

    Raises:
        CommandError: there is no such order, or it cannot get this status.
    """
    stored = find_order(connection, order_id)
    if connection.in_transaction():
        connection.commit()
    usual = "ready_for_pickup" if status == "ready" and stored.order.delivery == "pickup" else status
    told = None if words is None else _reply(stored, words or WORDS[usual].format(id=order_id))
    moved = retry.commit(connection, orders.set_order_status, order_id, status, told)
    if problem := moved.get("problem"):
        raise CommandError(PROBLEMS[problem].format(id=order_id, status=moved.get("status")))
    published = _publish(connection, streams, moved["events"])
    said = moved["events"][-1]["reply"]
    untold = None if words is None or said else _untold_because(stored)
    return Move(order_id, moved["status"], status, said and said["text"], untold, published)


def _untold_because(stored: StoredOrder) -> str:
    if stored.order.customer == "erased":
        return "the customer's data was erased"
    return "the customer last wrote more than 24 h ago, and WhatsApp refuses free text after that"


def _reply(stored: StoredOrder, words: str) -> dict[str, Any] | None:
    """Makes the entry with words of the shop (docs/gateway.md, Outbound); None where WhatsApp would refuse it."""
    order, until = stored.order, stored.may_be_told_until()
    if order.customer == "erased" or until is None:
        return None
    reply = Reply(
        reply_id=str(uuid4()),
        to=order.customer,
        in_reply_to=(),
        text=words,
        quick_replies=(),
        intent="",
        confidence=1.0,
        requires_human=False,
        session_state=stored.session_state or "browsing",
        source=SHOP,
        provider=None,
        created_at=datetime.now(UTC),
        expires_at=until,
        channel=order.channel,
    )
    return dict(to_builtins(within_limits(reply)))


def _publish(connection: Connection, streams: Streams, rows: Sequence[Mapping[str, Any]]) -> bool:
    """Publishes events at once; where that fails they are the sweep's."""
    try:
        publish_events(
            streams,
            lambda event_ids: retry.commit(connection, orders.mark_order_events_published, event_ids),
            outbox_events(rows),
        )
    except (RedisError, RedisNotSwept):
        return False
    return True
