"""Doctor's check of both roles of Redis: versions, replicas, what may be lost, memory, clock, live state."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

import redis
from redis.exceptions import RedisError
from redis.sentinel import SentinelConnectionPool

from worker.operate.display import count, duration, oldest, size
from worker.operate.doctor.finding import Finding, State, failed, graded, guarded, judge_clock, ok, warning
from worker.operate.snapshot import LiveCounters, StreamLengths, read_counters, read_streams, time_s
from worker.providers.circuit_states import Circuit, Named, read_circuits
from worker.redisdb.cluster import ClusterRedis
from worker.redisdb.cluster_exchange import client_of
from worker.redisdb.connect import connect_cache, connect_durable
from worker.settings import Settings, urls_by_host

#: Redis's answer to INFO.
Info = Mapping[str, Any]
TIMEOUT_S = 3.0
#: The first version that can trim a stream by age.
LEAST_VERSION = (6, 2)
MEMORY_WARNING, MEMORY_FAILED = 0.8, 0.95
#: Intake reads within a second; it stops only while queue `flow` is long.
UNREAD_WARNING_S, UNREAD_FAILED_S = 60.0, 600.0
#: Two runs were left out: the cleanup comes every 5 minutes.
BEAT_LATE_S = 660.0
#: The reason of a circuit that a wrong key or an empty balance has opened (`ProviderDenied.kind`).
DENIED = "denied"
#: A replica tells its master every second how far it is.
LAG_WARNING_S = 5.0
SLOTS = 16_384
NO_SERVER = "start the service with chasqui up, which brings a Redis of its own, or set REDIS_URL"
ALONE = "start a replica: when this server dies, nobody takes over (docs/deploy.md, 'Redis that may die')"
UNSERVED = "is a master down that has no replica? Its keys cannot be read, and by default nothing of the cluster can"
FEW = "is each Sentinel up, and does each know the others? A master that dies is replaced only by their majority"
UNREACHABLE = "is the server up, and REDIS_URL right? Nothing it knows (circuits, streams, beat) was checked"
NO_CACHE = "all goes on, slower and dearer: is the server up, and CACHE_REDIS_URL right?"


def examine(configured: Settings, providers: Named) -> list[Finding]:
    """Checks all that needs Redis; returns one finding alone for a server that does not answer."""
    if configured.redis_url is None:
        return [failed("redis", "REDIS_URL is not set, and no embedded server is running", NO_SERVER)]
    return [
        *guarded("redis", lambda: _durable(configured, providers), UNREACHABLE),
        *guarded("cache", lambda: _cache(configured), NO_CACHE, State.WARNING),
    ]


def _durable(configured: Settings, providers: Named) -> Iterator[Finding]:
    with connect_durable(configured, TIMEOUT_S) as client:
        if isinstance(client, ClusterRedis):
            yield from _cluster(client)
        else:
            yield from _server(client, place(configured.required("redis_url")))
        yield from guarded("redis clock", lambda: judge_clock("redis", lambda: time_s(client.time())))
        yield from guarded("inbound stream", lambda: judge_inbound(read_streams(client)))
        yield from guarded("beat", lambda: judge_beat(read_counters(client)))
        yield from guarded("circuits", lambda: map(judge_circuit, read_circuits(client, providers)))


def _server(client: redis.Redis, where: str) -> Iterator[Finding]:
    info: Any = client.info()
    yield judge_version(info, where)
    yield from guarded("redis replicas", lambda: _replicas(client, info))
    yield from guarded("redis persistence", lambda: judge_persistence(info))
    yield from guarded("redis memory", lambda: judge_durable_memory(info))


def _cluster(client: ClusterRedis) -> Iterator[Finding]:
    """Checks each master, and whether all slots are served."""
    facts: Any = client.execute_command("CLUSTER INFO")
    found = f"{facts['cluster_size']} masters, {facts['cluster_slots_ok']} of {SLOTS} slots are served"
    is_well = facts["cluster_state"] == "ok"
    yield ok("redis cluster", found) if is_well else failed("redis cluster", found, UNSERVED)
    for where, server in masters_of(client):
        found_there = guarded("redis", lambda: _server(server, where))  # noqa: B023  used at once
        yield from (replace(each, check=f"{each.check} {where}") for each in found_there)


def masters_of(client: ClusterRedis) -> list[tuple[str, redis.Redis]]:
    """Returns the masters of a cluster by their places."""
    return [(str(node.name), client_of(node)) for node in client.primaries()]


def _replicas(client: redis.Redis, info: Info) -> Iterator[Finding]:
    """Checks what stands behind a server, where Sentinels watch over it or it has replicas."""
    pool = client.connection_pool
    watched = pool if isinstance(pool, SentinelConnectionPool) else None
    if watched is None and not info.get("connected_slaves") and not info.get("cluster_enabled"):
        return
    yield judge_replicas(info)
    if watched is not None:
        agreed = [_agrees(sentinel, watched.service_name) for sentinel in watched.sentinel_manager.sentinels]
        found = f"{sum(agreed)} of {count(len(agreed), 'Sentinel')} can replace the master"
        yield ok("redis sentinels", found) if all(agreed) else warning("redis sentinels", found, FEW)


def judge_replicas(info: Info) -> Finding:
    """Judges the replicas of a master by what it says of them."""
    replicas = [value for key, value in info.items() if key.startswith("slave") and isinstance(value, dict)]
    online = [replica for replica in replicas if replica.get("state") == "online"]
    if not online:
        return warning("redis replicas", f"{info['role']} without a replica that is in step", ALONE)
    lag_s = max(float(replica["lag"]) for replica in online)
    behind = max(int(info["master_repl_offset"]) - int(replica["offset"]) for replica in online)
    found = f"{info['role']}, {count(len(online), 'replica')}, at most {lag_s:.0f} s and {size(max(behind, 0))} behind"
    return graded("redis replicas", found, "is the network slow, or the replica busy?", lag_s, LAG_WARNING_S)


def _agrees(sentinel: Any, group: str) -> bool:
    try:
        # redis-py's own method takes any answer but a bare OK for a no.
        return bool(sentinel.execute_command("SENTINEL", "CKQUORUM", group).startswith(b"OK"))
    except RedisError:
        return False


def place(url: str) -> str:
    """Returns host and port of a Redis (of each that the URL names), or its socket, without user and password."""
    places = [urlsplit(each) for each in urls_by_host(url)]
    port = 26379 if "sentinel" in places[0].scheme else 6379
    return ", ".join(f"{each.hostname}:{each.port or port}" if each.hostname else each.path for each in places)


def judge_version(info: Info, where: str) -> Finding:
    """Judges the version of the durable Redis."""
    found = f"version {info['redis_version']} at {where}"
    if tuple(int(part) for part in str(info["redis_version"]).split(".")[:2]) < LEAST_VERSION:
        return failed("redis", found, "Chasqui needs Redis 6.2 or newer: upgrade the server")
    return ok("redis", found)


def judge_persistence(info: Info) -> Finding:
    """Judges whether a restart of the durable Redis loses nothing but its last second."""
    if not info["aof_enabled"]:
        mend = "set appendonly yes (redis-cli CONFIG SET appendonly yes, and in its configuration)"
        return failed("redis persistence", "appendonly is off: a restart loses messages that nobody has read yet", mend)
    if info.get("aof_last_write_status", "ok") != "ok":
        return failed("redis persistence", "the last write to its file failed", "is its disk full?")
    return ok("redis persistence", "appendonly is on")


def judge_durable_memory(info: Info) -> Finding:
    """Judges the memory of the durable Redis: nothing may be evicted, and there should be room."""
    policy, used, limit = info["maxmemory_policy"], info["used_memory"], info["maxmemory"]
    if policy != "noeviction":
        mend = "set maxmemory-policy noeviction (redis-cli CONFIG SET, and in its configuration)"
        return failed("redis memory", f"maxmemory-policy is {policy}: messages and circuits may be evicted", mend)
    found = f"noeviction, {size(used)} used" + (f" of {size(limit)}" if limit else ", no limit")
    if not limit or used < MEMORY_WARNING * limit:
        return ok("redis memory", found)
    severity = failed if used >= MEMORY_FAILED * limit else warning
    return severity("redis memory", found, "when it is full nothing can come in: docs/operations.md, 'Redis is full'")


def judge_inbound(streams: StreamLengths) -> Finding:
    """Judges the backlog of payloads that intake has not finished."""
    age_s = streams.oldest_inbound_s or 0.0
    found = oldest(count(streams.inbound, "payload") + " waiting", streams.inbound, age_s)
    mend = "is intake active, and queue flow short? docs/operations.md, 'the backlog grows'"
    return graded("inbound stream", found, mend, age_s, UNREAD_WARNING_S, UNREAD_FAILED_S)


def judge_beat(counters: LiveCounters) -> Finding:
    """Judges beat by the age of the last cleanup of expired sessions."""
    mend = "is beat running, and a worker on queue periodic? The first run comes 5 minutes after the start"
    if counters.last_cleanup_at_s is None:
        return warning("beat", "no periodic task has run yet", mend)
    age_s = counters.at_s - counters.last_cleanup_at_s
    found = f"last run {duration(max(age_s, 0.0))} ago"
    return graded("beat", found, mend, age_s, BEAT_LATE_S)


def judge_circuit(circuit: Circuit) -> Finding:
    """Judges a circuit: one that has opened mends itself, unless the key, the balance or the model is the reason."""
    check = f"circuit {circuit.name}"
    close = f"chasqui circuits close {circuit.name}"
    if circuit.answered_by and circuit.state == "closed":
        return warning(check, f"answered by {circuit.answered_by}", "is that what you want to pay? docs/providers.md")
    if circuit.state == "closed":
        calls = f", {circuit.failures} of {circuit.calls} calls failed" if circuit.failures else ""
        return ok(check, f"closed{calls}")
    if circuit.state == "forced_open":
        return warning(check, "opened by hand", f"when the provider may be asked again: {close}")
    if circuit.model:
        found = f"{circuit.state} ({circuit.reason}): {circuit.told or 'it refuses every request'}"
        mend = "give the provider another model in PROVIDERS_FILE and restart worker-ai (docs/providers.md), then: "
        return warning(check, found, mend + close)
    if circuit.reason == DENIED:
        mend = f"check the key and the balance, restart worker-ai, then: {close}"
        return failed(check, f"{circuit.state}: the provider refuses the key, or the balance is empty", mend)
    wait = f", for {duration(circuit.open_s)} more" if circuit.open_s is not None else ": the next call tries it"
    reason = f" ({circuit.reason})" if circuit.reason else ""
    return warning(check, f"{circuit.state}{reason}{wait}", f"nothing; it tries again by itself, or now: {close}")


def _cache(configured: Settings) -> Finding:
    if configured.has_one_redis:
        return ok("cache", "in the durable Redis")
    with connect_cache(configured, TIMEOUT_S) as client:
        if isinstance(client, ClusterRedis):
            found = [judge_cache(server.info(), where) for where, server in masters_of(client)]
            bad = next((each for each in found if each.state != State.OK), None)
            return bad or ok("cache", f"{count(len(found), 'master')} of a cluster; {found[0].found}")
        info: Any = client.info()
        return judge_cache(info, place(configured.required("cache_url")))


def judge_cache(info: Info, where: str) -> Finding:
    """Judges a cache of its own, which should forget what is used least before it is full."""
    policy, used, limit = info["maxmemory_policy"], info["used_memory"], info["maxmemory"]
    found = f"version {info['redis_version']} at {where}, {policy}, {size(used)} used"
    if not limit:
        return warning("cache", f"{found}, no limit", "set maxmemory (1gb), or it takes all the memory there is")
    if policy != "allkeys-lfu":
        return warning("cache", f"{found} of {size(limit)}", "set maxmemory-policy allkeys-lfu")
    return ok("cache", f"{found} of {size(limit)}")
