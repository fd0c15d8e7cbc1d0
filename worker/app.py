"""Celery application: queues, beat schedule, and the broker's settings."""

import sys
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any

import orjson
from celery import Celery
from celery.concurrency import solo
from celery.schedules import crontab
from celery.signals import celeryd_after_setup, setup_logging, worker_process_init, worker_ready
from kombu.entity import Exchange, Queue
from kombu.serialization import register

from worker import log
from worker.celery_ext import gc_tuning
from worker.celery_ext.broker import BROKER_TIMEOUT_S, broker_of, leave_demoted_masters
from worker.celery_ext.inline_dispatch import inline_queue
from worker.celery_ext.queues import check_queues, take_at_most_once
from worker.celery_ext.redaction import RedactedTask
from worker.errors import ConfigurationError
from worker.runtime.signals import hang_up_ends
from worker.runtime.startup import wait_for_broker, wait_for_servers
from worker.settings import settings
from worker.shop.shop_file import load_shop

FLOW, AI, INBOUND, PERIODIC = "flow", "ai", "inbound", "periodic"
QUEUES = (FLOW, AI, INBOUND, PERIODIC)
#: Those of periodic tasks, and whatever is not here, go to the default queue.
ROUTES = {
    "worker.receive": INBOUND,
    "worker.fetch_session": FLOW,
    "worker.route_ai": FLOW,
    "worker.update_session": FLOW,
    "worker.record_metrics": FLOW,
    "worker.call_provider": AI,
    # The keys of the providers are worker-ai's alone.
    "worker.probe_models": AI,
}
#: Seconds between two runs, or a time of day.
SCHEDULE: dict[str, Any] = {
    "cleanup_expired_sessions": 300.0,
    "reconcile_budget": 300.0,
    "trim_streams": 3_600.0,
    "precache_replies": 300.0,
    # A look at all that is sold; until it is made again, a model answers what has changed.
    "make_own_replies": 900.0,
    # At 4 in the morning in Buenos Aires. By the clock, so that a beat that is restarted often does it too.
    "apply_retention": crontab(hour=7, minute=0),
}
SETTINGS: Mapping[str, Any] = {
    "accept_content": ["json"],
    "task_serializer": "json",
    # A batch of turns becomes a tenth, for less than to encode and to escape it whole.
    "task_compression": "zstd",
    "result_serializer": "json",
    "task_ignore_result": True,
    "result_backend": None,
    "task_default_queue": PERIODIC,
    "task_create_missing_queues": False,
    "task_routes": ROUTES,
    "broker_connection_retry_on_startup": True,
    "broker_connection_timeout": BROKER_TIMEOUT_S,
    "worker_prefetch_multiplier": 1,
    "worker_hijack_root_logger": False,
    "worker_send_task_events": True,
    "worker_cancel_long_running_tasks_on_connection_loss": False,
    "worker_max_tasks_per_child": None,
    "worker_consumer": "worker.celery_ext.processes:PromptConsumer",
    "task_track_started": False,
    "beat_scheduler": "worker.celery_ext.active_beat:ActiveScheduler",
    "timezone": "UTC",
}


class Application(Celery):  # type: ignore[misc]  # celery ships no types
    """Celery whose worker and beat are those of `worker.celery_ext.processes`, and its connections prompt."""

    amqp_cls = "worker.celery_ext.broker:PromptAMQP"

    @cached_property
    def Worker(self) -> Any:  # noqa: N802  celery's name
        """Class of the worker."""
        return self.subclass_with_self("worker.celery_ext.processes:ServiceWorker", name="Worker")

    @cached_property
    def Beat(self) -> Any:  # noqa: N802  celery's name
        """Class of beat."""
        return self.subclass_with_self("worker.celery_ext.processes:ServiceBeat", name="Beat")

    def wait_to_start(self, *, broker_alone: bool) -> None:
        """Waits for the servers that a worker, or beat (the broker alone), uses; exits where one is unfit, or where a
        worker's shop file is.
        """
        hang_up_ends()
        try:
            if broker_alone:
                settings().required("redis_url")
                wait_for_broker(check_broker)
            else:
                load_shop(settings())
                wait_for_servers(settings(), check_broker)
        except ConfigurationError as exc:
            sys.exit(f"Error: {exc}")


def make_app() -> Celery:
    """Makes the application; reads the settings, connects to nothing."""
    broker = broker_of(settings())
    _use_orjson()
    leave_demoted_masters()
    application = Application(
        "chasqui", broker=broker.url, task_cls=RedactedTask, include=["worker.tasks", "worker.periodic"]
    )
    application.conf.update(
        SETTINGS,
        task_queues=[_queue(name, broker.queue_arguments) for name in QUEUES],
        broker_transport_options=broker.options,
        broker_use_ssl=broker.tls,
        beat_schedule=_beat_schedule(settings().ai_probe_every_s),
    )
    return application


def _use_orjson() -> None:
    """Reads and writes task bodies by orjson: the same JSON for a fifth of the time, and no class is ever made of what
    a foreign producer has sent, as kombu's own reader does for `__type__`.
    """
    register("json", orjson.dumps, orjson.loads, content_type="application/json", content_encoding="utf-8")  # type: ignore[no-untyped-call]  # kombu's


def _queue(name: str, arguments: dict[str, Any] | None) -> Queue:
    """Makes a queue with an exchange of its own; else all would share the default one and its key."""
    exchange = Exchange(name, type="direct")  # type: ignore[no-untyped-call]  # kombu's
    return Queue(name, exchange, routing_key=name, queue_arguments=arguments)  # type: ignore[no-untyped-call]  # kombu's


def _beat_schedule(probe_every_s: float) -> dict[str, dict[str, Any]]:
    """Beat's schedule; without probes of the models where `probe_every_s` is 0."""
    tasks = SCHEDULE | {"probe_models": probe_every_s} if probe_every_s else SCHEDULE
    return {task.replace("_", "-"): {"task": f"worker.{task}", "schedule": when} for task, when in tasks.items()}


@worker_process_init.connect  # type: ignore[untyped-decorator]  # celery ships no types
@worker_ready.connect  # type: ignore[untyped-decorator]  # celery ships no types
def tune_gc(**_: object) -> None:
    """Tunes the garbage collector of each process of a pool, and of the one that takes the tasks."""
    gc_tuning.tune()


@celeryd_after_setup.connect  # type: ignore[untyped-decorator]  # celery ships no types
def keep_turns(instance: Any, **_: object) -> None:
    """Lets a worker of one process take turns at most once, and go on with the batch it has in hand."""
    if issubclass(instance.pool_cls, solo.TaskPool):
        take_at_most_once(instance.app, FLOW)
        inline_queue.open()


@setup_logging.connect  # type: ignore[untyped-decorator]  # celery ships no types
def configure_logging(**_: object) -> None:
    """Logs as everything else does, in Celery's workers and beat."""
    log.configure(settings().log_format, settings().log_level)


app = make_app()


def task(body: Callable[..., Any], **options: Any) -> Any:
    """Makes a task `worker.{name}` of a function."""
    return app.task(name=f"worker.{body.__name__}", **options)(body)


def check_broker() -> None:
    """Declares the queues, as `worker.celery_ext.queues.check_queues` does."""
    check_queues(app)
