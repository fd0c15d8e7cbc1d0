"""Examination: all checks side by side, so that a server that does not answer costs its own time limit only; and the
short ones, of Celery's broker, the shop's file and the disk.
"""

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

from worker.errors import ConfigurationError, ShopFileInvalid
from worker.operate.background_read import BackgroundRead, settle
from worker.operate.display import count, size
from worker.operate.doctor import database, providers, redis_servers
from worker.operate.doctor.finding import Finding, State, failed, guarded, ok, warning
from worker.providers.circuit_states import named
from worker.providers.models import Provider
from worker.providers.providers_file import load_providers
from worker.runtime.embedded.postgres import Postgres
from worker.runtime.embedded.redis import Redis
from worker.runtime.environment import environment
from worker.settings import Settings, settings
from worker.shop.shop import Shop
from worker.shop.shop_file import load_shop

#: Both embedded servers stop taking anything in when their disk is full.
FREE_WARNING_B, FREE_FAILED_B = 2 * 1024**3, 256 * 1024**2
#: Every check has time limits of its own that end before.
PATIENCE_S = 30.0
INSPECT_TIMEOUT_S = 1.0
#: Beyond this many batches a queue is not only busy. Intake itself stops at 20 on `flow`.
LONG = {"flow": 20, "ai": 20, "inbound": 100, "periodic": 20}
NO_BROKER = "is BROKER_URL (or REDIS_URL) right, and the server up?"
MEND_SHOP = "mend the file (chasqui shop check), then restart worker and worker-ai"
Check = Callable[[], list[Finding]]


@contextmanager
def as_it_is(home: Path) -> Iterator[Settings]:
    """Yields the settings with the URLs of embedded servers that run; starts none, unlike other commands."""
    given = settings()
    wanted = {"DATABASE_URL": (given.database_url, Postgres), "REDIS_URL": (given.redis_url, Redis)}
    running = {name: server(home.resolve()).running() for name, (url, server) in wanted.items() if url is None}
    with environment({name: server.url for name, server in running.items() if server and server.url}):
        yield settings()


def examine(configured: Settings, home: Path, *, probe: bool) -> list[Finding]:
    """Returns the findings of all checks; `home` holds the embedded servers, `probe` has the providers asked."""
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
        "shop file": lambda: examine_shop(configured),
    }
    if configured.celery_broker_url:
        checks["queues"] = examine_queues
    if not unreadable:
        checks["providers"] = lambda: providers.examine(known, known_shop(configured), probe=probe)
    reads = {name: BackgroundRead(name, check).begin() for name, check in checks.items()}
    settle(*reads.values(), patience_s=PATIENCE_S)
    # What a check raises, or that it took too long, is a finding too.
    results = ((name, partial(read.result, timeout=0)) for name, read in reads.items())
    found = (finding for name, result in results for finding in guarded(name, result, "see the other lines"))
    return [*found, *unreadable]


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


def examine_queues() -> list[Finding]:
    """Checks queues and workers, when the settings are complete: the Celery application is made from them."""
    from worker.app import app
    from worker.celery_ext.queues import check_queues, queue_lengths

    # Whatever else is wrong is found again, and told in words, by the next check.
    with suppress(Exception):
        try:
            check_queues(app)
        except ConfigurationError as exc:
            return [failed("queues", str(exc), "chasqui up does not start before")]
    queues = guarded("queues", lambda: judge_queues(queue_lengths(app)), NO_BROKER)
    if not queues[0].found.startswith("flow"):
        return queues
    inspector: Any = app.control.inspect(timeout=INSPECT_TIMEOUT_S)

    def workers() -> Finding:
        answers = inspector.active_queues() or {}
        return judge_workers({worker: {queue["name"] for queue in taken} for worker, taken in answers.items()})

    return queues + guarded("workers", workers, NO_BROKER)


def judge_queues(lengths: Mapping[str, int]) -> Finding:
    """Judges the batches that wait, by queue."""
    found = ", ".join(f"{name} {lengths[name]}" for name in LONG)
    long = [name for name, limit in LONG.items() if lengths[name] >= limit]
    if not long:
        return ok("queues", found)
    return warning("queues", found, f"more workers for {' and '.join(long)}: docs/operations.md, 'the backlog grows'")


def judge_workers(queues_by_worker: Mapping[str, set[str]]) -> Finding:
    """Judges whether each queue is taken from by somebody."""
    taken = {name for queues in queues_by_worker.values() for name in queues}
    missing = [name for name in LONG if name not in taken]
    found = f"{count(len(queues_by_worker), 'worker')} answer{'s' if len(queues_by_worker) == 1 else ''}"
    if not missing:
        return ok("workers", found)
    mend = "start chasqui up, or the missing worker of docs/deploy.md, 'One by one'"
    return failed("workers", f"{found}; nobody takes from {', '.join(missing)}", mend)


def examine_shop(configured: Settings) -> list[Finding]:
    """Returns the findings on SHOP_FILE; none where it is not set."""
    if configured.shop_file is None:
        return []
    try:
        return [ok("shop file", summary(load_shop(configured)))]
    except ShopFileInvalid as exc:
        return [failed("shop file", mistake, MEND_SHOP) for mistake in exc.mistakes]


def summary(shop: Shop) -> str:
    """Returns in a line what a shop has told."""
    told = {
        f"{len(shop.branches)} branches": shop.branches,
        "hours": shop.hours or any(branch.hours for branch in shop.branches),
        f"{len(shop.areas)} delivery areas": shop.areas,
        "payments": shop.payments,
        "returns": shop.returns,
        "contact": shop.contact,
        f"{len(shop.questions)} questions": shop.questions,
    }
    return f"{shop.name}: {', '.join(name for name, known in told.items() if known) or 'its name alone'}"


def known_shop(configured: Settings) -> Shop:
    """Returns the shop, with its name alone where its file cannot be taken, for checks that need any."""
    try:
        return load_shop(configured)
    except ShopFileInvalid:
        return Shop(configured.shop_name)
