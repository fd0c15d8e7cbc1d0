"""Environment of a command: the servers that it names, and embedded ones for those that it leaves unset."""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from worker.log import logger
from worker.runtime.embedded.postgres import Postgres
from worker.runtime.embedded.processes import RunningServer
from worker.runtime.embedded.redis import Redis
from worker.runtime.embedded.servers import embedded_servers, start
from worker.settings import FILE, SECRETS, Settings, settings

log = logger(__name__)

#: Where the embedded servers of a checkout keep their data.
HOME = Path(".chasqui")


@contextmanager
def surroundings(directory: Path = HOME, *, postgres: bool = True, redis: bool = True) -> Iterator[Settings]:
    """Runs the embedded servers that are wanted and not named, and gives the complete settings, while the block lasts.
    Their URLs also stand in the environment of this process and its children, so that all read the same settings.
    """
    given = settings()
    wants_postgres, wants_redis = postgres and given.database_url is None, redis and given.redis_url is None
    with embedded_servers(directory, postgres=wants_postgres, redis=wants_redis) as servers:
        urls = {"DATABASE_URL": servers.database_url, "REDIS_URL": servers.redis_url}
        with environment({name: url for name, url in urls.items() if url is not None}):
            yield settings()


def server_keeper() -> Callable[[], None]:
    """Returns a function that starts an embedded server again that has died, to be called now and then. Made before
    `surroundings` completes the environment, which tells which servers are embedded.
    """
    given = settings()
    embedded = [kind for url, kind in ((given.database_url, Postgres), (given.redis_url, Redis)) if url is None]
    servers: dict[type[Postgres] | type[Redis], RunningServer] = {}

    def keep() -> None:
        for kind in embedded:
            server = servers.get(kind)
            if server is None or not server.alive():
                if server is not None:
                    log.warning("embedded_server_died", pid=server.pid)
                servers[kind] = start(kind, HOME)

    return keep


@contextmanager
def environment(given: Mapping[str, str | None]) -> Iterator[None]:
    """Sets environment variables (None: unset) for the length of the block, with settings to match. One that is set
    here does not also come from a file.
    """
    values = {**given, **{f"{name}{FILE}": None for name in given if name.lower() in SECRETS}}
    before = {name: os.environ.get(name) for name in values}
    _set(values)
    try:
        yield
    finally:
        _set(before)


def _set(values: Mapping[str, str | None]) -> None:
    for name, value in values.items():
        os.environ.pop(name, None)
        if value is not None:
            os.environ[name] = value
    settings.cache_clear()
