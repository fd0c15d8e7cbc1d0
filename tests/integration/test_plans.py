"""No statement on a message's road reads a whole table that grows: counted by PostgreSQL itself while they run on a
filled database, inside the functions too.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from bench.filling import add, fill
from helpers.basics import EMPTY, MIGRATED, Servers, new_database
from helpers.factories import agreed_order, batch_of, commit_row, inbound, line_of, metrics_row, product
from sqlalchemy import Connection, Engine, text

from db import orders, queries
from db.engine import connect
from db.products import put_products, search_products

#: Enough that reading the whole of a table would be seen, and that PostgreSQL would not prefer to.
CUSTOMERS = 20_000
#: The same for a shop that has grown from nothing.
GROWN = 2_000
BATCH = 32
#: Rows that one message may cause to be looked at through an index, in any one table.
ROWS_EACH = 20
GROWING = (
    "customers",
    "customer_sessions",
    "messages",
    "turns",
    "orders",
    "order_events",
    "ai_metrics",
    "events",
    "deliveries",
)
#: From the sixth run on PostgreSQL may use a plan that does not know the arguments.
RUNS = 8
#: While the tables of a new shop become a few pages, by the size of a batch.
EARLY_RUNS = {1: 60, BATCH: 12}
READ = text("""
    select relname, seq_tup_read, coalesce(idx_tup_fetch, 0) from pg_stat_xact_user_tables where relname = any (:tables)
""")
#: Takes a connection and the customers of a batch.
Act = Callable[[Connection, Sequence[str]], object]


def open_shop(connection: Connection) -> None:
    """Products, and nobody who has ever written."""
    connection.execute(EMPTY)
    put_products(connection, [product(str(n), f"Leche {n}", stock=100_000) for n in range(200)])
    # As `line_of` orders it.
    connection.execute(text("update products set name = 'Leche' where id = 1"))


@pytest.fixture(scope="module")
def filled(servers: Servers, shared_engine: Engine) -> Iterator[Connection]:
    """A connection, with transactions, to a database in which many customers have written before."""
    with connect(servers.database_url) as connection:
        with connection.begin():
            open_shop(connection)
        fill(connection, 0, CUSTOMERS, lambda _count: None)
        yield connection
    with shared_engine.connect() as connection:
        connection.execute(EMPTY)


@pytest.fixture(scope="module")
def new_shop(servers: Servers) -> Iterator[Connection]:
    """A connection, with transactions, to a shop with a database of its own, whose tables PostgreSQL has never looked
    at.
    """
    with new_database(servers, MIGRATED) as url, connect(url) as connection:
        with connection.begin():
            open_shop(connection)
        yield connection


def tidy(connection: Connection) -> None:
    """What PostgreSQL does by itself from time to time."""
    with connection.engine.connect() as keeper:
        tables = ", ".join((*GROWING, "products", "categories", "search_words"))
        keeper.execution_options(isolation_level="AUTOCOMMIT").exec_driver_sql(f"vacuum analyze {tables}")


def customers(run: int, size: int = BATCH) -> list[str]:
    """Customers of one batch who have written before; others for every run."""
    return [f"9{run * size + n + 1:013d}" for n in range(size)]


def accept(connection: Connection, batch: Sequence[str]) -> list[dict[str, Any]]:
    """A batch of messages, accepted; their turns."""
    messages = [inbound(f"wamid.{phone}", phone) for phone in batch]
    return list(queries.accept_messages(connection, batch_of(*messages))["turns"])


def act(connection: Connection, batch: Sequence[str], **does: Any) -> object:
    """Accepted messages, and others of the same customers that do something to them."""
    accept(connection, batch)
    acts = [
        inbound(
            f"act.{phone}",
            phone,
            **{name: f"{value}{phone}" if name == "target" else value for name, value in does.items()},
        )
        for phone in batch
    ]
    return queries.accept_messages(connection, batch_of(*acts) | {"human_wait_s": 1_800.0, "session_ttl_s": 7_200})


def quote(connection: Connection, batch: Sequence[str]) -> object:
    """Answered messages, statuses that name their replies, and messages that quote these and the messages."""
    done = [(row["token"], phone) for row, phone in zip(update_session(connection, batch), batch, strict=True)]
    sent = [{"reply_id": token, "state": "sent", "wamid": f"sent.{phone}"} for token, phone in done]
    queries.mark_deliveries(connection, sent)
    quotes = [
        inbound(f"{kind}.quote.{phone}", phone, quoted=f"{kind}.{phone}")
        for phone in batch
        for kind in ("sent", "wamid")
    ]
    return queries.accept_messages(connection, batch_of(*quotes))


def update_session(connection: Connection, batch: Sequence[str]) -> list[dict[str, Any]]:
    """The same, and answered; what was committed."""
    rows = [commit_row(turn) for turn in accept(connection, batch)]
    limits = {"lease_s": 15.0, "max_messages": 10, "max_chars": 4_096, "session_ttl_s": 7_200}
    return list(queries.update_session_cache(connection, limits | {"turns": rows})["committed"])


def mark_deliveries(connection: Connection, batch: Sequence[str]) -> object:
    """The same, and reported as sent, then as read."""
    replies = [row["token"] for row in update_session(connection, batch)]
    for state in ("sent", "read"):
        queries.mark_deliveries(connection, [{"reply_id": reply_id, "state": state} for reply_id in replies])
    return replies


def place_orders(connection: Connection, batch: Sequence[str]) -> list[dict[str, Any]]:
    """Answered turns with orders of the same product; the events that tell of them."""
    name = connection.execute(text("select name from products where id = 1")).scalar_one()
    rows = [commit_row(turn, orders=[agreed_order(line_of(1, name=name))]) for turn in accept(connection, batch)]
    limits = {"lease_s": 15.0, "max_messages": 10, "max_chars": 4_096, "session_ttl_s": 7_200}
    return list(queries.update_session_cache(connection, limits | {"turns": rows})["events"])


def publish_orders(connection: Connection, batch: Sequence[str]) -> object:
    """The same, recorded as published."""
    placed = place_orders(connection, batch)
    assert len(placed) == len(batch)
    orders.mark_order_events_published(connection, [event["event_id"] for event in placed])
    return orders.unpublished_order_events(connection, older_than_s=0.0, recent_s=0.001, max_rows=500)


def set_order_status(connection: Connection, batch: Sequence[str]) -> object:
    """The same, and each order cancelled."""
    placed = place_orders(connection, batch)
    return [orders.set_order_status(connection, event["payload"]["order"]["id"], "cancelled") for event in placed]


def record_metrics(connection: Connection, batch: Sequence[str]) -> object:
    """The same, and recorded."""
    return queries.record_metrics(connection, [metrics_row(row["token"]) for row in update_session(connection, batch)])


def holders(connection: Connection, batch: Sequence[str]) -> list[tuple[str, str]]:
    """Those who hold turns."""
    return [(turn["customer_phone"], turn["token"]) for turn in accept(connection, batch)]


def begin_attempts(connection: Connection, batch: Sequence[str]) -> object:
    """Swept turns begin."""
    return queries.begin_attempts(connection, {"lease_s": 15.0, "turns": runs(connection, batch)})


def suspend_attempts(connection: Connection, batch: Sequence[str]) -> object:
    """Swept turns go on to wait."""
    return queries.suspend_attempts(connection, {"turns": runs(connection, batch)})


def set_aside(connection: Connection, batch: Sequence[str]) -> object:
    """Swept turns that could not go on."""
    return queries.set_aside(connection, {"lease_s": 5.0, "turns": runs(connection, batch)})


def waiting(connection: Connection, batch: Sequence[str]) -> list[str]:
    """Customers with turns under way."""
    return [phone for phone, _ in holders(connection, batch)]


def runs(connection: Connection, batch: Sequence[str]) -> list[dict[str, object]]:
    """Accepted turns as those take them who count attempts."""
    return [
        {"customer_phone": turn["customer_phone"], "token": turn["token"], "message_id": turn["messages"][0]["id"]}
        for turn in accept(connection, batch)
    ]


def release_turns(connection: Connection, batch: Sequence[str]) -> object:
    """Turns that failed."""
    failures = [
        {"customer_phone": turn["customer_phone"], "token": turn["token"], "message_ids": [1], "error": "Error"}
        for turn in accept(connection, batch)
    ]
    return queries.release_turns(connection, failures)


#: How long customers are to be quiet: 0, so that what waits is due at once.
QUIET = {
    "quiet_s": 0.0,
    "longest_s": 0.0,
    "lease_s": 15.0,
    "max_messages": 10,
    "max_chars": 4_096,
    "limit": 100,
    "late_s": 0.0,
}


def wait_for_quiet(connection: Connection, batch: Sequence[str], quiet_s: float = 60.0) -> set[str]:
    """Turns whose customers may write on."""
    given = QUIET | {"quiet_s": quiet_s, "longest_s": 4 * quiet_s, "least_s": -60.0}
    found = queries.wait_for_quiet(connection, given | {"turns": runs(connection, batch)})
    assert len(found) == len(batch)
    return found


def claim_quiet(connection: Connection, batch: Sequence[str]) -> object:
    """The same; they have written no more, and are claimed anew."""
    wait_for_quiet(connection, batch, quiet_s=0.0)
    found = queries.claim_quiet(connection, QUIET)["turns"]
    assert found
    return found


def rows_read(connection: Connection, act: Callable[[], object]) -> tuple[Counter[str], Counter[str]]:
    """Rows that an act reads by going through a whole table, and those it finds by an index, by table. What PostgreSQL
    has not yet passed on to its statistics from before is not counted.
    """
    before = [Counter[str](), Counter[str]()]
    after = [Counter[str](), Counter[str]()]
    for counts in (before, after):
        for table, whole, found in connection.execute(READ, {"tables": list(GROWING)}):
            counts[0][table], counts[1][table] = whole, found
        if counts is before:
            act()
    return after[0] - before[0], after[1] - before[1]


def too_many(found: Counter[str]) -> dict[str, int]:
    """Rows by table, where they are more than a batch may look at."""
    return {table: rows for table, rows in found.items() if rows > ROWS_EACH * BATCH}


#: Every statement of the road, each with what must come before it, by name.
STATEMENTS: dict[str, Act] = {
    "accept_messages": accept,
    "accept_messages of echoes": lambda connection, batch: act(connection, batch, act="echo", reply_due=False),
    "accept_messages of edits": lambda connection, batch: act(
        connection, batch, act="edit", edited="chau", target="wamid."
    ),
    "accept_messages of revocations": lambda connection, batch: act(
        connection, batch, act="revoke", reply_due=False, target="wamid."
    ),
    "accept_messages of quotes": quote,
    "load_sessions": lambda connection, batch: queries.load_sessions(connection, batch),
    "extend_leases": lambda connection, batch: queries.extend_leases(connection, holders(connection, batch), 45.0),
    "lease_left": lambda connection, batch: queries.lease_left(connection, holders(connection, batch)),
    "update_session_cache": update_session,
    "mark_deliveries": mark_deliveries,
    "place_orders": place_orders,
    "publish_orders": publish_orders,
    "set_order_status": set_order_status,
    "unpublished_order_events": lambda connection, batch: orders.unpublished_order_events(
        connection, older_than_s=5.0, recent_s=10.0, max_rows=500
    ),
    "record_metrics": record_metrics,
    "sweep_turns": lambda connection, batch: queries.sweep_turns(connection, lease_s=15.0, limit=100)[0],
    "locked_for_acceptance": lambda connection, batch: queries.locked_for_acceptance(
        connection, waiting(connection, batch)
    ),
    "locked_for_commit": lambda connection, batch: queries.locked_for_commit(connection, waiting(connection, batch)),
    "set_aside": set_aside,
    "begin_attempts": begin_attempts,
    "suspend_attempts": suspend_attempts,
    "release_turns": release_turns,
    "wait_for_quiet": wait_for_quiet,
    "claim_quiet": claim_quiet,
    "unpublished_replies": lambda connection, batch: queries.unpublished_replies(
        connection, older_than_s=15.0, recent_s=10.0, max_rows=500
    ),
    "search_products": lambda connection, batch: search_products(connection, ["leche", "lehce", "#7"], 5),
    "cleanup_expired_sessions": lambda connection, batch: queries.cleanup_expired_sessions(connection),
}


@pytest.mark.parametrize("name", STATEMENTS)
def test_no_statement_of_the_road_reads_a_whole_table(filled: Connection, name: str) -> None:
    """Neither with a plan made for its arguments nor with a general one; and what an index finds is little."""
    for run in range(RUNS):
        with filled.begin() as transaction:
            whole, found = rows_read(filled, lambda run=run: STATEMENTS[name](filled, customers(run)))
            transaction.rollback()
        assert whole == {}, f"run {run}"
        assert too_many(found) == {}, f"run {run}"


def test_reading_a_whole_table_is_seen(filled: Connection) -> None:
    """What the other tests look at does show it."""
    statement = text("select count(*) from messages where content ->> 'text' = :text")
    with filled.begin():
        whole, found = rows_read(filled, lambda: filled.execute(statement, {"text": "hola"}))
    assert (whole, found) == ({"messages": CUSTOMERS}, {})


#: load_sessions is no function that keeps plans: it is planned at every call, for the sizes of that moment.
@pytest.mark.parametrize("size", [1, BATCH])
@pytest.mark.parametrize("name", sorted(STATEMENTS.keys() - {"load_sessions"}))
@pytest.mark.parametrize("before", [None, 0, 300])
def test_plans_of_a_small_shop_serve_a_grown_one(
    new_shop: Connection, before: int | None, name: str, size: int
) -> None:
    """A process that has run since the shop was opened has plans from that time, when a whole table was a page; whether
    PostgreSQL has looked at its tables by then (with so many customers `before`) or never (None).
    """
    with new_shop.begin():
        new_shop.exec_driver_sql(f"truncate {', '.join(GROWING)} restart identity cascade")
    if before is not None:
        add(new_shop, 0, before, lambda _count: None)
        tidy(new_shop)
    for run in range(EARLY_RUNS[size]):
        with new_shop.begin():
            STATEMENTS[name](new_shop, customers(run, size))
    add(new_shop, before or 0, GROWN, lambda _count: None)
    with new_shop.begin():
        whole, found = rows_read(new_shop, lambda: STATEMENTS[name](new_shop, customers(EARLY_RUNS[size], size)))
    assert (whole, too_many(found)) == ({}, {})
