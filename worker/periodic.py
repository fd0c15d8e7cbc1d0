"""Periodic tasks that beat starts: cleanup, retention, budgets, probes of the models, replies ahead, trimming of the
streams.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

from celery.signals import worker_ready
from sqlalchemy import Connection

from db import queries, requests, retry
from worker.app import AI, task
from worker.chain import calls_are_idle
from worker.log import logger
from worker.precache.own_replies import make_own
from worker.precache.run import run as run_precache
from worker.settings import settings
from worker.steps.services import services
from worker.tasks import send_on_from_calls
from worker.telemetry.recording import CLEANUP, note_run

#: A probe that has waited so long behind calls of customers is not needed any more.
PROBE_EXPIRES_S = 300.0
#: By then beat has started the next one.
PRECACHE_EXPIRES_S = 300.0
log = logger(__name__)


@task
def cleanup_expired_sessions() -> int:
    """Deletes all expired sessions; returns how many."""
    deleted = _repeat(queries.cleanup_expired_sessions)
    note_run(services().redis, CLEANUP)
    log.info("sessions_cleaned", deleted=deleted)
    return deleted


@task
def apply_retention() -> int:
    """Erases all that is older than RETENTION_DAYS; returns how many rows."""
    days = services().settings.retention_days
    erased = _repeat(lambda connection: queries.apply_retention(connection, days))
    erased += retry.run(services().engine, requests.forget_requests)
    log.info("retention_applied", rows=erased)
    return erased


def _repeat(batch: Callable[[Connection], int]) -> int:
    """Repeats a bounded piece of work until none is left; returns the sum."""
    total = 0
    while count := retry.run(services().engine, batch):
        total += count
    return total


@task
def reconcile_budget() -> None:
    """Raises the sums of the budgets in Redis to what PostgreSQL has recorded, should they have fallen behind."""
    services().budget.seed()


@task
def probe_models() -> int:
    """Asks each model as the service does, within a cent a day; returns how many were asked."""
    return len(services().prober.run())


@partial(task, expires=PRECACHE_EXPIRES_S)
def precache_replies() -> int:
    """Makes replies to what will be asked, while no customer's call waits; returns how many."""
    return run_precache(services(), calls_are_idle, send_on_from_calls)


@partial(task, expires=PRECACHE_EXPIRES_S)
def make_own_replies() -> int:
    """Makes replies of our own words to what the catalogue answers completely; returns how many."""
    return make_own(services(), calls_are_idle)


@task
def trim_streams() -> int:
    """Drops replies, orders and refusals that are past their time from their streams; returns how many entries."""
    return services().streams.trim()


@worker_ready.connect  # type: ignore[untyped-decorator]  # celery ships no types
def probe_at_start(sender: Any, **_: object) -> None:
    """Probes the models when a worker that calls them starts; of a fleet that starts together, one does."""
    takes = {queue.name for queue in sender.task_consumer.queues}
    if AI in takes and settings().ai_probe_every_s:
        probe_models.apply_async(expires=PROBE_EXPIRES_S)
