"""Connections to Redis, with a time limit on everything."""

from __future__ import annotations

from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from worker.errors import ConfigurationError

DURABLE_TIMEOUT_S = 5.0
#: A cache that is slower than this is no cache.
CACHE_TIMEOUT_S = 1.0
#: More than a process has threads: calls (AI_PARALLEL_CALLS) and batches. redis-py stops at 100.
REDIS_CONNECTIONS = 512


def connect_redis(url: str, timeout_s: float, *, repeats: int = 1) -> redis.Redis:
    """Makes a client with time limits on everything, which repeats a command `repeats` times on a lost connection."""
    # A socket of this machine has no packets to keep it alive, and redis-py no such argument for it.
    of_tcp: dict[str, Any] = {} if url.startswith("unix:") else {"socket_keepalive": True}
    try:
        return redis.Redis.from_url(
            url,
            socket_timeout=timeout_s,
            socket_connect_timeout=timeout_s,
            **of_tcp,
            health_check_interval=30,
            max_connections=REDIS_CONNECTIONS,
            retry=Retry(NoBackoff(), repeats),
        )
    except ValueError:
        # What redis-py says of it may show a part of a password.
        raise ConfigurationError("REDIS_URL or CACHE_REDIS_URL: no URL of a Redis") from None
