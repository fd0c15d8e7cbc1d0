"""Orders, and the outbox of what happened to them."""

from collections.abc import Iterable, Sequence

import orjson
from sqlalchemy import Connection

from db.statement import Json, as_json, rows, run

#: Orders for a list; sums and quantities are decimal texts.
ORDER_LINES = """
    select o.id, o.status, o.status_at, o.created_at, o.customer_phone as customer, o.name, o.delivery, o.address,
           o.payment, o.note, o.total::text, o.currency, (
               select coalesce(jsonb_agg(jsonb_build_object(
                   'sku', i.sku, 'name', i.name, 'unit', i.unit, 'quantity', trim_scale(i.quantity)::text,
                   'total', i.total::text) order by i.id), '[]')
               from order_items i where i.order_id = o.id) as items
    from orders o
"""


def last_orders(connection: Connection, phones: Iterable[str]) -> list[Json]:
    """Returns the newest order of each of these customers, if it is of the last week."""
    sql = """
        select distinct on (customer_phone) customer_phone, id, status, total, currency, created_at
        from orders where customer_phone = any (%(phones)s::text[]) and created_at > now() - interval '7 days'
        order by customer_phone, id desc
    """
    return rows(run(connection, sql, phones=list(phones)))


def set_order_status(connection: Connection, order_id: int, status: str, told: Json | None = None) -> Json:
    """Moves an order to a status; in and out as `set_order_status_v2.sql` says."""
    sql = "select set_order_status(%(order_id)s, %(status)s, %(told)s::jsonb)::text"
    given = {"order_id": order_id, "status": status, "told": None if told is None else as_json(told)}
    return dict(orjson.loads(run(connection, sql, **given).scalar_one()))


def unpublished_order_events(
    connection: Connection, *, older_than_s: float, recent_s: float = 0.0, max_rows: int = 500
) -> list[Json]:
    """Returns events of orders to publish (again), in their order: columns as in `unpublished_order_events_v1.sql`."""
    sql = """
        select id, event_id::text, payload, reply
        from unpublished_order_events(%(older_than_s)s, %(recent_s)s, %(max_rows)s)
    """
    return rows(run(connection, sql, older_than_s=older_than_s, recent_s=recent_s, max_rows=max_rows))


def mark_order_events_published(connection: Connection, event_ids: Sequence[str]) -> None:
    """Records that these events of orders are out, as `mark_order_events_v1.sql` says."""
    run(connection, "select mark_order_events(%(event_ids)s::uuid[])", event_ids=list(event_ids))


def list_orders(connection: Connection, limit: int, statuses: Sequence[str]) -> list[Json]:
    """Returns the newest orders in one of these statuses, newest first, with their items."""
    sql = f"{ORDER_LINES} where o.status = any (%(statuses)s) order by o.id desc limit %(limit)s"
    return rows(run(connection, sql, statuses=list(statuses), limit=limit))


def open_orders(connection: Connection, limit: int) -> list[Json]:
    """Returns orders that are neither delivered nor cancelled, the longest in their status first, with their items.

    Those from before statuses were kept are none of them: nobody knows what became of them.
    """
    sql = f"""
        {ORDER_LINES}
        where o.status <> all (array['delivered', 'cancelled']) and o.status_at is not null
        order by o.status_at, o.id limit %(limit)s
    """
    return rows(run(connection, sql, limit=limit))


def find_order(connection: Connection, order_id: int) -> Json | None:
    """Returns an order: `entry` as the shop is told it now (docs/gateway.md, Orders), times, its events without what
    they said, and, of the customer, when the last message was sent and the state of the session; None where there is
    none.
    """
    sql = """
        select order_entry(o.id, 'status', gen_random_uuid(), now()) -> 'order' as entry, o.created_at, o.status_at,
               (select coalesce(jsonb_agg(jsonb_build_object(
                           'event', event, 'status', payload #>> '{order,status}', 'at', at,
                           'published_at', published_at, 'told', reply ->> 'text') order by id), '[]')
                from order_events e where e.order_id = o.id) as events,
               (select sent_at from messages m where m.customer_phone = o.customer_phone
                order by m.id desc limit 1) as last_wrote_at,
               (select session_state from customer_sessions s where s.customer_phone = o.customer_phone)
                   as session_state
        from orders o where o.id = %(order_id)s
    """
    return next(iter(rows(run(connection, sql, order_id=order_id))), None)
