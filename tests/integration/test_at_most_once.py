"""A worker of one process takes turns at most once from a Redis, and acknowledges nothing."""

from __future__ import annotations

from collections.abc import Iterator
from threading import Event

import pytest
import redis
from celery import Celery
from celery.contrib.testing.worker import start_worker
from celery.signals import task_received
from helpers.basics import GUARD_S, Servers
from kombu import Queue

from worker.celery_ext import queues as queues_module
from worker.celery_ext.queues import take_at_most_once
from worker.runtime.embedded.processes import wait_until

WAIT_S = GUARD_S


@pytest.fixture
def application(servers: Servers) -> Iterator[Celery]:
    """With queues `turns` and `others`; the worker's signals are undone."""
    with Celery(broker=servers.redis_url, set_as_current=False) as application:
        queues = [Queue(name, routing_key=name) for name in ("turns", "others")]
        application.conf.update(task_queues=queues, task_default_queue="others", worker_prefetch_multiplier=1)
        yield application
    task_received.disconnect(queues_module._skip_acknowledgement)


def acknowledged(client: redis.Redis) -> int:
    """How many messages kombu has acknowledged so far: each forgets its place in the index of copies."""
    return int(client.info("commandstats").get("cmdstat_zrem", {"calls": 0})["calls"])


@pytest.mark.parametrize(("name", "copies"), [("turns", 0), ("others", 1)])
def test_turns_are_taken_without_copy(application: Celery, redis_client: redis.Redis, name: str, copies: int) -> None:
    """Redis has a copy of what is under way, or none; either way the next waits on its queue, and nothing is left."""
    began, go_on, done = Event(), Event(), list[int]()

    @application.task(name="held", shared=False)  # type: ignore[untyped-decorator]  # celery ships no types
    def held(number: int) -> None:
        began.set()
        assert go_on.wait(WAIT_S)
        done.append(number)

    take_at_most_once(application, "turns")
    before = acknowledged(redis_client)
    with start_worker(application, pool="solo", concurrency=1, perform_ping_check=False):
        for number in range(3):
            held.apply_async((number,), queue=name)
        assert began.wait(WAIT_S)
        assert wait_until(lambda: redis_client.llen(name) == 2, WAIT_S)
        assert redis_client.hlen("unacked") == copies
        go_on.set()
        assert wait_until(lambda: done == [0, 1, 2] and redis_client.hlen("unacked") == 0, WAIT_S)
        assert redis_client.llen(name) == 0
    assert acknowledged(redis_client) - before == 3 * copies


def test_only_a_redis_is_taken_from_so() -> None:
    """RabbitMQ would send a whole queue to a consumer that acknowledges nothing."""
    with Celery(broker="amqp://guest:guest@127.0.0.1//", set_as_current=False) as application:
        application.conf.task_queues = [Queue("turns")]
        take_at_most_once(application, "turns")
        assert not application.amqp.queues["turns"].no_ack
