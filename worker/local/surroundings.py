"""Gives a command the servers it needs: those the environment names, the embedded ones for what it leaves unset."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from worker.local.servers import embedded_servers
from worker.settings import Settings, settings

#: Where the embedded servers of a checkout keep their data.
HOME = Path(".chasqui")


@contextmanager
def surroundings(directory: Path = HOME) -> Iterator[Settings]:
    """The complete settings for the length of the block. The URLs of embedded servers also stand in the environment
    of this process and its children, so that all of them read the same settings.
    """
    given = settings()
    wanted = {"postgres": given.database_url is None, "redis": given.redis_url is None}
    with embedded_servers(directory, **wanted) as servers:
        urls = {"DATABASE_URL": servers.database_url, "REDIS_URL": servers.redis_url}
        with environment({name: url for name, url in urls.items() if url is not None}):
            yield settings()


@contextmanager
def environment(values: Mapping[str, str | None]) -> Iterator[None]:
    """These environment variables (None: unset) for the length of the block, with settings to match."""
    before = {name: os.environ.get(name) for name in values}
    _set(values)
    try:
        yield
    finally:
        _set(before)


def _set(values: Mapping[str, str | None]) -> None:
    for name, value in values.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
    settings.cache_clear()
