"""What tests share besides fixtures."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import TypeVar
from uuid import uuid4

from sqlalchemy import Connection, text
from sqlalchemy.exc import ProgrammingError

from db.engine import make_engine, normalised

REPOSITORY = Path(__file__).resolve().parents[2]
SHARED_DATA = REPOSITORY.parent / "shared" / "data"
#: Truncates what has been written to since it was truncated: to make new files for all tables and indexes takes longer
#: than most tests of the database do.
EMPTY = text("""
    do $$
    declare
        written text := (
            select string_agg(name, ', ')
            from unnest(array['categories', 'products', 'customers', 'customer_ids', 'customer_sessions', 'orders',
                'order_items', 'order_events', 'messages', 'turns', 'deliveries', 'ai_metrics', 'events',
                'request_forms', 'request_hours', 'request_followers', 'replies_ahead']) name
            where pg_relation_size(name::regclass) > 0
               or pg_sequence_last_value(to_regclass(name || '_id_seq')) is not null);
    begin
        if written is not null then
            execute 'truncate ' || written || ' restart identity cascade';
        end if;
    end
    $$
""")


#: Long enough for anything that ends by itself, on any machine.
GUARD_S = 90.0
T = TypeVar("T")


def ends(call: Callable[[], T], guard_s: float = GUARD_S) -> T:
    """The result of a call that ends by itself, or its error; fails where it does not end."""
    done: Future[T] = Future()

    def run() -> None:
        try:
            done.set_result(call())
        except BaseException as exc:  # noqa: BLE001  whatever it is, the caller gets it
            done.set_exception(exc)

    Thread(target=run, daemon=True).start()
    return done.result(guard_s)


@dataclass(frozen=True, slots=True)
class Servers:
    """URLs of the servers of this test run, and the directory they live in."""

    database_url: str
    redis_url: str
    directory: Path


#: A migrated database that holds nothing and that nobody connects to: copying it is much faster than migrating.
MIGRATED = "migrated"


def spare_the_disk(data: Path) -> None:
    """Lets the PostgreSQL with this data directory wait for no disk: no test of it cuts the machine's power."""
    with (data / "postgresql.conf").open("a") as configuration:
        configuration.write("fsync = off\nfull_page_writes = off\n")
    os.kill(int((data / "postmaster.pid").read_text().partition("\n")[0]), signal.SIGHUP)


def keep_as_template(servers: Servers) -> None:
    """Copies the freshly migrated database of these servers, for `new_database`."""
    engine = make_engine(servers.database_url)
    with engine.connect() as connection:
        connection.execute(text(f"create database {MIGRATED} template {engine.url.database}"))
    engine.dispose()


def _drop(connection: Connection, name: str) -> None:
    """Drops a database; what PostgreSQL itself does there now and then, and nobody may end, is waited for."""
    deadline = time.monotonic() + GUARD_S
    while True:
        try:
            connection.execute(text(f"drop database {name} with (force)"))
            return
        except ProgrammingError:
            assert time.monotonic() < deadline
            time.sleep(0.2)


@contextmanager
def new_database(servers: Servers, template: str = "template1") -> Iterator[str]:
    """The URL of a new database, by default an empty one, which is gone at the end."""
    name = f"test_{uuid4().hex}"
    engine = make_engine(servers.database_url)
    try:
        with engine.connect() as creator:
            creator.execute(text(f"create database {name} template {template}"))
            yield normalised(servers.database_url).set(database=name).render_as_string(hide_password=False)
            _drop(creator, name)
    finally:
        engine.dispose()
