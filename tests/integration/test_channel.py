"""Kombu's channel sends with one client, and takes turns without a copy, as it counts them all the same."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import redis
from celery import Celery
from helpers.basics import Servers
from kombu import Consumer, Message, Queue

from worker.app import app
from worker.celery_ext.redis_channel import CHANNELS, keep_clients, take_without_copy


@pytest.fixture
def channel(servers: Servers) -> Iterator[Any]:
    """A channel to the Redis of this run, as an application of ours gets it."""
    keep_clients()
    with Celery(broker=servers.redis_url, set_as_current=False) as ours, ours.connection() as connection:
        yield connection.channel()


def test_a_channel_sends_with_one_client(channel: Any) -> None:
    """Told twice to keep it or once."""
    keep_clients()
    with channel.conn_or_acquire() as first, channel.conn_or_acquire() as second:
        assert first is second
        assert first.ping()


def test_a_new_pool_gets_a_new_client(channel: Any) -> None:
    """After a lost connection kombu throws its pool away; the old client would go on with closed sockets."""
    with channel.conn_or_acquire() as before:
        pass
    channel._disconnect_pools()
    channel._pool = None
    with channel.conn_or_acquire() as after:
        assert after is not before
        assert after.connection_pool is channel.pool
        assert after.ping()


def test_the_client_that_takes_messages_is_another(channel: Any) -> None:
    """It waits for messages on a connection of its own."""
    with channel.conn_or_acquire() as sending:
        assert channel.client is not sending


@pytest.mark.parametrize(("name", "copies"), [("turns", 0), ("others", 1)])
def test_turns_are_taken_without_copy(
    servers: Servers, redis_client: redis.Redis, monkeypatch: pytest.MonkeyPatch, name: str, copies: int
) -> None:
    """Of what is under way Redis has a copy or none; either way no more is taken than may be under way."""
    monkeypatch.setattr(CHANNELS, "QoS", CHANNELS.QoS)
    take_without_copy(["turns"])
    queue, taken = Queue(name, routing_key=name), list[Message]()
    with Celery(broker=servers.redis_url, set_as_current=False) as ours, ours.connection() as connection:
        for number in range(2):
            connection.Producer().publish({"number": number}, routing_key=name, declare=[queue])
        channel = connection.channel()
        channel.basic_qos(0, 1, False)
        with Consumer(channel, [queue], on_message=taken.append):
            connection.drain_events(timeout=5)
            with pytest.raises(TimeoutError):
                connection.drain_events(timeout=0.3)
            assert (redis_client.hlen("unacked"), redis_client.llen(name)) == (copies, 1)
            taken[0].ack()
            assert redis_client.hlen("unacked") == 0
            connection.drain_events(timeout=5)
            taken[1].ack()
    assert [message.payload["number"] for message in taken] == [0, 1]


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
