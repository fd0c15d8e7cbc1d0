"""Consumer without native delayed delivery: tasks of this service have no ETA.

By itself Celery declares, on every start of a worker on quorum queues, 28 more of them and as many exchanges, through
which a delayed task would travel. Written for Celery 5.7, public names alone.
"""

from celery.worker.consumer import Consumer

DELAYED_DELIVERY = "celery.worker.consumer.delayed_delivery:DelayedDelivery"


class PromptConsumer(Consumer):  # type: ignore[misc]  # celery ships no types
    """Consumer of tasks that are due when they are sent."""

    class Blueprint(Consumer.Blueprint):  # type: ignore[misc]
        """Steps of Celery's own, without the one of delayed delivery."""

        default_steps = [step for step in Consumer.Blueprint.default_steps if step != DELAYED_DELIVERY]  # noqa: RUF012
