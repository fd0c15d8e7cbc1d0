"""Fills the database with customers who have written before: each has a live session, one answered message with its
reply and its metrics, and every tenth an order.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from sqlalchemy import Connection, text

#: Customers of one commit; each commit lies in hours of its own, which the summing up of whole hours needs once.
CHUNK: Final = 25_000
#: Times run from 30 days ago for the first customer to an hour ago for this one.
NEWEST: Final = 1_000_000
PEOPLE = """
    insert into customers (customer_phone, name, created_at, last_seen_at)
    select phone, 'Ana', at, at from past on conflict do nothing
"""
TURNS = "insert into turns (customer_phone) select phone from past on conflict do nothing"
SESSIONS = """
    insert into customer_sessions (customer_phone, session_state, context_data, messages)
    select phone, 'searching', jsonb_build_object('shown', '["LAC-001"]'::jsonb, 'history', jsonb_build_array(
               jsonb_build_object('customer', 'tenés leche?', 'reply', repeat('Sí, tenemos leche. ', 12)))), 1
    from past on conflict do nothing
"""
MESSAGES = """
    insert into messages (message_id, customer_phone, content, sent_at, accepted_at, state, reply_id, reply, outcome,
                          answered_at, published_at)
    select 'wamid.past.' || i, phone, '{"type": "text", "text": "tenés leche?", "selection_id": null}', at, at,
           'answered', reply_id, jsonb_build_object(
               'reply_id', reply_id, 'to', phone, 'in_reply_to', jsonb_build_array('wamid.past.' || i),
               'text', repeat('Sí, tenemos leche. ', 12), 'source', 'cache'),
           '{"source": "cache", "provider": "deepseek", "calls": 0, "cost_microusd": 0, "terms": ["leche"]}', at, at
    from past on conflict do nothing
"""
METRICS = """
    insert into ai_metrics (reply_id, at, source, provider, model, complexity, intent, reply_latency_ms, session_cache)
    select reply_id, at, 'cache', 'deepseek', 'deepseek-chat', 'simple', 'search_product', 40, 'hit'
    from past on conflict do nothing
"""
ORDERS = """
    insert into orders (customer_phone, reply_id, total, created_at, status, status_at)
    select phone, reply_id, 1850, at, 'delivered', at from past where i % 10 = 0 on conflict do nothing
"""
ORDER_EVENTS = """
    insert into order_events (event_id, order_id, customer_phone, event, at, payload, published_at)
    select gen_random_uuid(), o.id, o.customer_phone, 'placed', at, '{}', at from past join orders o using (reply_id)
"""
PAST = """
    create temporary table past on commit drop as
    select i, '9' || lpad(i::text, 13, '0') as phone, gen_random_uuid() as reply_id,
           now() - interval '1 hour' - interval '30 days' * (1 - i / cast(:newest as double precision)) as at
    from generate_series(cast(:first as integer), cast(:last as integer)) i
"""


def fill(connection: Connection, before: int, customers: int, look: Callable[[int], None]) -> None:
    """Adds customers as `add` does, and lets PostgreSQL gather its statistics."""
    add(connection, before, customers, look)
    with connection.begin():
        connection.exec_driver_sql("analyze")


def add(connection: Connection, before: int, customers: int, look: Callable[[int], None]) -> None:
    """Adds customers `before` + 1 to `customers`. look: called with how many there are."""
    for first in range(before + 1, customers + 1, CHUNK):
        last = min(first + CHUNK - 1, customers)
        with connection.begin():
            connection.execute(text(PAST), {"first": first, "last": last, "newest": NEWEST})
            for statement in (PEOPLE, TURNS, SESSIONS, MESSAGES, METRICS, ORDERS, ORDER_EVENTS):
                connection.exec_driver_sql(statement.replace("%", "%%"))
        look(last)
