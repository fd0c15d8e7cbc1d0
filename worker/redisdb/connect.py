"""Connections to Redis, with a time limit on everything: to one server, to the master under Sentinels, to a cluster."""

from typing import Any

import redis
from pydantic import SecretStr
from redis.backoff import NoBackoff
from redis.connection import parse_url
from redis.retry import Retry

from worker.errors import ConfigurationError
from worker.redisdb.cluster import ClusterRedis
from worker.redisdb.sentinel import Host, sentinel_redis
from worker.settings import SEVERAL, Settings, urls_by_host

DURABLE_TIMEOUT_S = 5.0
#: A cache that is slower than this is no cache.
CACHE_TIMEOUT_S = 1.0
#: More than a process has threads: calls (AI_PARALLEL_CALLS) and batches. redis-py stops at 100.
REDIS_CONNECTIONS = 512
SENTINEL_PORT, REDIS_PORT = 26_379, 6_379
# What redis-py says of a URL may show a part of a password.
NO_URL = "REDIS_URL or CACHE_REDIS_URL: no URL of a Redis"
NO_GROUP = (
    "REDIS_MASTER_NAME: must be set where REDIS_URL names Sentinels, as CACHE_REDIS_MASTER_NAME where CACHE_REDIS_URL "
    "does: the name after `sentinel monitor` in their configuration"
)


def connect_durable(configured: Settings, timeout_s: float = DURABLE_TIMEOUT_S, *, repeats: int = 1) -> redis.Redis:
    """Makes a client of the durable Redis; raises as `connect_redis` does."""
    group, password = configured.redis_master_name, configured.redis_sentinel_password
    return connect_redis(configured.required("redis_url"), timeout_s, group, password, repeats=repeats)


def connect_cache(configured: Settings, timeout_s: float = CACHE_TIMEOUT_S) -> redis.Redis:
    """Makes a client of the cache Redis; raises as `connect_redis` does."""
    group, password = configured.cache_master_name, configured.cache_sentinel_password
    return connect_redis(configured.required("cache_url"), timeout_s, group, password)


def connect_redis(
    url: str,
    timeout_s: float,
    master_name: str | None = None,
    sentinel_password: SecretStr | None = None,
    *,
    repeats: int = 1,
) -> redis.Redis:
    """Makes a client with time limits on everything, which repeats a command `repeats` times on a lost connection.

    Args:
        url: in any of the forms of REDIS_URL.
        master_name: the group that the Sentinels of the URL watch over; sentinel_password: their own.

    Raises:
        ConfigurationError: the URL is none, or names Sentinels and nothing that they watch over.
    """
    options = _options(url, timeout_s, repeats)
    try:
        if not url.startswith(SEVERAL):
            return redis.Redis.from_url(url, **options)
        hosts, own = _hosts_of(url)
        if "sentinel" in url.partition(":")[0]:
            if not master_name:
                raise ConfigurationError(NO_GROUP)
            return sentinel_redis(hosts, master_name, sentinel_password, options | own)
    except ValueError:
        raise ConfigurationError(NO_URL) from None
    if own.pop("db", 0):
        raise ConfigurationError("REDIS_URL or CACHE_REDIS_URL: a Redis Cluster has one database, 0")
    return ClusterRedis(hosts, options | own, repeats)


def _options(url: str, timeout_s: float, repeats: int) -> dict[str, Any]:
    # A socket of this machine has no packets to keep it alive, and redis-py no such argument for it.
    of_tcp: dict[str, Any] = {} if url.startswith("unix:") else {"socket_keepalive": True}
    return {
        "socket_timeout": timeout_s,
        "socket_connect_timeout": timeout_s,
        **of_tcp,
        "health_check_interval": 30,
        "max_connections": REDIS_CONNECTIONS,
        "retry": Retry(NoBackoff(), repeats),
    }


def _hosts_of(url: str) -> tuple[list[Host], dict[str, Any]]:
    """Returns the hosts of a URL of several, and the options it gives: user, password, database, TLS. Where hosts are
    given others, those of the first that has any count.
    """
    port = SENTINEL_PORT if "sentinel" in url.partition(":")[0] else REDIS_PORT
    hosts: list[Host] = []
    options: dict[str, Any] = {}
    for each in urls_by_host(url):
        found = parse_url(f"redis://{each.partition('://')[2]}")  # type: ignore[no-untyped-call]  # redis-py's
        if not found.get("host"):
            raise ValueError(each)
        hosts.append((found.pop("host"), found.pop("port", port)))
        options = found | options
    return hosts, options | ({"ssl": True} if url.startswith("rediss") else {})
