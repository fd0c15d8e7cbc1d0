"""A pooler between us and PostgreSQL: one that keeps sessions serves, any other is refused with the way out."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from helpers.basics import Servers
from helpers.command_line import run
from helpers.poolers import needs_pgbouncer, pooled
from sqlalchemy import text

from db.engine import connect, make_engine
from db.pooler import keeps_session

pytestmark = needs_pgbouncer
#: PgBouncer gives out the server that came back last, or takes them in turns.
ORDERS = ("server_round_robin = 0", "server_round_robin = 1")


def test_a_server_of_its_own_keeps_sessions(servers: Servers) -> None:
    """Without any pooler."""
    assert keeps_session(servers.database_url)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize(("mode", "kept"), [("session", True), ("transaction", False), ("statement", False)])
def test_the_mode_is_found_out(servers: Servers, tmp_path: Path, mode: str, kept: bool, order: str) -> None:
    """Whether the pooler is idle, or others use it at the same time."""
    with pooled(servers, tmp_path, mode, order) as url, ThreadPoolExecutor(4) as others:
        assert [keeps_session(url) for _ in range(3)] == [kept] * 3
        assert list(others.map(keeps_session, [url] * 12)) == [kept] * 12


def test_a_pool_of_one_connection_is_found_out(servers: Servers, tmp_path: Path) -> None:
    """In transaction mode, with no second server to hand out: nothing waits for ever."""
    with pooled(servers, tmp_path, "transaction", "default_pool_size = 1") as url:
        assert not keeps_session(url)


def test_connections_through_a_pooler_have_our_settings(servers: Servers, tmp_path: Path) -> None:
    """PgBouncer refuses whoever asks for them while connecting; a rolled back transaction does not undo them."""
    asked = text("select current_setting('statement_timeout'), current_setting('timezone')")
    with pooled(servers, tmp_path, "session") as url:
        engine = make_engine(url, statement_timeout_ms=3_000)
        with engine.connect() as connection:
            assert tuple(connection.execute(asked).one()) == ("3s", "UTC")
        engine.dispose()
        with connect(url, statement_timeout_ms=4_000) as connection:
            connection.rollback()
            assert tuple(connection.execute(asked).one()) == ("4s", "UTC")


@pytest.mark.parametrize("mode", ["transaction", "statement"])
@pytest.mark.parametrize("command", ["intake", "up"])
def test_a_process_is_refused_with_the_mode_it_needs(servers: Servers, tmp_path: Path, mode: str, command: str) -> None:
    """Before it does anything; one line, without the password."""
    with pooled(servers, tmp_path, mode) as url:
        done = run(tmp_path, command, DATABASE_URL=url, REDIS_URL=servers.redis_url, METRICS_PORT="0")
    assert done.returncode == 1
    assert "pool_mode = session" in done.stderr.splitlines()[-1]
    assert url not in done.stderr


def test_a_worker_and_the_intake_go_through_sessions(servers: Servers, tmp_path: Path) -> None:
    """The doctor has a line for it, whichever it is."""
    redis = {"REDIS_URL": servers.redis_url}
    for mode, mark in (("session", "✓"), ("transaction", "✗")):
        with pooled(servers, tmp_path, mode) as url:
            done = run(tmp_path, "doctor", "--no-probe", DATABASE_URL=url, **redis)
        line = next(line for line in done.stdout.splitlines() if "postgresql sessions" in line)
        assert line.startswith(mark), line
