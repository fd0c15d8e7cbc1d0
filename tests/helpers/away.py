"""Servers that are not there, that say nothing, and that come back."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager

import redis
from redis.connection import parse_url

from worker.redisdb.connect import connect_redis


@contextmanager
def refusing_port() -> Iterator[int]:
    """A port on which nobody listens, and nobody else can begin to."""
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        yield reserved.getsockname()[1]


@contextmanager
def silent_port() -> Iterator[int]:
    """A port that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listening:
        yield listening.getsockname()[1]


@contextmanager
def absent_redis() -> Iterator[redis.Redis]:
    """A client of a Redis that refuses connections."""
    with refusing_port() as port, connect_redis(f"redis://127.0.0.1:{port}", timeout_s=1.0) as client:
        yield client


def come_back(client: redis.Redis, url: str) -> None:
    """Lets the client of an absent Redis find the one at `url`, as if it had come back."""
    pool = client.connection_pool
    pool.reset()
    pool.connection_kwargs.update(parse_url(url))  # type: ignore[no-untyped-call]  # redis-py's
