"""Outbox of orders: events that PostgreSQL keeps until they stand in `whatsapp:orders`, and words for customers that go
out with them.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from msgspec import Struct, convert
from sqlalchemy import Connection

from db.orders import mark_order_events_published, unpublished_order_events
from worker.redisdb.streams import Streams

#: An event that is younger is still in the hands of whoever committed it.
LATE_S = 5.0
MAX_REPUBLISHED = 20_000
#: Records events as published, by their ids.
Mark = Callable[[Sequence[str]], object]


class OutboxEvent(Struct, frozen=True):
    """Event of an order as it is published.

    Args:
        payload: the entry of `whatsapp:orders` (docs/gateway.md, Orders).
        reply: words for the customer (docs/gateway.md, Outbound), under the same id; None where he is told nothing.
    """

    event_id: str
    payload: dict[str, Any]
    reply: dict[str, Any] | None = None


def outbox_events(rows: Iterable[Mapping[str, Any]]) -> tuple[OutboxEvent, ...]:
    """Reads events as the database functions give them."""
    return tuple(convert(row, OutboxEvent) for row in rows)


def publish_events(streams: Streams, mark: Mark, events: Sequence[OutboxEvent], *, by_sweep: bool = False) -> int:
    """Publishes events in their order, then the words for customers, and only then records them as published: whatever
    fails on the way, the sweep finds them, and each goes out once.

    Args:
        events: of each order all that are not published, oldest first.

    Returns:
        How many events were new to the stream.

    Raises:
        RedisError: or RedisNotSwept, where the stream cannot be written; what `mark` raises.
    """
    if not events:
        return 0
    new = streams.publish_orders([event.payload for event in events], by_sweep=by_sweep)
    streams.publish([event.reply for event in events if event.reply], by_sweep=by_sweep)
    mark([event.event_id for event in events])
    return new


def republish(connection: Connection, streams: Streams, *, recent_s: float) -> int:
    """Publishes what nobody has recorded as published, as the sweep.

    Args:
        recent_s: a Redis that has restarted may have forgotten what was published since; 0: it has not.

    Returns:
        How many events were due.
    """
    rows = unpublished_order_events(
        connection,
        # Whoever has a younger one in hand may just be about to record what the restart has undone.
        older_than_s=0.0 if recent_s else LATE_S,
        recent_s=recent_s,
        max_rows=MAX_REPUBLISHED,
    )
    mark = partial(mark_order_events_published, connection)
    publish_events(streams, mark, outbox_events(rows), by_sweep=True)
    return len(rows)
