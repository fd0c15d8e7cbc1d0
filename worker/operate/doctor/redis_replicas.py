"""Doctor's check of a Redis of several servers: replicas, how far they lag behind, and whether Sentinels agree."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import redis
from redis.exceptions import RedisError
from redis.sentinel import SentinelConnectionPool

from worker.operate.display import count, size
from worker.operate.doctor.finding import Finding, failed, graded, guarded, ok, warning
from worker.redisdb.cluster import ClusterRedis
from worker.redisdb.cluster_exchange import client_of

#: A replica tells its master every second how far it is.
LAG_WARNING_S = 5.0
ALONE = "start a replica: when this server dies, nobody takes over (docs/deploy.md, 'Redis that may die')"
SLOTS = 16_384
UNSERVED = "is a master down that has no replica? Its keys cannot be read, and by default nothing of the cluster can"
FEW = "is each Sentinel up, and does each know the others? A master that dies is replaced only by their majority"


def examine(client: redis.Redis, info: Mapping[str, Any], name: str) -> Iterator[Finding]:
    """Checks what stands behind a server, where Sentinels watch over it or it has replicas.

    Args:
        info: its answer to INFO.
        name: of the role, as the findings begin.
    """
    pool = client.connection_pool
    watched = pool if isinstance(pool, SentinelConnectionPool) else None
    if watched is None and not info.get("connected_slaves") and not info.get("cluster_enabled"):
        return
    yield judge_replicas(info, f"{name} replicas")
    if watched is not None:
        agreed = [_agrees(sentinel, watched.service_name) for sentinel in watched.sentinel_manager.sentinels]
        found = f"{sum(agreed)} of {count(len(agreed), 'Sentinel')} can replace the master"
        yield (ok if all(agreed) else _warned)(f"{name} sentinels", found)


def examine_cluster(
    client: ClusterRedis, examine_server: Callable[[redis.Redis, str], Iterator[Finding]]
) -> Iterator[Finding]:
    """Checks each master of a cluster, and whether all slots are served.

    Args:
        examine_server: checks one, at the place it is given.
    """
    facts: Any = client.execute_command("CLUSTER INFO")
    found = f"{facts['cluster_size']} masters, {facts['cluster_slots_ok']} of {SLOTS} slots are served"
    is_well = facts["cluster_state"] == "ok"
    yield ok("redis cluster", found) if is_well else failed("redis cluster", found, UNSERVED)
    for where, server in masters_of(client):
        found_there = guarded("redis", lambda: list(examine_server(server, where)))  # noqa: B023  used at once
        yield from (replace(each, check=f"{each.check} {where}") for each in found_there)


def masters_of(client: ClusterRedis) -> list[tuple[str, redis.Redis]]:
    """Returns the masters of a cluster by their places."""
    return [(str(node.name), client_of(node)) for node in client.primaries()]


def judge_replicas(info: Mapping[str, Any], check: str) -> Finding:
    """Judges the replicas of a master by what it says of them."""
    replicas = [value for key, value in info.items() if key.startswith("slave") and isinstance(value, dict)]
    online = [replica for replica in replicas if replica.get("state") == "online"]
    if not online:
        return warning(check, f"{info['role']} without a replica that is in step", ALONE)
    lag_s = max(float(replica["lag"]) for replica in online)
    behind = max(int(info["master_repl_offset"]) - int(replica["offset"]) for replica in online)
    found = f"{info['role']}, {count(len(online), 'replica')}, at most {lag_s:.0f} s and {size(max(behind, 0))} behind"
    return graded(check, found, "is the network slow, or the replica busy?", lag_s, LAG_WARNING_S)


def _agrees(sentinel: Any, group: str) -> bool:
    try:
        # redis-py's own method takes any answer but a bare OK for a no.
        return bool(sentinel.execute_command("SENTINEL", "CKQUORUM", group).startswith(b"OK"))
    except RedisError:
        return False


def _warned(check: str, found: str) -> Finding:
    return warning(check, found, FEW)
