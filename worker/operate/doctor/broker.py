"""Doctor's check of Celery's broker: how many batches wait on each queue, and whether a worker takes them."""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from worker.errors import ConfigurationError
from worker.operate.display import count
from worker.operate.doctor.finding import Finding, failed, guarded, ok, warning

INSPECT_TIMEOUT_S = 1.0
#: Beyond this many batches a queue is not only busy. Intake itself stops at 20 on `flow`.
LONG = {"flow": 20, "ai": 20, "inbound": 100, "periodic": 20}
UNREACHABLE = "is BROKER_URL (or REDIS_URL) right, and the server up?"


def examine() -> list[Finding]:
    """Checks queues and workers, when the settings are complete: the Celery application is made from them."""
    from worker.app import app
    from worker.celery_ext.queues import check_queues, queue_lengths

    # Whatever else is wrong is found again, and told in words, by the next check.
    with suppress(Exception):
        try:
            check_queues(app)
        except ConfigurationError as exc:
            return [failed("queues", str(exc), "chasqui up does not start before")]
    queues = guarded("queues", lambda: judge_queues(queue_lengths(app)), UNREACHABLE)
    if not queues[0].found.startswith("flow"):
        return queues
    inspector: Any = app.control.inspect(timeout=INSPECT_TIMEOUT_S)
    return queues + guarded("workers", lambda: judge_workers(_consumed(inspector.active_queues())), UNREACHABLE)


def judge_queues(lengths: Mapping[str, int]) -> Finding:
    """Judges the batches that wait, by queue."""
    found = ", ".join(f"{name} {lengths[name]}" for name in LONG)
    long = [name for name, limit in LONG.items() if lengths[name] >= limit]
    if not long:
        return ok("queues", found)
    return warning("queues", found, f"more workers for {' and '.join(long)}: docs/operations.md, 'the backlog grows'")


def _consumed(answers: Mapping[str, list[Mapping[str, Any]]] | None) -> dict[str, set[str]]:
    """Returns the queues of each worker."""
    return {worker: {queue["name"] for queue in queues} for worker, queues in (answers or {}).items()}


def judge_workers(queues_by_worker: Mapping[str, set[str]]) -> Finding:
    """Judges whether each queue is taken from by somebody."""
    taken = {name for queues in queues_by_worker.values() for name in queues}
    missing = [name for name in LONG if name not in taken]
    found = f"{count(len(queues_by_worker), 'worker')} answer{'s' if len(queues_by_worker) == 1 else ''}"
    if not missing:
        return ok("workers", found)
    mend = "start chasqui up, or the missing worker of docs/deploy.md, 'One by one'"
    return failed("workers", f"{found}; nobody takes from {', '.join(missing)}", mend)
