"""The inbound stream as docs/gateway.md lets a gateway write it where another Redis may take over."""

from __future__ import annotations

import redis
from redis.exceptions import RedisError

from worker.redisdb.cluster import ClusterRedis
from worker.redisdb.cluster_exchange import client_of
from worker.redisdb.keys import INBOUND

#: For replicas to have an entry.
CONFIRM_MS = 1_000


def add(client: redis.Redis, payload: str | bytes, replicas: int = 0) -> bool:
    """Adds a payload, and returns whether so many replicas have it; where not, it is to be added again. Raises
    RedisError.
    """
    try:
        return _added(_master(client), payload, replicas)
    except RedisError:
        if isinstance(client, ClusterRedis):
            client.refresh()
        raise


def _master(client: redis.Redis) -> redis.Redis:
    """The server that has the stream: on a cluster, WAIT is for one node alone."""
    if not isinstance(client, ClusterRedis):
        return client
    return client_of(client.node_of([["XADD", INBOUND.pattern]]))


def _added(master: redis.Redis, payload: str | bytes, replicas: int) -> bool:
    """On one connection, as WAIT wants it."""
    with master.pipeline(transaction=False) as pipeline:
        pipeline.xadd(INBOUND.pattern, {"payload": payload})
        if replicas:
            pipeline.wait(replicas, CONFIRM_MS)
        answers = pipeline.execute()
    return not replicas or int(answers[-1]) >= replicas
