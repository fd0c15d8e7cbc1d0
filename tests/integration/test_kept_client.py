"""Kombu's channel sends with one client, over the connections of its pool."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from celery import Celery
from support import Servers

from worker.app import keep_clients


@pytest.fixture
def channel(servers: Servers) -> Iterator[Any]:
    """A channel to the Redis of this run, as an application of ours gets it."""
    keep_clients()
    with Celery(broker=servers.redis_url, set_as_current=False) as app, app.connection() as connection:
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
