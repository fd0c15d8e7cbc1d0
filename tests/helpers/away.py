"""A Redis that is not there, and one that comes back."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager

import redis
from redis.connection import parse_url

from worker.redisdb.connect import connect_redis


@contextmanager
def absent_redis() -> Iterator[redis.Redis]:
    """A client of a port on which nobody listens, and nobody else can begin to."""
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        client = connect_redis(f"redis://127.0.0.1:{reserved.getsockname()[1]}", timeout_s=1.0)
        yield client
        client.close()


def come_back(client: redis.Redis, url: str) -> None:
    """Lets the client of an absent Redis find the one at `url`, as if it had come back."""
    pool = client.connection_pool
    pool.reset()
    pool.connection_kwargs.update(parse_url(url))  # type: ignore[no-untyped-call]  # redis-py's
