"""The schema: what the migrations make, the file that shows it, and its contract."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from uuid import uuid4

import pytest
from alembic.script import ScriptDirectory
from helpers.basics import GUARD_S, REPOSITORY, Servers, new_database
from helpers.factories import (
    ANA,
    BRUNO,
    CARLA,
    accept_one,
    answer,
    expire_sessions,
    metrics_row,
    order_of,
    product,
    row,
    rows,
)
from helpers.schema_text import FILE as SCHEMA_FILE
from helpers.schema_text import schema_text, with_remarks_of, without_remarks
from sqlalchemy import Connection, Engine, text

from db import migrations, queries
from db.engine import connect, make_engine
from db.locks import MIGRATION_LOCK
from db.products import put_products
from db.states import SESSION_STATES
from worker.telemetry.report import make_report

WAITING = """
    select count(*) as waiting, pg_sleep(0.05) from pg_locks l join pg_database d on d.oid = l.database
    where l.locktype = 'advisory' and not l.granted and d.datname = current_database()
"""
OBJECTS = """
    select relname from pg_class where relnamespace = 'public'::regnamespace and relkind not in ('i', 't')
    union all select proname from pg_proc where pronamespace = 'public'::regnamespace
    union all select typname from pg_type where typnamespace = 'public'::regnamespace and typtype in ('e', 'd')
    union all select dictname from pg_ts_dict where dictnamespace = 'public'::regnamespace
    union all select cfgname from pg_ts_config where cfgnamespace = 'public'::regnamespace
    order by 1
"""
#: Functions with all that they do, in the order of their names.
FUNCTIONS = """
    select pg_get_functiondef(oid) from pg_proc where pronamespace = 'public'::regnamespace and prokind = 'f'
    order by proname, oid::regprocedure::text
"""
REVISION = "select version_num from alembic_version"
TIMES = """
    select distinct data_type from information_schema.columns
    where table_schema = 'public' and data_type like 'time%'
"""
#: Tables and columns that others read: their names stay.
TABLES = {
    "categories": {"name"},
    "products": {"sku", "name", "price", "stock"},
    "customers": {"customer_phone", "name"},
    "customer_sessions": {"customer_phone", "session_state", "cart_data", "context_data", "version"},
    "orders": {"customer_phone"},
    "order_items": {"order_id", "name", "price", "quantity"},
    "messages": {"message_id", "customer_phone", "state", "reply", "reply_id", "published_at"},
    "turns": {"customer_phone", "token", "lease_until"},
    "ai_metrics": {"reply_id", "committed", "cost_microusd"},
    "events": {"kind", "at", "data"},
    "catalog_version": {"version"},
}


@pytest.fixture
def empty_url(servers: Servers) -> Iterator[str]:
    """The URL of a new, empty database, which is gone at the end."""
    with new_database(servers) as url:
        yield url


def objects(url: str) -> list[str]:
    """Names of all tables, sequences, functions, types and dictionaries."""
    with connect(url) as connection:
        return list(connection.execute(text(OBJECTS)).scalars())


def test_the_schema_file_shows_what_the_migrations_make(connection: Connection) -> None:
    """A migration that changes the schema renews it: `make schema`."""
    assert without_remarks(SCHEMA_FILE.read_text("utf-8")) == schema_text(connection)


@pytest.mark.parametrize(
    "change",
    [
        "alter table events add note text",
        "alter table events alter kind type varchar(9)",
        "alter table events alter kind drop not null",
        "alter table events alter data set default '[]'",
        "alter table events alter id set generated always",
        "alter table order_items drop constraint order_items_quantity_check",
        "alter table products drop constraint products_category_id_fkey",
        "drop index messages_dead_idx; create index messages_dead_idx on messages (id) where state = 'answered'",
        "alter index products_search_idx set (fastupdate = on)",
        "drop trigger messages_count_closed on messages",
        "drop function erased_id cascade",
        "create table notes (at date)",
        "create view notes as select 1 as one",
        "create type mood as enum ('good')",
        "create sequence more",
        "alter sequence session_version cycle",
    ],
)
def test_every_change_of_the_schema_shows(engine: Engine, change: str) -> None:
    """In columns, constraints, indexes, triggers, functions, sequences and types."""
    with engine.connect().execution_options(isolation_level="READ COMMITTED") as connection:
        before = schema_text(connection)
        connection.exec_driver_sql(change)
        assert schema_text(connection) != before
        connection.rollback()


def test_renewing_the_schema_file_keeps_its_remarks(connection: Connection) -> None:
    """Those at its head and those above a table that is still there."""
    schema = schema_text(connection)
    written = "# Head.\n\n# Gone.\ntable gone\n    id bigint\n\n# Who is\n# answered.\ntable turns\n"
    renewed = with_remarks_of(written, schema)
    assert renewed.startswith("# Head.\n\ntable ai_metrics\n")
    assert "\n\n# Who is\n# answered.\ntable turns\n" in renewed
    assert "Gone" not in renewed
    assert without_remarks(renewed) == schema


def test_the_tables_of_the_contract(connection: Connection) -> None:
    """Every table has the columns that others rely on."""
    columns = rows(connection, "select table_name, column_name from information_schema.columns")
    found = {(column["table_name"], column["column_name"]) for column in columns}
    assert {(table, column) for table, names in TABLES.items() for column in names} - found == set()


def test_session_states_are_those_that_the_database_takes(connection: Connection) -> None:
    """Python's list and the check of the table name the same."""
    find = (
        "select pg_get_constraintdef(oid) as check from pg_constraint where conname = 'customer_sessions_state_check'"
    )
    assert set(re.findall(r"'(\w+)'", row(connection, find)["check"])) == set(SESSION_STATES)


def test_up_and_down_and_up_again(empty_url: str) -> None:
    """A downgrade to the base leaves nothing behind, with data in it as well, so that the way up is free again."""
    for message_id in ("m1", "m2"):
        migrations.upgrade(empty_url)
        made = objects(empty_url)
        assert {"messages", "session_version", "catalog_words", "accept_messages"} <= set(made)
        with connect(empty_url) as connection, connection.begin():
            accept_one(connection, message_id)
            put_products(connection, [product("1", "Leche")])
        migrations.downgrade(empty_url, "base")
        assert objects(empty_url) == ["alembic_version"]
    migrations.upgrade(empty_url)
    assert objects(empty_url) == made


def test_each_revision_takes_back_what_it_has_done(empty_url: str) -> None:
    """Tables, functions and all else are after its downgrade what they were before its upgrade."""
    before: dict[str, list[str]] = {}
    for revision in revisions():
        migrations.upgrade(empty_url, revision)
        before[revision] = all_of(empty_url)
    for revision in reversed(before):
        migrations.downgrade(empty_url, revision)
        assert all_of(empty_url) == before[revision], revision


def revisions() -> list[str]:
    """All revisions, the first one first."""
    scripts = ScriptDirectory.from_config(migrations.configuration())
    return [script.revision for script in scripts.walk_revisions()][::-1]


def all_of(url: str) -> list[str]:
    """The schema and the text of every function."""
    with connect(url) as connection:
        return [*schema_text(connection).splitlines(), *connection.execute(text(FUNCTIONS)).scalars()]


def test_lines_of_orders_get_the_currency_of_their_order(empty_url: str) -> None:
    """From before lines had one; and on the way down the two orders of one turn both stay."""
    migrations.upgrade(empty_url, "0001")
    line = "insert into order_items (order_id, name, price, quantity) select id, 'Vino', 9.5, 1 from orders"
    another = """
        insert into orders (customer_phone, reply_id, total, currency)
        select customer_phone, reply_id, 7, 'ARS' from orders
    """
    with connect(empty_url) as connection, connection.begin():
        order = "insert into orders (customer_phone, reply_id, total, currency) values ('1', :id, 9.5, 'USD')"
        connection.execute(text(order), {"id": uuid4()})
        connection.execute(text(line))
    migrations.upgrade(empty_url)
    with connect(empty_url) as connection, connection.begin():
        assert row(connection, "select currency from order_items") == {"currency": "USD"}
        connection.execute(text(another))
    migrations.downgrade(empty_url, "0001")
    with connect(empty_url) as connection:
        kept = "select currency, reply_id is null as loose from orders order by id"
        assert rows(connection, kept) == [{"currency": "USD", "loose": False}, {"currency": "ARS", "loose": True}]


def test_calls_by_model_come_and_go_with_their_revision(empty_url: str) -> None:
    """Turns recorded before it can be reported after it; down again nothing else is lost, and figures go on."""
    migrations.upgrade(empty_url, "0001")
    call = {"provider": "deepseek", "model": "m", "outcome": "ok", "calls": 1, "cost_microusd": 7}
    made = {"calls_made": [call | {"usage": {"prompt_tokens": 10, "cached_tokens": 4, "completion_tokens": 1}}]}
    named = {"provider": "deepseek"}
    for turns, revision in enumerate(("head", "0001", "head"), 1):
        with connect(empty_url) as connection, connection.begin():
            queries.record_metrics(connection, [metrics_row(str(uuid4()), **named, **made)])
        migrations.upgrade(empty_url) if revision == "head" else migrations.downgrade(empty_url, revision)
        with connect(empty_url) as connection, connection.begin():
            counted = rows(connection, "select name, sum(value)::integer as value from metric_totals group by 1")
            totals = {total["name"]: total["value"] for total in counted}
            assert (totals["messages_ended"], totals["cost_microusd"]) == (turns, 7 * turns)
            assert [name for name in totals if name.startswith("model_")] == []
            if revision == "head":
                report = make_report(connection)
                assert (report["messages"], report["calls"]) == (turns, {})
    with connect(empty_url) as connection, connection.begin():
        queries.record_metrics(connection, [metrics_row(str(uuid4()), **named, **made)])
        report = make_report(connection)
        assert (report["messages"], report["calls"]["deepseek"]["ok"]) == (4, 1)


def test_an_upgrade_of_a_current_database_changes_nothing(empty_url: str) -> None:
    """It names the newest revision, and running it again is no error."""
    for _ in range(2):
        migrations.upgrade(empty_url)
        with connect(empty_url) as connection:
            assert row(connection, REVISION) == {"version_num": migrations.head()}


def test_two_upgrades_at_once(empty_url: str) -> None:
    """Two processes that both find an empty database: one migrates it, the other then finds it done."""
    engine = make_engine(empty_url)
    with engine.connect() as connection, migrator(empty_url) as first, migrator(empty_url) as second:
        connection.execute(text(f"select pg_advisory_lock({MIGRATION_LOCK})"))
        wait_for_two(connection)
        connection.execute(text(f"select pg_advisory_unlock({MIGRATION_LOCK})"))
        errors = [process.communicate(timeout=GUARD_S)[1] for process in (first, second)]
        assert (first.returncode, second.returncode) == (0, 0), errors
        assert row(connection, REVISION) == {"version_num": migrations.head()}
    engine.dispose()


def migrator(url: str) -> subprocess.Popen[str]:
    """A process that runs all migrations as an operator would."""
    return subprocess.Popen(
        [sys.executable, "-m", "alembic", "upgrade", "head"],
        cwd=REPOSITORY,
        env=os.environ | {"DATABASE_URL": url},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_for_two(connection: Connection) -> None:
    """Returns when two processes wait for an advisory lock of this database."""
    deadline = time.monotonic() + GUARD_S
    while row(connection, WAITING)["waiting"] < 2:
        assert time.monotonic() < deadline, "the migrators do not wait for each other"


def test_the_functions_of_the_contract(connection: Connection) -> None:
    """Names and types of what goes in and comes out."""
    found = rows(
        connection,
        """
        select proname as name, pg_get_function_arguments(oid) as takes, pg_get_function_result(oid) as returns
        from pg_proc where pronamespace = 'public'::regnamespace
        """,
    )
    signatures = {function["name"]: (function["takes"], function["returns"]) for function in found}
    assert signatures["get_session_optimized"] == (
        "customer_phone_param text",
        "TABLE(session_id uuid, customer_phone text, session_state text, cart_data jsonb, context_data jsonb,"
        " customer_name text, total_orders bigint, version bigint)",
    )
    assert signatures["update_session_cache"] == ("session_data jsonb", "jsonb")
    assert signatures["cleanup_expired_sessions"] == ("", "integer")
    assert signatures["accept_messages"] == ("batch jsonb", "jsonb")
    assert signatures["search_products"][0] == "term text, max_results integer"


def test_every_time_has_a_zone(connection: Connection) -> None:
    """A time without one would mean something else on a server elsewhere."""
    assert rows(connection, TIMES) == [{"data_type": "timestamp with time zone"}]


def test_a_live_session_is_one_row(connection: Connection) -> None:
    """With the customer's name and number of orders; none once it has expired, or where there never was one."""
    for message_id, phone in (("m1", ANA), ("m2", ANA), ("m3", BRUNO)):
        answer(connection, message_id, phone, orders=[order_of()])
    connection.execute(text("update customers set name = 'Ana' where customer_phone = :phone"), {"phone": ANA})
    find = "select * from get_session_optimized(customer_phone_param => :phone)"
    found = row(connection, find, phone=ANA)
    assert (found["customer_phone"], found["customer_name"], found["total_orders"]) == (ANA, "Ana", 2)
    assert rows(connection, find, phone=CARLA) == []
    expire_sessions(connection, ANA)
    assert rows(connection, find, phone=ANA) == []


def test_orders_are_counted_by_index(connection: Connection) -> None:
    """With many orders of many customers, loading a session does not read them all."""
    connection.execute(
        text("insert into orders (customer_phone, total) select 'p' || n % 1000, 1 from generate_series(1, 10000) n")
    )
    connection.execute(text("analyze orders"))
    plan = connection.execute(text("explain select * from get_session_optimized('p7')")).scalars()
    lines = [line for line in plan if " on orders" in line or "orders_customer_phone_idx" in line]
    assert lines
    assert all("orders_customer_phone_idx" in line or "Bitmap Heap" in line for line in lines)


@pytest.mark.parametrize(
    "change",
    [
        "insert into categories (name) values ('Bebidas')",
        "update categories set position = 2",
        "delete from categories where name = 'Vacía'",
        "truncate categories cascade",
        "insert into products (sku, name, category_id, price) select '2', 'Pan', min(id), 1 from categories",
        "update products set price = price + 1",
        "delete from products",
        "truncate products cascade",
    ],
)
def test_a_change_of_the_catalogue_is_a_new_version(connection: Connection, change: str) -> None:
    """Whatever the change and whoever makes it, cached searches are out of date."""
    put_products(connection, [product("1", "Leche")])
    connection.execute(text("insert into categories (name) values ('Vacía')"))
    before = row(connection, "select version, changed_at from catalog_version")
    assert connection.execute(text(change)).rowcount != 0
    after = row(connection, "select version, changed_at from catalog_version")
    assert after["version"] > before["version"]
    assert after["changed_at"] > before["changed_at"]


def test_a_sale_is_no_change_of_the_catalogue(connection: Connection) -> None:
    """Orders, messages and sessions leave its version alone."""
    put_products(connection, [product("1", "Leche")])
    before = rows(connection, "select * from catalog_version")
    answer(connection, "m1", orders=[order_of({"id": 1, "name": "Leche", "price": "10.00", "quantity": 1})])
    assert rows(connection, "select * from catalog_version") == before
