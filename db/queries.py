"""Statements, one function each, named after it. Plain values go in and come out; JSON is encoded and decoded here."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

import orjson
from sqlalchemy import Connection, CursorResult

Json = dict[str, Any]
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
#: Customer and token of a turn under way.
Holder = tuple[str, str]
#: Rows of one call of the retention: while they are erased, new messages of their customers wait.
RETENTION_ROWS = 500
#: A turn of which somebody else holds rows is looked at again after this time. Not at once: what cannot be seen to be
#: locked (a row that is inserted and not committed) would ask a model in vain each time.
LOCKED_LEASE_S = 5.0


def _run(connection: Connection, sql: str, **values: object) -> CursorResult[Any]:
    return connection.exec_driver_sql(sql, values)


def _rows(found: CursorResult[Any]) -> list[Json]:
    return [dict(row) for row in found.mappings()]


def _call(connection: Connection, function: str, value: object) -> Any:
    """Calls a function of one JSON argument; returns its one JSON value."""
    return orjson.loads(_run(connection, f"select {function}(%(value)s::jsonb)::text", value=_json(value)).scalar_one())


def _json(value: object) -> str:
    return orjson.dumps(value).decode()


def accept_messages(connection: Connection, batch: Json) -> Json:
    """Commits a batch of inbound messages and claims turns; in and out as `accept_messages_v4.sql` says."""
    return dict(_call(connection, "accept_messages", batch))


def mark_deliveries(connection: Connection, statuses: list[Json]) -> int:
    """Marks replies as WhatsApp reports them, as `mark_deliveries_v1.sql` says; returns how many replies of ours."""
    sql = "select mark_deliveries(%(statuses)s::jsonb)"
    return int(_run(connection, sql, statuses=_json(statuses)).scalar_one())


def load_sessions(connection: Connection, phones: Iterable[str]) -> list[Json]:
    """Returns the live sessions of these customers, as rows of `get_session_optimized`."""
    sql = "select s.* from unnest(%(phones)s::text[]) phone cross join lateral get_session_optimized(phone) s"
    return _rows(_run(connection, sql, phones=list(phones)))


def last_orders(connection: Connection, phones: Iterable[str]) -> list[Json]:
    """Returns the newest order of each of these customers, if it is of the last week."""
    sql = """
        select distinct on (customer_phone) customer_phone, id, status, total, currency, created_at
        from orders where customer_phone = any (%(phones)s::text[]) and created_at > now() - interval '7 days'
        order by customer_phone, id desc
    """
    return _rows(_run(connection, sql, phones=list(phones)))


def left_carts(connection: Connection, phones: Iterable[str]) -> list[Json]:
    """Returns carts of conversations that ended within a day, of these customers: customer_phone, cart_data."""
    return _rows(_run(connection, "select * from left_carts(%(phones)s::text[])", phones=list(phones)))


def update_session_cache(connection: Connection, session_data: Json) -> Json:
    """Commits the end of turns; in and out as `update_session_cache_v3.sql` says."""
    return dict(_call(connection, "update_session_cache", session_data))


def extend_leases(connection: Connection, holders: Sequence[Holder], lease_s: float) -> set[str]:
    """Lets the leases end `lease_s` seconds from now; returns the tokens that were still held."""
    sql = "select t::text from extend_leases(%(phones)s::text[], %(tokens)s::uuid[], %(lease_s)s) t"
    return set(_run(connection, sql, **_split(holders), lease_s=lease_s).scalars())


def lease_left(connection: Connection, holders: Sequence[Holder]) -> dict[str, float]:
    """Returns the seconds left of each lease by token; a token that is no longer held is absent."""
    sql = "select token::text, left_s from lease_left(%(phones)s::text[], %(tokens)s::uuid[])"
    return dict(map(tuple, _run(connection, sql, **_split(holders))))


def _split(holders: Sequence[Holder]) -> Json:
    return {"phones": [phone for phone, _ in holders], "tokens": [token for _, token in holders]}


def sweep_turns(
    connection: Connection, *, lease_s: float, limit: int, locked_lease_s: float = LOCKED_LEASE_S
) -> tuple[list[Json], set[str]]:
    """Claims again up to `limit` turns whose lease has ended.

    Args:
        locked_lease_s: when to look again at a turn that stays because somebody else holds rows of its customer.

    Returns:
        The turns, one message each, and the customers whose turns stay.
    """
    options = _json({"lease_s": lease_s, "limit": limit, "locked_lease_s": locked_lease_s})
    sql = "select coalesce(jsonb_agg(t), '[]')::text from sweep_turns(%(options)s::jsonb) t"
    found = orjson.loads(_run(connection, sql, options=options).scalar_one())
    locked = {row["customer_phone"] for row in found if row.get("locked")}
    return [row for row in found if "token" in row], locked


def locked_for_acceptance(connection: Connection, phones: Iterable[str]) -> set[str]:
    """Returns the customers of whom somebody else holds a row that accepting their messages must change."""
    return set(_run(connection, "select locked_for_acceptance(%(phones)s::text[])", phones=list(phones)).scalars())


def locked_for_commit(connection: Connection, phones: Iterable[str]) -> set[str]:
    """Returns the customers of whom somebody else holds a row that the commit of their turns must change."""
    return set(_run(connection, "select locked_for_commit(%(phones)s::text[])", phones=list(phones)).scalars())


def set_aside(connection: Connection, runs: Json) -> None:
    """Leaves turns that could not go on to the sweep, as `set_aside_v1.sql` says."""
    _run(connection, "select set_aside(%(runs)s::jsonb)", runs=_json(runs))


def wait_for_quiet(connection: Connection, runs: Json) -> set[str]:
    """Lets turns wait until their customers are quiet, as `wait_for_quiet_v1.sql` says; returns the tokens that do."""
    sql = "select t::text from wait_for_quiet(%(runs)s::jsonb) t"
    return set(_run(connection, sql, runs=_json(runs)).scalars())


def claim_quiet(connection: Connection, options: Json) -> Json:
    """Claims turns whose customers have become quiet; in and out as `claim_quiet_v1.sql` says."""
    return dict(_call(connection, "claim_quiet", options))


def begin_attempts(connection: Connection, runs: Json) -> dict[str, int]:
    """Counts an attempt of each swept turn; returns attempts so far by token that is still held."""
    sql = "select token::text, attempts from begin_attempts(%(runs)s::jsonb)"
    return dict(map(tuple, _run(connection, sql, runs=_json(runs))))


def suspend_attempts(connection: Connection, runs: Json) -> None:
    """Takes back the attempt of each swept turn that goes on to wait in a queue."""
    _run(connection, "select suspend_attempts(%(runs)s::jsonb)", runs=_json(runs))


def release_turns(connection: Connection, failures: list[Json]) -> None:
    """Gives failed turns back to the sweep at once, with the kind of error."""
    _run(connection, "select release_turns(%(failures)s::jsonb)", failures=_json(failures))


def unpublished_replies(
    connection: Connection, *, older_than_s: float, recent_s: float = 0.0, max_rows: int = 500
) -> list[Json]:
    """Returns committed replies to publish (again), oldest first: columns as in `unpublished_replies_v1.sql`."""
    sql = """
        select reply_id::text, customer_phone, reply, outcome, message_count
        from unpublished_replies(%(older_than_s)s, %(recent_s)s, %(max_rows)s)
    """
    return _rows(_run(connection, sql, older_than_s=older_than_s, recent_s=recent_s, max_rows=max_rows))


def record_metrics(connection: Connection, metrics: list[Json]) -> dict[str, int | None]:
    """Records costs and marks replies published; returns milliseconds from acceptance by reply id that is new."""
    sql = "select reply_id::text, reply_latency_ms from record_metrics(%(metrics)s::jsonb)"
    return dict(map(tuple, _run(connection, sql, metrics=_json(metrics))))


def add_event(connection: Connection, kind: str, data: Json) -> None:
    """Records that something happened."""
    _run(connection, "insert into events (kind, data) values (%(kind)s, %(data)s::jsonb)", kind=kind, data=_json(data))


def cleanup_expired_sessions(connection: Connection) -> int:
    """Deletes at most 10,000 expired sessions; returns how many."""
    return int(_run(connection, "select cleanup_expired_sessions()").scalar_one())


def apply_retention(connection: Connection, keep_days: int, max_rows: int = RETENTION_ROWS) -> int:
    """Erases at most `max_rows` rows that are older than `keep_days`; returns how many."""
    sql = "select apply_retention(%(keep_days)s, %(max_rows)s)"
    return int(_run(connection, sql, keep_days=keep_days, max_rows=max_rows).scalar_one())


def spent_microusd(connection: Connection) -> tuple[int, int]:
    """Returns the cost of calls this month and this day (UTC)."""
    sql = """
        with bounds as (
            select date_trunc('month', now() at time zone 'UTC') at time zone 'UTC' as month,
                   date_trunc('day', now() at time zone 'UTC') at time zone 'UTC' as day
        )
        select coalesce(sum(cost_microusd), 0)::bigint, coalesce(sum(cost_microusd) filter (where at >= day), 0)::bigint
        from bounds left join ai_metrics on at >= month
    """
    month, day = map(int, _run(connection, sql).one())
    return month, day


def search_products(connection: Connection, terms: Iterable[str], max_results: int) -> list[Json]:
    """Returns rows of `find_products` with the `term` they were found for, best first within a term."""
    sql = "select term, p.* from unnest(%(terms)s::text[]) term cross join lateral find_products(term, %(most)s) p"
    return _rows(_run(connection, sql, terms=list(terms), most=max_results))


def categories(connection: Connection) -> list[str]:
    """Returns the names of the categories in the shop's order."""
    return list(_run(connection, "select name from categories order by position, name").scalars())


def product_names(connection: Connection) -> list[str]:
    """Returns the names of all active products."""
    return list(_run(connection, "select distinct name from products where active").scalars())


def set_order_status(connection: Connection, order_id: int, status: str, told: Json | None = None) -> Json:
    """Moves an order to a status; in and out as `set_order_status_v1.sql` says."""
    sql = "select set_order_status(%(order_id)s, %(status)s, %(told)s::jsonb)::text"
    given = {"order_id": order_id, "status": status, "told": None if told is None else _json(told)}
    return dict(orjson.loads(_run(connection, sql, **given).scalar_one()))


def unpublished_order_events(
    connection: Connection, *, older_than_s: float, recent_s: float = 0.0, max_rows: int = 500
) -> list[Json]:
    """Returns events of orders to publish (again), in their order: columns as in `unpublished_order_events_v1.sql`."""
    sql = """
        select id, event_id::text, payload, reply
        from unpublished_order_events(%(older_than_s)s, %(recent_s)s, %(max_rows)s)
    """
    return _rows(_run(connection, sql, older_than_s=older_than_s, recent_s=recent_s, max_rows=max_rows))


def mark_order_events_published(connection: Connection, event_ids: Sequence[str]) -> None:
    """Records that these events of orders are out, as `mark_order_events_v1.sql` says."""
    _run(connection, "select mark_order_events(%(event_ids)s::uuid[])", event_ids=list(event_ids))


def list_orders(connection: Connection, limit: int, statuses: Sequence[str]) -> list[Json]:
    """Returns the newest orders in one of these statuses, newest first, with their items."""
    sql = f"{ORDER_LINES} where o.status = any (%(statuses)s) order by o.id desc limit %(limit)s"
    return _rows(_run(connection, sql, statuses=list(statuses), limit=limit))


def open_orders(connection: Connection, limit: int) -> list[Json]:
    """Returns orders that are neither delivered nor cancelled, the longest in their status first, with their items.

    Those from before statuses were kept are none of them: nobody knows what became of them.
    """
    sql = f"""
        {ORDER_LINES}
        where o.status <> all (array['delivered', 'cancelled']) and o.status_at is not null
        order by o.status_at, o.id limit %(limit)s
    """
    return _rows(_run(connection, sql, limit=limit))


def find_order(connection: Connection, order_id: int) -> Json | None:
    """Returns an order: `entry` as the shop is told it now (contract 3.9), times, its events without what they said,
    and, of the customer, when the last message was sent and the state of the session; None where there is none.
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
    return next(iter(_rows(_run(connection, sql, order_id=order_id))), None)


def stored_prices(connection: Connection, skus: Sequence[str]) -> dict[str, tuple[Decimal, str]]:
    """Returns price and currency by sku, of those that are there, whether they are sold at the moment or not."""
    sql = "select sku, price, currency from products where sku = any (%(skus)s::text[])"
    rows = map(tuple, _run(connection, sql, skus=list(skus)))
    return {sku: (price, currency) for sku, price, currency in rows}


def lock_products(connection: Connection, skus: Sequence[str]) -> None:
    """Locks these products in the order in which orders lock them, until the connection's transaction ends."""
    sql = "select from products where sku = any (%(skus)s::text[]) order by id for no key update"
    _run(connection, sql, skus=list(skus))


def put_products(connection: Connection, rows: list[Json]) -> None:
    """Inserts or updates products by sku, with the categories they name, in the connection's transaction.

    Args:
        rows: as `read_products` gives them; `unit` and `step` may be missing.
    """
    sql = "insert into categories (name) select distinct unnest(%(names)s::text[]) order by 1 on conflict do nothing"
    _run(connection, sql, names=[row["category"] for row in rows])
    sql = """
        insert into products as p (sku, name, brand, category_id, format, price, currency, stock, unit, step)
        select r.sku, r.name, r.brand, c.id, r.format, r.price, r.currency, r.stock, coalesce(r.unit, 'u'),
               coalesce(r.step, case when coalesce(r.unit, 'u') = 'u' then 1 else 0.05 end)
        from jsonb_to_recordset(%(rows)s::jsonb) as r (
            sku text, name text, brand text, category text, format text, price numeric, currency text, stock numeric,
            unit text, step numeric)
        join categories c on c.name = r.category
        on conflict (sku) do update set
            name = excluded.name, brand = excluded.brand, category_id = excluded.category_id, format = excluded.format,
            price = excluded.price, currency = excluded.currency, stock = excluded.stock, unit = excluded.unit,
            step = excluded.step, active = true, updated_at = now()
    """
    _run(connection, sql, rows=_json(rows))


def dead_letters(connection: Connection) -> list[Json]:
    """Returns all dead letters in the order of acceptance, without what was written."""
    sql = """
        select id, message_id, customer_phone, sent_at, answered_at as died_at, attempts, reason, last_error
        from messages where state = 'dead' order by id
    """
    return _rows(_run(connection, sql))


def find_message(connection: Connection, reference: str) -> Json | None:
    """Returns the message with this id of WhatsApp's or, where there is none, this number; with its content."""
    number = int(reference) if reference.isascii() and reference.isdigit() and len(reference) < 19 else None
    sql = """
        select m.id, m.state, m.message_id, m.customer_phone, c.name, m.sent_at, m.accepted_at,
               m.answered_at as died_at, m.attempts, m.reason, m.last_error, m.content
        from messages m left join customers c using (customer_phone)
        where m.message_id = %(message_id)s or m.id = %(id)s order by m.message_id = %(message_id)s desc limit 1
    """
    return next(iter(_rows(_run(connection, sql, message_id=reference, id=number))), None)


def replay_dead_letters(connection: Connection, letters: Sequence[int]) -> int:
    """Makes these messages unanswered again, those of them that are dead letters; returns how many that were."""
    return int(_run(connection, "select replay_dead_letters(%(ids)s::bigint[])", ids=list(letters)).scalar_one())


def discard_dead_letter(connection: Connection, letter: int) -> bool:
    """Closes a dead letter for good; returns whether it was one."""
    sql = """
        update messages set state = 'closed', reason = concat_ws('; ', reason, 'discarded')
        where id = %(letter)s and state = 'dead'
    """
    return _run(connection, sql, letter=letter).rowcount == 1


def erase_customer(connection: Connection, phone: str) -> Json:
    """Removes a customer's personal data from every table; out as `erase_customer_v2.sql` says."""
    return dict(orjson.loads(_run(connection, "select erase_customer(%(phone)s)::text", phone=phone).scalar_one()))


def linked_ids(connection: Connection, phone: str) -> list[str]:
    """Returns all ids of the customer whom this one means: first the one under which everything of theirs stands."""
    return list(_run(connection, "select linked_ids(%(phone)s)", phone=phone).scalar_one())


def forget_ids(connection: Connection, phones: Sequence[str]) -> None:
    """Forgets that these ids are of one customer."""
    sql = "delete from customer_ids where alias = any (%(phones)s::text[]) or customer_phone = any (%(phones)s::text[])"
    _run(connection, sql, phones=list(phones))


def known_ids(connection: Connection, ids: Sequence[str]) -> set[str]:
    """Returns those of the ids that are some customer's."""
    sql = """
        select id from unnest(%(ids)s::text[]) id
        where exists (select from customers where customer_phone = customer_of(id)) or customer_of(id) <> id
    """
    return set(_run(connection, sql, ids=list(ids)).scalars())


def resume_customer(connection: Connection, phone: str) -> str:
    """Ends the wait for a person; returns `resumed`, `not_waiting`, or `busy` while the customer has a turn."""
    return str(_run(connection, "select resume_customer(%(phone)s)", phone=phone).scalar_one())
