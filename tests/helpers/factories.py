"""Builders of what the database functions take, and the few looks into tables that several tests need."""

from __future__ import annotations

from typing import Any
from uuid import NAMESPACE_DNS, uuid4, uuid5

from sqlalchemy import Connection, text

from db import queries

Json = dict[str, Any]
LIMITS: Json = {"lease_s": 15.0, "max_messages": 10, "max_chars": 4_096}
ANA, BRUNO, CARLA = "5491100000001", "5491100000002", "5491100000003"
SENT_AT_S = 1_763_800_000
#: Result of a commit of turns that are nobody's any more.
NOTHING: Json = {"committed": [], "next": [], "replies": [], "changed": [], "events": []}


def inbound(message_id: str, phone: str = ANA, **changes: Any) -> Json:
    """One message as `accept_messages` takes it."""
    given = {"name": None, "sent_at_s": SENT_AT_S, "type": "text", "text": "hola", "selection_id": None}
    return {"message_id": message_id, "customer_phone": phone, "reply_due": True} | given | changes


def batch_of(*messages: Json) -> Json:
    """The argument of `accept_messages`."""
    return LIMITS | {"messages": list(messages)}


def accept(connection: Connection, *messages: Json) -> list[Json]:
    """Accepts the messages; the turns claimed, by customer."""
    turns = queries.accept_messages(connection, batch_of(*messages))["turns"]
    return sorted(turns, key=lambda turn: turn["customer_phone"])


def accept_one(connection: Connection, message_id: str = "m1", phone: str = ANA) -> Json:
    """The turn that one new message of a free customer begins."""
    (turn,) = accept(connection, inbound(message_id, phone))
    return turn


def wamids(turn: Json) -> list[str]:
    """WhatsApp's ids of the messages of a turn, in its order."""
    return [message["message_id"] for message in turn["messages"]]


def session_row(phone: str = ANA, **changes: Any) -> Json:
    """A session as `update_session_cache` takes it; the same customer's always has the same id."""
    given = {"session_state": "searching", "cart_data": [], "context_data": {"history": []}}
    return {"id": str(uuid5(NAMESPACE_DNS, phone))} | given | changes


def commit_row(turn: Json, **changes: Any) -> Json:
    """The turn, answered, as `update_session_cache` takes it."""
    phone = turn["customer_phone"]
    return {
        "token": turn["token"],
        "customer_phone": phone,
        "message_ids": [message["id"] for message in turn["messages"]],
        "state": "answered",
        "reply": {"reply_id": turn["token"], "to": phone, "text": f"a {phone}"},
        "outcome": {"source": "ai"},
        "error": None,
        "orders": [],
        "session": session_row(phone),
    } | changes


def commit(connection: Connection, *rows: Json) -> Json:
    """Commits rows with a session time to live of two hours."""
    return queries.update_session_cache(connection, LIMITS | {"session_ttl_s": 7_200, "turns": list(rows)})


def answer(connection: Connection, message_id: str, phone: str = ANA, **changes: Any) -> Json:
    """A message from acceptance to its committed, unpublished reply; the row that was committed."""
    row = commit_row(accept_one(connection, message_id, phone), **changes)
    assert len(commit(connection, row)["committed"]) == 1
    return row


def metrics_row(reply_id: str, **changes: Any) -> Json:
    """One row as `record_metrics` takes it."""
    counts = dict.fromkeys(("prompt_tokens", "cached_tokens", "completion_tokens", "baseline_microusd"), 10)
    names = dict.fromkeys(("provider", "model", "complexity", "intent", "session_cache", "provider_latency_ms"))
    row = {"reply_id": reply_id, "committed": True, "source": "ai", "messages": 1, "calls": 1, "cost_microusd": 7}
    return row | counts | names | changes


def product(sku: str, name: str, **changes: Any) -> Json:
    """A product as `put_products` takes it."""
    given = {"brand": "", "category": "Almacén", "format": "", "price": "100.00", "currency": "ARS", "stock": 5}
    return {"sku": sku, "name": name} | given | changes


def order_of(*items: Json, **changes: Any) -> Json:
    """An order as a worker of the version before wrote it: whatever the products are by now, it is placed."""
    return {"total": "10.00", "currency": "ARS", "address": None, "items": list(items)} | changes


#: Names of the products that tests have in stock, by id.
GOODS = {1: "Leche", 2: "Pan", 3: "Jamón", 4: "Arroz"}


def line_of(product_id: int, **changes: Any) -> Json:
    """A line of an order: two of a product of `product`, under the name that it has in the catalogue."""
    given = {"sku": str(product_id), "name": GOODS.get(product_id, ""), "unit": "u", "price": "100.00", "quantity": "2"}
    return {"id": product_id, "currency": "ARS"} | given | changes


def agreed_order(*items: Json, **changes: Any) -> Json:
    """An order that its customer has agreed to, as `update_session_cache` takes it; its sums are of two pieces."""
    sums = {"currency": "ARS", "subtotal": "200.00", "delivery_fee": "50.00", "total": "250.00"}
    said = {"delivery": "delivery", "address": "Mitre 12", "payment": "efectivo", "note": "timbre 2", "name": "Ana"}
    return sums | said | {"channel": "100000000000001", "items": list(items)} | changes


def tell_the_shop(connection: Connection) -> None:
    """Lets all events of orders be published."""
    connection.execute(text("update order_events set published_at = now() where published_at is null"))


def expire_leases(connection: Connection, *phones: str, ago_s: float = 1.0) -> None:
    """Lets the leases of these customers' turns have ended `ago_s` seconds ago."""
    change = "update turns set lease_until = clock_timestamp() - make_interval(secs => :ago_s)"
    connection.execute(text(f"{change} where customer_phone = any (:phones)"), {"phones": list(phones), "ago_s": ago_s})


def expire_sessions(connection: Connection, *phones: str, ago_s: float = 1.0) -> None:
    """Lets the sessions of these customers have expired `ago_s` seconds ago."""
    change = "update customer_sessions set expires_at = now() - make_interval(secs => :ago_s)"
    connection.execute(text(f"{change} where customer_phone = any (:phones)"), {"phones": list(phones), "ago_s": ago_s})


def other_token(turn: Json) -> Json:
    """The turn under a token that nobody holds."""
    return turn | {"token": str(uuid4())}


def rows(connection: Connection, sql: str, **values: Any) -> list[Json]:
    """Rows of a query as dictionaries."""
    return [dict(row) for row in connection.execute(text(sql), values).mappings()]


def row(connection: Connection, sql: str, **values: Any) -> Json:
    """The only row of a query."""
    (only,) = rows(connection, sql, **values)
    return only


def snapshot(connection: Connection) -> dict[str, list[str]]:
    """Every row of every table as text, to see that nothing changed."""
    tables = connection.execute(text("select tablename from pg_tables where schemaname = 'public'")).scalars().all()
    return {name: sorted(connection.execute(text(f"select t::text from {name} t")).scalars()) for name in tables}
