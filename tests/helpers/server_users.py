"""What the tests of the embedded servers share: other processes that use them, and a look at what runs."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import psycopg2
import redis

from helpers.basics import GUARD_S
from worker.runtime.embedded.servers import EmbeddedServers

REPOSITORY = Path(__file__).resolve().parents[2]
NOBODY = 65534

# A user of the servers in a process of its own: says "ready" and stays until its standard input ends. With a second
# argument it first becomes an ordinary user. Connecting to nothing before that loads what libraries load late: an
# interpreter below a closed home directory could not read it any more.
USER = f"""
import os, sys
from pathlib import Path
from worker.errors import ConfigurationError
from worker.runtime.embedded.postgres import Postgres, _program
from worker.runtime.embedded.redis import Redis
from worker.runtime.embedded.servers import embedded_servers
if len(sys.argv) > 2:
    Postgres(Path()).answers("postgresql+psycopg2://x:x@127.0.0.1:1/x"), Redis(Path()).answers("redis://127.0.0.1:1")
    os.setgroups([]), os.setresgid(*[{NOBODY}] * 3), os.setresuid(*[{NOBODY}] * 3)
    if not os.access(_program("postgres"), os.X_OK):
        sys.exit("closed")
try:
    with embedded_servers(Path(sys.argv[1])):
        print("ready", flush=True)
        sys.stdin.read()
except ConfigurationError as exc:
    sys.exit(f"refused: {{exc}}")
"""


@contextmanager
def guarded_home(tmp_path: Path) -> Iterator[Path]:
    """A directory for servers, below a closed one, with blanks and quotes in its path; nothing may survive in it."""
    closed = tmp_path / 'it\'s a "shop"'
    closed.mkdir(mode=0o700)
    yield closed / ".chasqui"
    left = processes_of(closed / ".chasqui")
    for process in left:
        process.kill()
    assert not left, f"left behind: {left}"
    shutil.rmtree(tmp_path)  # a cluster takes 45 MB, and pytest keeps directories


def servers_of(home: Path) -> list[psutil.Process]:
    """Both servers, as far as they run; a zombie has no command line and does not count."""
    arguments = {f"{home}/postgres/data", f"{home}/redis/redis.conf"}
    return [p for p in psutil.process_iter(["cmdline"]) if arguments.intersection(p.info["cmdline"] or ())]


def processes_of(home: Path) -> list[psutil.Process]:
    """The servers and their children."""
    servers = servers_of(home)
    return servers + [child for server in servers for child in server.children()]


def pids_of(home: Path) -> set[int]:
    """The pids of all processes of the servers."""
    return {process.pid for process in processes_of(home)}


def eventually(condition: Callable[[], object], timeout_s: float = 20.0) -> bool:
    """Whether the condition comes true in time."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


@contextmanager
def user(home: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Another process that uses the servers; it leaves when its standard input closes."""
    command = [sys.executable, "-c", USER, str(home), *arguments]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True, cwd=REPOSITORY) as process:
        yield process


def is_ready(process: subprocess.Popen[str]) -> bool:
    """Waits until the user has its servers."""
    assert process.stdout
    return process.stdout.readline() == "ready\n"


def leave(process: subprocess.Popen[str]) -> str:
    """Ends a user the normal way; what it had to complain about."""
    return process.communicate(timeout=GUARD_S)[1]


def sql(url: str, statement: str) -> list[tuple[object, ...]]:
    """Rows of one statement in a connection of its own."""
    connection = psycopg2.connect(url.replace("+psycopg2", ""))
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(statement)
            return cursor.fetchall() if cursor.description else []
    finally:
        connection.close()


@contextmanager
def redis_at(url: str | None) -> Iterator[redis.Redis]:
    """A client of its own."""
    assert url
    with redis.Redis.from_url(url, decode_responses=True) as client:
        yield client


def write_both(servers: EmbeddedServers) -> None:
    """Something to find again."""
    assert servers.database_url
    sql(servers.database_url, "CREATE TABLE kept AS SELECT 42 AS answer")
    with redis_at(servers.redis_url) as client:
        client.set("kept", "42")


def read_both(servers: EmbeddedServers) -> tuple[object, object]:
    """What write_both wrote."""
    assert servers.database_url
    with redis_at(servers.redis_url) as client:
        return sql(servers.database_url, "SELECT answer FROM kept")[0][0], client.get("kept")
