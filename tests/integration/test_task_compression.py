"""Batches are compressed on the broker."""

from __future__ import annotations

import redis
from celery import Celery
from helpers.basics import Servers
from kombu import Queue

from worker.app import app


def test_a_batch_waits_small_and_is_read_whole(servers: Servers, redis_client: redis.Redis) -> None:
    """A text of many turns takes a fraction of its length in the queue."""
    turns = str([{"customer_phone": f"54911{number:06}", "text": "tenés leche?"} for number in range(100)])
    with Celery(broker=servers.redis_url, set_as_current=False) as sender:
        sender.conf.task_compression = app.conf.task_compression
        sender.send_task("worker.fetch_session", [turns], queue="turns")
        (waiting,) = redis_client.lrange("turns", 0, -1)
        assert len(waiting) < len(turns) / 2
        with sender.connection() as connection:
            message = Queue("turns")(connection.default_channel).get(no_ack=True)
            assert message is not None
            assert message.payload[0] == [turns]
