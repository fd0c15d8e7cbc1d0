"""The Celery application: queues, beat schedule, and the broker's settings."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from celery import Celery, Task
from celery.signals import setup_logging
from kombu.entity import Exchange, Queue

from worker import log
from worker.settings import settings

FLOW, AI, INBOUND, PERIODIC = "flow", "ai", "inbound", "periodic"
CLEANUP_EVERY_S = 300.0
RECONCILE_EVERY_S = 300.0
TRIM_EVERY_S = 3_600.0
#: Longer than a Redis failover needs to show, shorter than a lease on `ai`.
BROKER_TIMEOUT_S = 10.0
#: Only `worker.receive` acknowledges late, and it takes milliseconds; what a killed worker had reserved comes back
#: after this time. Turns do not wait for it: the sweep takes them when their lease ends.
VISIBILITY_TIMEOUT_S = 20


class MaskedTask(Task):  # type: ignore[misc]  # celery ships no types
    """Base of all tasks: operators see what `worker.masking` lets them see."""

    Request = "worker.masking:MaskedRequest"


class Application(Celery):  # type: ignore[misc]  # celery ships no types
    """Celery whose worker and beat write nothing but their log."""

    @cached_property
    def Worker(self) -> Any:  # noqa: N802  celery's name
        """The worker's class."""
        return self.subclass_with_self("worker.quiet:QuietWorker", name="Worker")

    @cached_property
    def Beat(self) -> Any:  # noqa: N802  celery's name
        """Beat's class."""
        return self.subclass_with_self("worker.quiet:QuietBeat", name="Beat")


def broker_options() -> dict[str, Any]:
    """Transport options for Redis; time limits on every socket, and a prompt return of unacknowledged messages."""
    return {
        "visibility_timeout": VISIBILITY_TIMEOUT_S,
        "unacked_restore_interval": 1,
        "unacked_restore_throttle": 1,
        "socket_timeout": BROKER_TIMEOUT_S,
        "socket_connect_timeout": BROKER_TIMEOUT_S,
        "socket_keepalive": True,
        "health_check_interval": 30,
        "retry_on_timeout": True,
    }


def _queue(name: str) -> Queue:
    """A queue with an exchange of its own; without one all of them would share the default one and its key."""
    return Queue(name, Exchange(name, type="direct"), routing_key=name)  # type: ignore[no-untyped-call]  # kombu's


def make_app() -> Celery:
    """The application. It reads the settings but connects to nothing."""
    broker = settings().celery_broker_url
    url = broker.get_secret_value() if broker else "redis://127.0.0.1:6379/0"
    application = Application("chasqui", broker=url, task_cls=MaskedTask, include=["worker.tasks"])
    application.conf.update(
        accept_content=["json"],
        task_serializer="json",
        result_serializer="json",
        task_ignore_result=True,
        result_backend=None,
        task_queues=[_queue(name) for name in (FLOW, AI, INBOUND, PERIODIC)],
        task_default_queue=PERIODIC,
        task_create_missing_queues=False,
        task_routes={
            "worker.receive": INBOUND,
            "worker.call_provider": AI,
            **{f"worker.{step}": FLOW for step in ("fetch_session", "route_ai", "update_session", "record_metrics")},
        },
        broker_transport_options=broker_options() if url.startswith(("redis", "sentinel")) else {},
        broker_connection_retry_on_startup=True,
        broker_connection_timeout=BROKER_TIMEOUT_S,
        worker_prefetch_multiplier=1,
        worker_hijack_root_logger=False,
        worker_send_task_events=True,
        worker_cancel_long_running_tasks_on_connection_loss=False,
        worker_max_tasks_per_child=None,
        task_track_started=False,
        timezone="UTC",
        beat_schedule={
            "cleanup-expired-sessions": {"task": "worker.cleanup_expired_sessions", "schedule": CLEANUP_EVERY_S},
            "reconcile-budget": {"task": "worker.reconcile_budget", "schedule": RECONCILE_EVERY_S},
            "trim-streams": {"task": "worker.trim_streams", "schedule": TRIM_EVERY_S},
        },
    )
    return application


@setup_logging.connect  # type: ignore[untyped-decorator]  # celery ships no types
def configure_logging(**_: object) -> None:
    """Celery's workers and beat log as everything else does."""
    log.configure(settings().log_format, settings().log_level)


app = make_app()


def queue_lengths(application: Celery = app) -> dict[str, int]:
    """Batches that wait on each queue, on whatever broker. Raises what its client raises where it does not answer."""
    with application.connection_for_read() as connection:
        connection.ensure_connection(max_retries=1, timeout=BROKER_TIMEOUT_S)
        queues = {name: Queue(name)(connection.default_channel) for name in (FLOW, AI, INBOUND, PERIODIC)}  # type: ignore[no-untyped-call]  # kombu's
        return {name: int(queue.queue_declare().message_count) for name, queue in queues.items()}  # type: ignore[no-untyped-call]  # kombu's
