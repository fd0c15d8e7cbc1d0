"""The queues on the broker: declaring them, and how many messages wait on each."""

from __future__ import annotations

from typing import Any

from celery import Celery

from worker.celery_ext.broker import BROKER_TIMEOUT_S
from worker.errors import ConfigurationError

#: AMQP's answer to who declares something that exists and is different.
PRECONDITION_FAILED = 406


def check_queues(application: Celery) -> None:
    """Declares the queues, and the exchanges before them. Raises ConfigurationError where the broker, a RabbitMQ, has
    others of these names, and what its client raises where it does not answer.
    """
    with application.connection_for_read() as connection:
        connection.ensure_connection(max_retries=1, timeout=BROKER_TIMEOUT_S)
        queues = [application.amqp.queues[name] for name in application.amqp.queues]
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


def queue_lengths(application: Celery) -> dict[str, int]:
    """Batches that wait on each queue, on whatever broker. Raises what its client raises where it does not answer."""
    with application.connection_for_read() as connection:
        connection.ensure_connection(max_retries=1, timeout=BROKER_TIMEOUT_S)
        queues = [application.amqp.queues[name](connection.default_channel) for name in application.amqp.queues]
        return {queue.name: int(queue.queue_declare().message_count) for queue in queues}
