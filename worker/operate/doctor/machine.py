"""This machine: room on the disk of the embedded servers, and where they are when they run."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from worker.operate.doctor.finding import Finding, failed, ok, warning
from worker.operate.wording import size
from worker.runtime.embedded.postgres import Postgres
from worker.runtime.embedded.redis import Redis
from worker.runtime.environment import environment
from worker.settings import Settings, settings

#: Both servers stop taking anything in when their disk is full.
FREE_WARNING_B, FREE_FAILED_B = 2 * 1024**3, 256 * 1024**2


@contextmanager
def as_it_is(home: Path) -> Iterator[Settings]:
    """The settings for the length of the block, with the URLs of embedded servers under `home` that are running. Unlike
    other commands the doctor starts none: it shows what there is.
    """
    given = settings()
    wanted = {"DATABASE_URL": (given.database_url, Postgres), "REDIS_URL": (given.redis_url, Redis)}
    running = {name: server(home.resolve()).running() for name, (url, server) in wanted.items() if url is None}
    with environment({name: server.url for name, server in running.items() if server and server.url}):
        yield settings()


def examine(home: Path) -> list[Finding]:
    """The disk of the embedded servers; nothing where there are none."""
    if not home.is_dir():
        return []
    return [judge_free(shutil.disk_usage(home).free)]


def judge_free(free_bytes: int) -> Finding:
    """free_bytes: on the disk of the embedded servers' data."""
    found = f"{size(free_bytes)} free for the embedded servers"
    mend = "make room: docs/operations.md, 'the disk is full'"
    if free_bytes < FREE_FAILED_B:
        return failed("disk", found, mend)
    return warning("disk", found, mend) if free_bytes < FREE_WARNING_B else ok("disk", found)
