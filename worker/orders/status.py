"""Status of an order, and words of the shop for its customer: moved in PostgreSQL, told through the outbox."""

import tomllib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

from msgspec import Struct, convert, to_builtins
from redis.exceptions import RedisError
from sqlalchemy import Connection

from db import orders, retry
from db.states import OrderStatus
from worker.errors import CommandError, RedisNotSwept
from worker.messages.reply import Reply, expires_at, within_limits
from worker.orders.order import Order
from worker.orders.outbox import outbox_events, publish_events
from worker.redisdb.streams import Streams

WORDS: Mapping[str, str] = tomllib.loads((Path(__file__).parent / "status_words.toml").read_text("utf-8"))
#: Source of words of the shop itself (contract 3.2).
SHOP = "shop"
#: Largest number that an order can have.
MAX_ID = 2**63 - 1


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


def usual_words(order: Order, status: OrderStatus) -> str:
    """Returns what a customer is told of a status."""
    name = "ready_for_pickup" if status == "ready" and order.delivery == "pickup" else status
    return WORDS[name].format(id=order.id)


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
    told = None if words is None else status_reply(stored, words or usual_words(stored.order, status))

    def move() -> dict[str, Any]:
        with connection.begin():
            return orders.set_order_status(connection, order_id, status, told)

    moved = retry.again_on_conflict(move)
    if problem := moved.get("problem"):
        raise CommandError(refusal(order_id, problem, moved.get("status", "")))
    published = _publish(connection, streams, moved["events"])
    said = moved["events"][-1]["reply"]
    untold = None if words is None or said else untold_because(stored)
    return Move(order_id, moved["status"], status, said and said["text"], untold, published)


def refusal(order_id: int, problem: str, status: str) -> str:
    """Returns why an order did not get a status, as `set_order_status` names it."""
    told = {
        "unknown": f"there is no order {order_id}",
        "same": f"order {order_id} is {status} already",
        "final": f"order {order_id} is {status}, and that is final",
    }
    return told[problem]


def untold_because(stored: StoredOrder) -> str:
    """Returns why a customer cannot be told."""
    if stored.order.customer == "erased":
        return "the customer's data was erased"
    return "the customer last wrote more than 24 h ago, and WhatsApp refuses free text after that"


def status_reply(stored: StoredOrder, words: str) -> dict[str, Any] | None:
    """Makes the outbound entry with words of the shop (contract 3.2); None where WhatsApp would refuse it."""
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

    def mark(event_ids: Sequence[str]) -> None:
        with connection.begin():
            orders.mark_order_events_published(connection, event_ids)

    try:
        publish_events(streams, mark, outbox_events(rows))
    except (RedisError, RedisNotSwept):
        return False
    return True
