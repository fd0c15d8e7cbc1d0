"""Queues on the broker: their declaration, lengths, delivery at most once, and the workers that answer through it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from celery import Celery
from celery.signals import task_received
from kombu.exceptions import OperationalError

from worker.celery_ext.broker import BROKER_TIMEOUT_S, Broker
from worker.errors import ConfigurationError

PING_TIMEOUT_S = 0.5
#: AMQP's answer to a declaration of something that exists and is different.
PRECONDITION_FAILED = 406


def check_queues(application: Celery) -> None:
    """Declares the queues, and the exchanges before them; waits for the broker no longer than its time limit. Raises
    ConfigurationError where the broker, a RabbitMQ, has others of these names.
    """
    with _reading(application) as connection:
        conflicts = [found for queue in application.amqp.queues.values() if (found := _conflict(connection, queue))]
    if conflicts:
        raise ConfigurationError(
            f"RabbitMQ (BROKER_URL): {', '.join(conflicts)}: stop whoever else uses it, and delete it"
        )


def _conflict(connection: Any, queue: Any) -> str | None:
    """Declares a queue; returns what else has its name, or that of its exchange."""
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


def queue_lengths(application: Celery) -> dict[str, int]:
    """Returns how many batches wait on each queue. Raises what the broker's client raises."""
    with _reading(application) as connection:
        return {name: queue_length(application, name, connection) for name in application.amqp.queues}


def queue_length(application: Celery, name: str, connection: Any) -> int:
    """Returns how many batches wait on a queue, on whatever broker."""
    queue = application.amqp.queues[name]
    return int(queue(connection.default_channel).queue_declare().message_count)


def answering_workers(broker: Broker) -> set[str]:
    """Returns names of workers (`flow`, `ai`) that answer a ping in time; none where the broker is away."""
    with Celery(broker=broker.url, set_as_current=False) as operator:
        operator.conf.update(broker_transport_options=broker.options, broker_use_ssl=broker.tls)
        try:
            answers = operator.control.ping(timeout=PING_TIMEOUT_S)
        except (OperationalError, OSError):
            return set()
    return {name.split("@")[0] for answer in answers for name in answer}


@contextmanager
def _reading(application: Celery) -> Iterator[Any]:
    with application.connection_for_read() as connection:
        connection.ensure_connection(max_retries=1, timeout=BROKER_TIMEOUT_S)
        yield connection


def take_at_most_once(application: Celery, name: str) -> None:
    """Takes from this queue at most once: what a worker has taken is gone with it, and the sweep alone rescues. For a
    worker that runs its tasks itself, one after the other.

    By itself kombu keeps a copy in Redis until the message is acknowledged, after the task, and sends it again: a batch
    that kills its worker would come back for ever. Saves 1.1 ms of CPU time, and Redis 0.1, for each batch that
    is taken. Written for Celery and kombu 5.7, public names alone. RabbitMQ keeps its acknowledgements: it would send a
    whole queue to a consumer that makes none.
    """
    if application.connection_for_read().transport.driver_type == "redis":
        application.amqp.queues[name].no_ack = True
        task_received.connect(_skip_acknowledgement)


def _skip_acknowledgement(request: Any, **_: object) -> None:
    """Keeps Celery from acknowledging, which kombu would pass on to Redis all the same."""
    queues, name = request.app.amqp.queues, request.delivery_info["routing_key"]
    request.acknowledged = name in queues and queues[name].no_ack
