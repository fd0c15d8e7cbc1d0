"""`db/roles.sql` on a PostgreSQL of its own: each role can do its work, and nothing besides."""

from __future__ import annotations

import os
from collections.abc import Iterator
from uuid import uuid4

import pytest
from helpers.basics import REPOSITORY
from helpers.command_line import run_in
from helpers.factories import (
    ANA,
    LIMITS,
    Json,
    accept,
    accept_one,
    agreed_order,
    answer,
    batch_of,
    commit,
    commit_row,
    expire_leases,
    expire_sessions,
    inbound,
    line_of,
    metrics_row,
    product,
    row,
    rows,
)
from sqlalchemy import Connection, Engine, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ProgrammingError

from db import dead_letters, migrations, monitoring, queries
from db.customers import erase_customer, resume_customer
from db.engine import make_engine
from db.locks import is_locked, try_lock
from db.orders import mark_order_events_published, set_order_status, unpublished_order_events
from db.products import categories, put_products, search_products
from worker.runtime.embedded import postgres
from worker.runtime.embedded.processes import run
from worker.runtime.embedded.servers import embedded_servers
from worker.telemetry.report import make_report

ROLES = (REPOSITORY / "db" / "roles.sql").read_text("utf-8")
PASSWORD = "test-only"
#: All that the report may read, and so whoever looks at figures: whole tables, and columns of others.
FIGURES = ("ai_metrics", "metric_hours", "latency_hours", "call_hours", "channel_hours", "events", "replies_ahead")
FIGURES_BESIDE_PERSONS = {
    *(("customer_sessions", name) for name in ("created_at", "updated_at", "expires_at")),
    *(("messages", name) for name in ("accepted_at", "state", "reason")),
    *(("orders", name) for name in ("created_at", "total", "currency", "status", "status_at")),
    *(("deliveries", name) for name in ("at", "sent_at", "delivered_at", "read_at", "failed_at", "code")),
}
#: What a worker may do to rows of a table, besides reading them: insert, update, delete.
CHANGES = {
    "alembic_version": "",
    "catalog_version": "",
    "categories": "",
    "products": "",
    "search_words": "",
    "messages": "INSERT UPDATE",
    "orders": "INSERT UPDATE",
    "order_events": "INSERT UPDATE",
    "deliveries": "INSERT UPDATE",
    "order_items": "INSERT",
    "ai_metrics": "INSERT",
    "metric_totals": "INSERT UPDATE",
    "metric_hours": "DELETE INSERT",
    "latency_hours": "DELETE INSERT",
    "call_hours": "DELETE INSERT",
    "channel_hours": "DELETE INSERT",
    "events": "DELETE INSERT",
    "customer_ids": "DELETE INSERT UPDATE",
    "customers": "DELETE INSERT UPDATE",
    "customer_sessions": "DELETE INSERT UPDATE",
    "kept_carts": "DELETE INSERT UPDATE",
    "turns": "DELETE INSERT UPDATE",
    "replies_ahead": "DELETE INSERT UPDATE",
    "request_followers": "DELETE INSERT UPDATE",
    "request_forms": "DELETE INSERT UPDATE",
    "request_hours": "DELETE INSERT UPDATE",
}


CALL = {"provider": "deepseek", "model": "deepseek-flash", "outcome": "ok", "calls": 1, "usage": {}, "cost_microusd": 7}


def apply(connection: Connection) -> None:
    """Runs the script as psql would."""
    with connection.begin():
        connection.exec_driver_sql(ROLES.replace("%", "%%"))


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A migrated database whose owner is a superuser, with the three roles; the script was run twice."""
    directory = tmp_path_factory.mktemp("roles")
    with embedded_servers(directory, redis=False):
        pass
    cluster = directory / "postgres" / "data"
    make_superuser = [postgres._program("postgres"), "--single", "-D", str(cluster), "template1"]
    run(make_superuser, directory=cluster.parent, stdin=f"alter role {postgres.NAME} superuser\n")
    with (cluster / "pg_hba.conf").open("a") as access:
        access.write("host all all 127.0.0.1/32 scram-sha-256\n")
    with embedded_servers(directory, redis=False) as servers:
        assert servers.database_url is not None
        migrations.upgrade(servers.database_url)
        engine = make_engine(servers.database_url)
        with engine.connect().execution_options(isolation_level="READ COMMITTED") as connection:
            for _ in range(2):
                apply(connection)
            for role in ("migrator", "worker", "report"):
                connection.exec_driver_sql(f"alter role chasqui_{role} password '{PASSWORD}'")
            connection.commit()
        engine.dispose()
        yield servers.database_url


@pytest.fixture
def owner(url: str) -> Iterator[Connection]:
    """A connection of the superuser to the database, emptied but for the catalogue."""
    engine = make_engine(url)
    with engine.connect() as connection:
        # A trigger of ai_metrics empties the sums of hours.
        tables = ", ".join(name for name, changes in CHANGES.items() if changes and not name.endswith("_hours"))
        connection.execute(text(f"truncate {tables} cascade"))
        yield connection
    engine.dispose()


def url_of(role: str, url: str) -> str:
    """The URL with which a role logs in."""
    return make_url(url).set(username=f"chasqui_{role}", password=PASSWORD).render_as_string(hide_password=False)


@pytest.fixture
def worker(url: str, owner: Connection) -> Iterator[Connection]:
    """A connection of the worker."""
    engine = make_engine(url_of("worker", url))
    with engine.connect() as connection:
        yield connection
    engine.dispose()


@pytest.fixture
def engine_of_report(url: str, owner: Connection) -> Iterator[Engine]:
    """An engine of whoever reads figures."""
    engine = make_engine(url_of("report", url))
    yield engine
    engine.dispose()


def milk(owner: Connection) -> Json:
    """A line of an order: two of the five bottles of milk that there are."""
    put_products(owner, [product("1", "Leche")])
    return line_of(row(owner, "select id from products where sku = '1'")["id"])


def test_the_worker_runs_the_whole_road(worker: Connection, owner: Connection) -> None:
    """Every function of the chain, of the sweep and of the periodic tasks, to its end."""
    all_there_is = milk(owner) | {"quantity": "5"}
    categories(worker)
    search_products(worker, ["leche", "lehce"], 5)
    reply = answer(worker, "m1", orders=[agreed_order(all_there_is)])
    queries.record_metrics(worker, [metrics_row(reply["token"], calls_made=[CALL])])
    # The first row after an hour's end sums that hour up.
    owner.execute(text("update ai_metrics set at = at - interval '3 hours'"))
    queries.record_metrics(worker, [metrics_row(str(uuid4()), committed=False)])
    assert row(worker, "select count(*) from metric_hours") == {"count": 1}
    monitoring.unfinished(worker)
    assert monitoring.totals(worker)
    turn = accept_one(worker, "m2")
    queries.load_sessions(worker, [ANA])
    assert queries.extend_leases(worker, [(ANA, turn["token"])], 30)
    assert queries.lease_left(worker, [(ANA, turn["token"])])
    failed = {"customer_phone": ANA, "token": turn["token"], "message_ids": [1], "error": "Boom"}
    queries.release_turns(worker, [failed])
    expire_leases(worker, ANA)
    (swept,) = queries.sweep_turns(worker, lease_s=15, limit=10)[0]
    begun = {"customer_phone": ANA, "token": swept["token"], "message_id": swept["messages"][0]["id"]}
    assert queries.begin_attempts(worker, {"lease_s": 15, "turns": [begun]})
    commit(worker, commit_row(swept))
    assert len(queries.unpublished_replies(worker, older_than_s=0)) == 1
    queries.spent_microusd(worker)
    queries.add_event(worker, "circuit", {"provider": "deepseek", "state": "closed"})
    assert try_lock(worker, 1)
    is_locked(worker, 1)
    expire_sessions(worker, ANA)
    assert queries.cleanup_expired_sessions(worker) == 1


def test_the_worker_does_what_whatsapp_tells_of(worker: Connection) -> None:
    """Echoes, edits, revocations, quotes of our replies, statuses, waits for quiet."""
    reply = answer(worker, "m1")
    assert queries.mark_deliveries(worker, [{"reply_id": reply["token"], "state": "read", "wamid": "sent.1"}]) == 1
    (turn,) = queries.accept_messages(worker, batch_of(inbound("m2", quoted="sent.1"), inbound("m3")))["turns"]
    quiet = LIMITS | {"quiet_s": 60.0, "longest_s": 240.0, "least_s": 0.1, "limit": 10, "late_s": 0.0}
    assert queries.wait_for_quiet(worker, quiet | {"turns": [turn]})
    assert queries.claim_quiet(worker, quiet)["turns"] == []
    acts = [
        inbound("d1", act="edit", target="m2", edited="chau", type="edit"),
        inbound("r1", act="revoke", target="m3", type="revoke", reply_due=False),
        inbound("e1", act="echo", type="echo", reply_due=False),
    ]
    given = batch_of(*acts) | {"human_wait_s": 60.0, "session_ttl_s": 7_200}
    assert queries.accept_messages(worker, given)["forgotten"]


def cancel_all(worker: Connection) -> None:
    """Every order is cancelled, and the shop told of it."""
    for found in rows(worker, "select id from orders"):
        assert set_order_status(worker, found["id"], "cancelled")["status"] == "received"
    events = unpublished_order_events(worker, older_than_s=0)
    mark_order_events_published(worker, [event["event_id"] for event in events])


def test_the_worker_runs_what_operators_ask_for(worker: Connection, owner: Connection, url: str) -> None:
    """Dead letters, a customer given back, one erased, the retention, the report; an upgrade that is not needed."""
    commit(worker, commit_row(accept_one(worker, "m1"), state="dead", error="given up", session=None))
    (letter,) = dead_letters.find_all(worker)
    assert dead_letters.find_message(worker, "m1")
    assert dead_letters.replay(worker, [letter["id"]]) == 1
    assert not dead_letters.discard(worker, letter["id"])
    resume_customer(worker, ANA)
    answer(worker, "m2", "5491100000009", orders=[agreed_order(milk(owner))])
    cancel_all(worker)
    worker.execute(text("update messages set accepted_at = now() - interval '9 days', published_at = now()"))
    worker.execute(text("update orders set created_at = now() - interval '9 days'"))
    worker.execute(text("update customers set last_seen_at = now() - interval '9 days'"))
    change = "insert into events (kind, at) values ('circuit', now() - interval '9 days')"
    for _ in range(2):
        worker.execute(text(change))
    expire_sessions(worker, "5491100000009")
    for expected in (1, 1, 1, 1, 1, 0):
        assert queries.apply_retention(worker, 5) == expected
    assert erase_customer(worker, ANA)["messages"] == 1
    make_report(worker)
    migrations.upgrade(url_of("worker", url))


@pytest.mark.parametrize(
    "statement",
    [
        "create table mine (id integer)",
        "create temporary table mine (id integer)",
        "create function mine() returns integer language sql as 'select 1'",
        "create or replace function sweep_turns(options jsonb) returns setof jsonb language sql as 'select options'",
        "alter table messages add column more text",
        "drop table events",
        "truncate events",
        "delete from messages",
        "delete from orders",
        "delete from ai_metrics",
        "update ai_metrics set cost_microusd = 0",
        "update events set kind = 'other'",
        "update order_items set price = 0",
        "update products set price = 0",
        "insert into categories (name) values ('x')",
        "insert into catalog_version default values",
        "update alembic_version set version_num = 'x'",
        "select pg_read_file('/etc/passwd')",
        "create role other",
        "set role chasqui_migrator",
    ],
)
def test_the_worker_can_do_nothing_else(worker: Connection, statement: str) -> None:
    """No change of the schema, of the catalogue, or of what is on record."""
    with pytest.raises(ProgrammingError, match=r"permission denied|must be owner"):
        worker.execute(text(statement))


def test_the_rights_of_the_worker_are_those_and_no_others(owner: Connection) -> None:
    """For every table there is: a new one gets none until somebody has thought about it."""
    has = "has_table_privilege('chasqui_worker', c.oid, p)"
    found = rows(
        owner,
        f"""
        select relname as name, coalesce(string_agg(p, ' ' order by p) filter (where {has}), '') as rights
        from pg_class c, unnest(array['INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER']) p
        where relnamespace = 'public'::regnamespace and relkind = 'r' group by relname
        """,
    )
    assert {table["name"]: table["rights"] for table in found} == CHANGES


def test_the_report_reads_figures_alone(owner: Connection, engine_of_report: Engine) -> None:
    """The columns it needs; no number, no name, no text, and it changes nothing."""
    with engine_of_report.connect() as connection:
        make_report(connection)
        for statement in ("select * from messages", "select customer_phone from turns", "delete from events"):
            with pytest.raises(ProgrammingError, match="permission denied"):
                connection.execute(text(statement))
        with pytest.raises(ProgrammingError, match="permission denied for function"):
            queries.sweep_turns(connection, lease_s=1, limit=1)
    columns = rows(
        owner,
        """
        select relname, attname, has_column_privilege('chasqui_report', c.oid, attnum, 'select') as readable
        from pg_class c join pg_attribute a on attrelid = c.oid and attnum > 0 and not attisdropped
        where relnamespace = 'public'::regnamespace and relkind = 'r'
        """,
    )
    figures = {(column["relname"], column["attname"]) for column in columns if column["relname"] in FIGURES}
    readable = {(column["relname"], column["attname"]) for column in columns if column["readable"]}
    assert readable == figures | FIGURES_BESIDE_PERSONS
    changing = "has_any_column_privilege('chasqui_report', oid, 'insert, update, references')"
    assert row(
        owner, f"select count(*) from pg_class where relkind = 'r' and relnamespace >= 16384 and {changing}"
    ) == {"count": 0}


def test_the_migrator_migrates(url: str, owner: Connection) -> None:
    """Down and up again, and the catalogue; afterwards the script gives the others their rights back."""
    migrator = url_of("migrator", url)
    migrations.downgrade(migrator, "base")
    migrations.upgrade(migrator)
    engine = make_engine(migrator)
    with engine.connect() as connection:
        put_products(connection, [product("1", "Leche")])
    engine.dispose()
    assert row(owner, "select has_function_privilege('chasqui_worker', 'sweep_turns(jsonb)', 'execute') as may") == {
        "may": True
    }
    assert row(owner, "select has_function_privilege('chasqui_report', 'sweep_turns(jsonb)', 'execute') as may") == {
        "may": False
    }
    owner.exec_driver_sql(ROLES.replace("%", "%%"))
    again = make_engine(url_of("worker", url))
    with again.connect() as connection:
        assert accept(connection, inbound("m1"))
    again.dispose()


def test_a_command_says_what_its_role_may_not(url: str, owner: Connection) -> None:
    """One line, which does not send the operator after the schema."""
    asked = {"DATABASE_URL": url_of("report", url), "REDIS_URL": "redis://127.0.0.1:1/0"}
    done = run_in(os.environ | asked, REPOSITORY, "dead", "list")
    assert (done.returncode, done.stderr) == (1, "Error: PostgreSQL: the role in DATABASE_URL may not do this\n")


def test_strangers_do_not_get_in(owner: Connection) -> None:
    """A role that somebody else's database on this server has cannot even connect to this one."""
    may = "has_database_privilege('pg_monitor', current_database(), 'connect, temporary')"
    assert row(owner, f"select {may} as may") == {"may": False}
