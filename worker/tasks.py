"""Chain of the steps: each task decodes its batch, calls one step of `worker.steps`, and sends on.

worker.fetch_session -> worker.route_ai -> worker.update_session -> worker.record_metrics      queue `flow`
                              | misses              ^
                              +-> worker.call_provider                                         queue `ai`
"""

import time
from collections.abc import Sequence
from functools import partial
from typing import Any

import orjson
from redis.exceptions import RedisError

from worker import steps
from worker.app import task
from worker.celery_ext.micro_batch import MicroBatcher
from worker.chain import calls_have_room, end_step, enqueue, enqueue_again, send_on, step
from worker.log import logger
from worker.messages.inbound import MAX_WEBHOOK_BYTES
from worker.session.turn import Turn
from worker.settings import settings
from worker.steps.services import Services, services

#: How long finished calls wait for others. Little beside what a model takes.
MICRO_BATCH_WAIT_S = 0.1
RECEIVE_PAUSE_S = 1.0
log = logger(__name__)


@step
def fetch_session(services: Services, batch: list[Turn]) -> None:
    """Finds the session of each turn: cache, PostgreSQL, or new."""
    send_on(route_ai, end_step("fetch_session", steps.fetch_session.run(services, batch)))


@step
def route_ai(services: Services, batch: list[Turn]) -> None:
    """Answers from the cache, or sends on to a provider."""
    answered, missed = steps.route_ai.run(services, batch, calls_have_room)
    send_on(update_session, end_step("route_ai", answered))
    enqueue(call_provider, end_step("route_ai", missed))


@step
def call_provider(services: Services, batch: list[Turn]) -> None:
    """Calls the models side by side; answered turns go on as soon as they are ready, micro-batched across batches."""
    with answered_calls.working(len(batch)):
        for ready in steps.call_provider.run(services, batch):
            answered_calls.add(end_step("call_provider", ready))


@step
def update_session(services: Services, batch: list[Turn]) -> None:
    """Commits, publishes, and starts what the same customers wrote meanwhile."""
    closed = steps.update_session.run(services, batch)
    enqueue(fetch_session, closed.next_turns)
    send_on(record_metrics, [turn.without_words() for turn in end_step("update_session", closed.turns)])


answered_calls = MicroBatcher(lambda turns: enqueue(update_session, turns), MICRO_BATCH_WAIT_S, settings().batch_max)


@step
def record_metrics(services: Services, batch: list[Turn]) -> None:
    """Records costs and durations."""
    steps.record_metrics.run(services, batch)


def send_on_from_calls(answered: Sequence[Turn], asking: Sequence[Turn]) -> None:
    """Sends on turns that had waited for a call of nobody's: with its answer, or to a call of their own."""
    enqueue(update_session, end_step("call_provider", answered))
    enqueue(call_provider, asking)


@partial(task, acks_late=True, reject_on_worker_lost=True)
def receive(payload: str | dict[str, Any]) -> str:
    """Adds a payload (docs/gateway.md), as text or as JSON object, to the inbound stream: the door for gateways that
    speak Celery. One that is too large goes to `whatsapp:rejected`.
    """
    text = payload.encode("utf-8", "replace") if isinstance(payload, str) else orjson.dumps(payload)
    streams = services().streams
    try:
        if len(text) > MAX_WEBHOOK_BYTES:
            streams.reject(text, f"payload: {len(text)} bytes, at most {MAX_WEBHOOK_BYTES} are allowed")
            return "rejected"
        streams.send(text)
    except RedisError as exc:
        # A failed task would be acknowledged and lost. After a pause, so as not to spin.
        log.warning("receive_postponed", error=type(exc).__name__)
        time.sleep(RECEIVE_PAUSE_S)
        enqueue_again(receive, payload)
        return "postponed"
    return "queued"
