"""Embedded servers that take the place of an unset DATABASE_URL or REDIS_URL, shared by their users.

In the directory: `in-use` is locked (shared) by every user for as long as it lives, `starting` (exclusive) around each
start and stop, `up` by the one service that may run there. Locks are the kernel's, so a kill -9 releases them. Whoever
leaves last stops the servers; servers that outlived their last user are taken over by the next.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from worker.errors import ConfigurationError
from worker.runtime.embedded.postgres import Postgres
from worker.runtime.embedded.processes import RunningServer
from worker.runtime.embedded.redis import Redis
from worker.runtime.embedded.server import write_private


@dataclass(frozen=True, slots=True)
class EmbeddedServers:
    """URLs of the servers that were asked for, passwords included; None for the others."""

    database_url: str | None = field(repr=False)
    redis_url: str | None = field(repr=False)


@contextmanager
def embedded_servers(directory: Path, *, postgres: bool = True, redis: bool = True) -> Iterator[EmbeddedServers]:
    """Runs the servers under `directory` for the length of the block, together with other users of it (forked processes
    count as the same user), and writes their URLs to `directory/env`. Raises ConfigurationError.
    """
    if not (postgres or redis):
        yield EmbeddedServers(None, None)
        return
    home = _home(directory)
    with _in_use(home):
        with _starting(home):
            database_url = Postgres(home).start().url if postgres else None
            redis_url = Redis(home).start().url if redis else None
            _write_env(home)
        yield EmbeddedServers(database_url, redis_url)


@contextmanager
def only_service(directory: Path) -> Iterator[None]:
    """Keeps a second service away from `directory` for the length of the block: the two would share beat's schedule,
    the workers' names and the exporter's port.

    Raises:
        ConfigurationError: one runs there.
    """
    home = _home(directory)
    with ExitStack() as stack:
        try:
            stack.enter_context(_locked(home / "up", fcntl.LOCK_EX | fcntl.LOCK_NB))
        except BlockingIOError:
            raise ConfigurationError(
                f"chasqui up runs in {home.parent} already: stop it first, or take --concurrency for more workers"
            ) from None
        yield


def start(kind: type[Postgres] | type[Redis], directory: Path) -> RunningServer:
    """Attaches to the server under `directory` or starts it. It runs until it is stopped or a last user leaves."""
    home = _home(directory)
    with _starting(home):
        server = kind(home).start()
        _write_env(home)
        return server


def _home(directory: Path) -> Path:
    """Returns the directory with links resolved, as it stands in command lines; creates it with mode 0700."""
    home = directory.resolve()
    with _usable(home):
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
    return home


@contextmanager
def _usable(home: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, psutil.AccessDenied) as exc:
        raise ConfigurationError(
            f"the embedded servers cannot use {home} ({exc}). Work in a directory of your own, give it to this user, "
            "or set DATABASE_URL and REDIS_URL"
        ) from exc


@contextmanager
def _in_use(home: Path) -> Iterator[None]:
    with _locked(home / "in-use", fcntl.LOCK_SH) as lock:
        try:
            yield
        finally:
            with _starting(home):
                if _is_last(lock):
                    # Stops also what it did not ask for: others that did may have left before.
                    for service in (Redis(home), Postgres(home)):
                        service.stop()


def _is_last(lock: int) -> bool:
    with suppress(BlockingIOError):
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    return False


@contextmanager
def _starting(home: Path) -> Iterator[None]:
    with _locked(home / "starting", fcntl.LOCK_EX), _usable(home):
        yield


@contextmanager
def _locked(path: Path, kind: int) -> Iterator[int]:
    """Waits for the lock. Its descriptor is not inherited by programs (PEP 446)."""
    with _usable(path.parent):
        lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(lock, kind)
        yield lock
    finally:
        fcntl.flock(lock, fcntl.LOCK_UN)  # closing would leave it to a forked child that has the descriptor too
        os.close(lock)


def _write_env(home: Path) -> None:
    """Writes shell lines for people, who then run psql or redis-cli, hence without SQLAlchemy's driver name."""
    servers = {"DATABASE_URL": Postgres(home).running(), "REDIS_URL": Redis(home).running()}
    lines = [f"export {name}='{server.url}'\n" for name, server in servers.items() if server]
    write_private(home / "env", "".join(lines).replace("postgresql+psycopg2://", "postgresql://"))
