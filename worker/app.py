"""The Celery application: queues, beat schedule, and the broker's settings."""

from __future__ import annotations

import sys
from functools import cached_property
from typing import Any

import orjson
from celery import Celery, Task
from celery.concurrency import solo
from celery.schedules import crontab
from celery.signals import celeryd_after_setup, setup_logging, worker_process_init, worker_ready
from kombu.entity import Exchange, Queue
from kombu.serialization import register

from worker import log
from worker.celery_ext import gc_tuning
from worker.celery_ext.broker import BROKER_TIMEOUT_S, broker_of
from worker.celery_ext.inline_dispatch import relay
from worker.celery_ext.queues import check_queues
from worker.celery_ext.redis_channel import keep_clients, take_without_copy
from worker.errors import ConfigurationError
from worker.runtime.signals import hang_up_ends
from worker.runtime.startup import wait_for_broker, wait_for_servers
from worker.settings import settings

FLOW, AI, INBOUND, PERIODIC = "flow", "ai", "inbound", "periodic"
QUEUES = (FLOW, AI, INBOUND, PERIODIC)
CLEANUP_EVERY_S = 300.0
RECONCILE_EVERY_S = 300.0
TRIM_EVERY_S = 3_600.0
#: Once a day, at 4 in the morning in Buenos Aires. By the clock, so that a beat that is restarted often does it too.
RETENTION_AT_UTC_H = 7


class MaskedTask(Task):  # type: ignore[misc]  # celery ships no types
    """Base of all tasks: operators see what `worker.celery_ext.redaction` lets them see."""

    Request = "worker.celery_ext.redaction:MaskedRequest"


class Application(Celery):  # type: ignore[misc]  # celery ships no types
    """Celery whose worker and beat write nothing but their log."""

    @cached_property
    def Worker(self) -> Any:  # noqa: N802  celery's name
        """The worker's class."""
        return self.subclass_with_self("worker.celery_ext.processes:QuietWorker", name="Worker")

    @cached_property
    def Beat(self) -> Any:  # noqa: N802  celery's name
        """Beat's class."""
        return self.subclass_with_self("worker.celery_ext.processes:QuietBeat", name="Beat")

    def wait_to_start(self, *, broker_alone: bool) -> None:
        """Waits for the servers that a worker (or beat, which needs the broker alone) uses; where they cannot be relied
        on, ends this process with the reason.
        """
        hang_up_ends()
        try:
            if broker_alone:
                wait_for_broker(check_broker)
            else:
                wait_for_servers(settings(), check_broker)
        except ConfigurationError as exc:
            sys.exit(f"Error: {exc}")


def _queue(name: str, arguments: dict[str, Any] | None) -> Queue:
    """A queue with an exchange of its own; without one all of them would share the default one and its key."""
    exchange = Exchange(name, type="direct")  # type: ignore[no-untyped-call]  # kombu's
    return Queue(name, exchange, routing_key=name, queue_arguments=arguments)  # type: ignore[no-untyped-call]  # kombu's


def use_orjson() -> None:
    """Task bodies are read and written by orjson: the same JSON for a fifth of the time, and no class is ever made of
    what a foreign producer has sent, as kombu's own reader does for `__type__`.
    """
    register("json", orjson.dumps, orjson.loads, content_type="application/json", content_encoding="utf-8")  # type: ignore[no-untyped-call]  # kombu's


def probes(every_s: float) -> dict[str, dict[str, Any]]:
    """The periodic probe of the models; empty where it is off."""
    return {"probe-models": {"task": "worker.probe_models", "schedule": every_s}} if every_s else {}


def make_app() -> Celery:
    """The application. It reads the settings but connects to nothing."""
    broker = broker_of(settings())
    use_orjson()
    keep_clients()
    application = Application("chasqui", broker=broker.url, task_cls=MaskedTask, include=["worker.tasks"])
    application.conf.update(
        accept_content=["json"],
        task_serializer="json",
        # A batch of turns becomes a tenth, for less than to encode and to escape it whole.
        task_compression="zstd",
        result_serializer="json",
        task_ignore_result=True,
        result_backend=None,
        task_queues=[_queue(name, broker.queue_arguments) for name in QUEUES],
        task_default_queue=PERIODIC,
        task_create_missing_queues=False,
        task_routes={
            "worker.receive": INBOUND,
            "worker.call_provider": AI,
            # The keys are worker-ai's alone.
            "worker.probe_models": AI,
            **{f"worker.{step}": FLOW for step in ("fetch_session", "route_ai", "update_session", "record_metrics")},
        },
        broker_transport_options=broker.options,
        broker_use_ssl=broker.tls,
        broker_connection_retry_on_startup=True,
        broker_connection_timeout=BROKER_TIMEOUT_S,
        worker_prefetch_multiplier=1,
        worker_hijack_root_logger=False,
        worker_send_task_events=True,
        worker_cancel_long_running_tasks_on_connection_loss=False,
        worker_max_tasks_per_child=None,
        task_track_started=False,
        timezone="UTC",
        beat_schedule=probes(settings().ai_probe_every_s)
        | {
            "cleanup-expired-sessions": {"task": "worker.cleanup_expired_sessions", "schedule": CLEANUP_EVERY_S},
            "reconcile-budget": {"task": "worker.reconcile_budget", "schedule": RECONCILE_EVERY_S},
            "trim-streams": {"task": "worker.trim_streams", "schedule": TRIM_EVERY_S},
            "apply-retention": {
                "task": "worker.apply_retention",
                "schedule": crontab(hour=RETENTION_AT_UTC_H, minute=0),
            },
        },
    )
    return application


@worker_process_init.connect  # type: ignore[untyped-decorator]  # celery ships no types
@worker_ready.connect  # type: ignore[untyped-decorator]  # celery ships no types
def settle(**_: object) -> None:
    """Each process of a pool, and the one that takes the tasks."""
    gc_tuning.settle()


@celeryd_after_setup.connect  # type: ignore[untyped-decorator]  # celery ships no types
def keep_turns(instance: Any, **_: object) -> None:
    """A worker of one process has no turns in reserve, and goes on with those it has in hand; what it loses with its
    death the sweep finds.
    """
    if issubclass(instance.pool_cls, solo.TaskPool):
        take_without_copy((FLOW,))
        relay.open()


@setup_logging.connect  # type: ignore[untyped-decorator]  # celery ships no types
def configure_logging(**_: object) -> None:
    """Celery's workers and beat log as everything else does."""
    log.configure(settings().log_format, settings().log_level)


app = make_app()


def check_broker() -> None:
    """Declares the queues. Raises as `worker.celery_ext.queues.check_queues` does."""
    check_queues(app)
