"""A real PgBouncer in front of the PostgreSQL of the test run."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import psycopg2
import pytest

from helpers.basics import GUARD_S, Servers
from worker.runtime.embedded.processes import NOBODY, own_directory, wait_until
from worker.runtime.embedded.server import free_port

#: Debian keeps it where only root looks for programs.
PGBOUNCER = shutil.which("pgbouncer", path=f"{os.defpath}:/usr/sbin:/usr/local/sbin")
needs_pgbouncer = pytest.mark.skipif(PGBOUNCER is None, reason="PgBouncer is not installed")
AS_NOBODY = ("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--")


@contextmanager
def pooled(servers: Servers, directory: Path, mode: str, *lines: str) -> Iterator[str]:
    """The URL of the same database through a PgBouncer in this mode. It does not run as root."""
    assert PGBOUNCER
    own_directory(home := directory / f"pgbouncer-{mode}")
    behind, port = urlsplit(servers.database_url), free_port()
    users, configuration = home / "users", home / "pgbouncer.ini"
    users.write_text(f'"{behind.username}" "{behind.password}"\n')
    listening = ("listen_addr = 127.0.0.1", f"listen_port = {port}", "unix_socket_dir =")
    login = ("auth_type = plain", f"auth_file = {users}", f"pool_mode = {mode}", "default_pool_size = 60")
    databases = ("[databases]", f"* = host=127.0.0.1 port={behind.port}")
    configuration.write_text("\n".join([*databases, "[pgbouncer]", *listening, *login, *lines, ""]))
    for file in (users, configuration):
        shutil.chown(file, home.stat().st_uid, home.stat().st_gid)
    other_user = AS_NOBODY if os.geteuid() == 0 else ()
    with (home / "log").open("wb") as log, open_path(directory):
        program = [*other_user, PGBOUNCER, str(configuration)]
        with subprocess.Popen(program, stdout=log, stderr=log) as process:
            try:
                url = servers.database_url.replace(f":{behind.port}/", f":{port}/")
                assert wait_until(lambda: answers(url), GUARD_S), (home / "log").read_text()
                yield url
            finally:
                process.terminate()


@contextmanager
def open_path(directory: Path) -> Iterator[None]:
    """Lets other users pass through the directories above, which pytest closes."""
    above = [path for path in (directory, *directory.parents) if path.stat().st_uid == os.geteuid() and path.name]
    closed = {path: path.stat().st_mode for path in above if not path.stat().st_mode & 0o001}
    for path, mode in closed.items():
        path.chmod(mode | 0o011)
    try:
        yield
    finally:
        for path, mode in closed.items():
            path.chmod(mode)


def answers(url: str) -> bool:
    """Whether a connection can be made, and a statement run on it outside any transaction."""
    try:
        connection = psycopg2.connect(url.replace("+psycopg2", ""))
    except psycopg2.OperationalError:
        return False
    connection.close()
    return True
