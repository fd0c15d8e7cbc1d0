"""Two transactions side by side: one is made to wait for the other."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from sqlalchemy import Connection, Engine

from helpers.basics import GUARD_S
from helpers.factories import Json, row

WAITING = """
    select count(*) as waiting, pg_sleep(0.02) from pg_stat_activity
    where datname = current_database() and wait_event_type = 'Lock'
"""


def behind(engine: Engine, earlier: Callable[[Connection], Any], later: Callable[[Connection], Json]) -> Json:
    """What `later` returns when `earlier` has done its work but not yet committed it as `later` begins."""
    with ThreadPoolExecutor(1) as pool, engine.connect() as watcher:
        with engine.connect().execution_options(isolation_level="READ COMMITTED") as first, first.begin():
            earlier(first)
            future = pool.submit(in_its_own_connection, engine, later)
            wait_until_blocked(watcher, future)
        return future.result(GUARD_S)


def in_its_own_connection(engine: Engine, call: Callable[[Connection], Json]) -> Json:
    """The call on a pooled connection."""
    with engine.connect() as connection:
        return call(connection)


def wait_until_blocked(watcher: Connection, future: Future[Json]) -> None:
    """Returns when the call waits for a lock; fails where it does not."""
    deadline = time.monotonic() + GUARD_S
    while not row(watcher, WAITING)["waiting"]:
        assert not future.done(), f"did not wait: {future.result()}"
        assert time.monotonic() < deadline
