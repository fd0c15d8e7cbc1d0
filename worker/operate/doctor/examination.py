"""Examination: all checks side by side, so that a server that does not answer costs its own time limit only."""

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from worker.errors import ConfigurationError
from worker.operate.background_read import BackgroundRead, settle
from worker.operate.display import size
from worker.operate.doctor import broker, database, providers, redis_servers, shop
from worker.operate.doctor.finding import Finding, State, failed, guarded, ok, warning
from worker.providers.circuit_states import named
from worker.providers.models import Provider
from worker.providers.providers_file import load_providers
from worker.runtime.embedded.postgres import Postgres
from worker.runtime.embedded.redis import Redis
from worker.runtime.environment import environment
from worker.settings import Settings, settings

#: Both embedded servers stop taking anything in when their disk is full.
FREE_WARNING_B, FREE_FAILED_B = 2 * 1024**3, 256 * 1024**2
#: Every check has time limits of its own that end before.
PATIENCE_S = 30.0
Check = Callable[[], list[Finding]]


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


def examine(configured: Settings, home: Path, *, probe: bool) -> list[Finding]:
    """Returns the findings of all checks.

    Args:
        home: directory of the embedded servers.
        probe: ask the providers.
    """
    known: Sequence[Provider] = ()
    unreadable = []
    try:
        known = load_providers(configured)
    except ConfigurationError as exc:
        unreadable = [failed("providers", str(exc), "mend the file, or unset PROVIDERS_FILE")]
    checks: dict[str, Check] = {
        "postgresql": lambda: database.examine(configured),
        "redis": lambda: redis_servers.examine(configured, named(known)),
        "disk": lambda: [judge_free(shutil.disk_usage(home).free)] if home.is_dir() else [],
        "shop file": lambda: shop.examine(configured),
    }
    if configured.celery_broker_url:
        checks["queues"] = broker.examine
    if not unreadable:
        checks["providers"] = lambda: providers.examine(known, shop.known_shop(configured), probe=probe)
    return [*_side_by_side(checks), *unreadable]


def is_fit(findings: Sequence[Finding]) -> bool:
    """Returns whether the service can do all its work."""
    return all(finding.state is not State.FAILED for finding in findings)


def judge_free(free_bytes: int) -> Finding:
    """Judges the room on the disk of the embedded servers' data."""
    found = f"{size(free_bytes)} free for the embedded servers"
    if free_bytes >= FREE_WARNING_B:
        return ok("disk", found)
    severity = failed if free_bytes < FREE_FAILED_B else warning
    return severity("disk", found, "make room: docs/operations.md, 'the disk is full'")


def _side_by_side(checks: Mapping[str, Check]) -> list[Finding]:
    """Returns the findings of each check, or the one that it failed or took too long."""
    reads = {name: BackgroundRead(name, check).begin() for name, check in checks.items()}
    settle(*reads.values(), patience_s=PATIENCE_S)
    results = ((name, partial(read.result, timeout=0)) for name, read in reads.items())
    return [finding for name, result in results for finding in guarded(name, result, "see the other lines")]
