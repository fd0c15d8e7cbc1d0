"""The Celery application: queues, beat schedule, and the broker's settings."""

from __future__ import annotations

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
from worker.celery_ext.redis_channel import keep_clients, take_without_copy
from worker.errors import ConfigurationError
from worker.settings import settings

FLOW, AI, INBOUND, PERIODIC = "flow", "ai", "inbound", "periodic"
QUEUES = (FLOW, AI, INBOUND, PERIODIC)
#: AMQP's answer to who declares something that exists and is different.
PRECONDITION_FAILED = 406
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


def check_queues(application: Celery = app) -> None:
    """Declares the queues, and the exchanges before them. Raises ConfigurationError where the broker, a RabbitMQ, has
    others of these names, and what its client raises where it does not answer.
    """
    with application.connection_for_read() as connection:
        connection.ensure_connection(max_retries=1, timeout=BROKER_TIMEOUT_S)
        queues = [application.amqp.queues[name] for name in QUEUES]
        in_the_way = [other for queue in queues if (other := _other(connection, queue))]
    if in_the_way:
        raise ConfigurationError(
            f"RabbitMQ (BROKER_URL): {', '.join(in_the_way)}: stop whoever else uses it, and delete it"
        )


def _other(connection: Any, queue: Any) -> str | None:
    """What stands where a queue, or its exchange, should be; None where nothing does, and it is declared."""
    with connection.channel() as channel:
        try:
            queue(channel).declare()
        except connection.channel_errors as exc:
            if getattr(exc, "reply_code", None) != PRECONDITION_FAILED:
                raise
            if "for exchange" in str(exc):
                return f"exchange {queue.name} is not a direct one (rabbitmqadmin delete exchange name={queue.name})"
            return f"queue {queue.name} is not Chasqui's quorum queue (rabbitmqctl delete_queue {queue.name})"
    return None


def queue_lengths(application: Celery = app) -> dict[str, int]:
    """Batches that wait on each queue, on whatever broker. Raises what its client raises where it does not answer."""
    with application.connection_for_read() as connection:
        connection.ensure_connection(max_retries=1, timeout=BROKER_TIMEOUT_S)
        queues = [application.amqp.queues[name](connection.default_channel) for name in QUEUES]
        return {queue.name: int(queue.queue_declare().message_count) for queue in queues}
