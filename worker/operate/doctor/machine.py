"""Doctor's check of this machine: room on the disk of the embedded servers, its clock beside theirs, where they run."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from worker.operate.doctor.finding import Finding, failed, graded, ok, warning
from worker.operate.wording import size
from worker.runtime.embedded.postgres import Postgres
from worker.runtime.embedded.redis import Redis
from worker.runtime.environment import environment
from worker.settings import Settings, settings

#: Both servers stop taking anything in when their disk is full.
FREE_WARNING_B, FREE_FAILED_B = 2 * 1024**3, 256 * 1024**2
#: Leases, open times of circuits and times to live are a few seconds at least.
SKEW_WARNING_S, SKEW_FAILED_S = 1.0, 5.0


@contextmanager
def as_it_is(home: Path) -> Iterator[Settings]:
    """Yields the settings with the URLs of embedded servers under `home` that run; unlike other commands, it starts
    none.
    """
    given = settings()
    wanted = {"DATABASE_URL": (given.database_url, Postgres), "REDIS_URL": (given.redis_url, Redis)}
    running = {name: server(home.resolve()).running() for name, (url, server) in wanted.items() if url is None}
    with environment({name: server.url for name, server in running.items() if server and server.url}):
        yield settings()


def examine(home: Path) -> list[Finding]:
    """Checks the disk of the embedded servers; returns nothing where there are none."""
    return [judge_free(shutil.disk_usage(home).free)] if home.is_dir() else []


def judge_free(free_bytes: int) -> Finding:
    """Judges the room on the disk of the embedded servers' data."""
    found = f"{size(free_bytes)} free for the embedded servers"
    if free_bytes >= FREE_WARNING_B:
        return ok("disk", found)
    severity = failed if free_bytes < FREE_FAILED_B else warning
    return severity("disk", found, "make room: docs/operations.md, 'the disk is full'")


def judge_clock(
    server: str, server_time_s: Callable[[], float], own_time_s: Callable[[], float] = time.time
) -> Finding:
    """Judges a server's clock by this machine's, taking the answer for the time of the middle of the question."""
    before_s = own_time_s()
    server_s = server_time_s()
    ahead_s = server_s - (before_s + own_time_s()) / 2
    found = f"{abs(ahead_s):.1f} s {'ahead of' if ahead_s > 0 else 'behind'} this machine"
    if abs(ahead_s) <= SKEW_WARNING_S:
        found = f"within {SKEW_WARNING_S:.0f} s of this machine's"
    mend = "let the machines keep time (systemd-timesyncd, chrony)"
    return graded(f"{server} clock", found, mend, abs(ahead_s), SKEW_WARNING_S, SKEW_FAILED_S)
