"""What the two roles of Redis tell: versions, the settings that decide what may be lost, memory, clock, what waits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

import redis

from worker.operate.doctor.circuits import judge_circuit
from worker.operate.doctor.clock import judge_skew, skew_s
from worker.operate.doctor.finding import Finding, State, failed, guarded, ok, warning
from worker.operate.wording import count, duration, oldest, size
from worker.providers.circuit_states import Named, read_circuits
from worker.redisdb.connect import connect_redis
from worker.redisdb.keys import INBOUND, LAST_RUN
from worker.settings import Settings
from worker.telemetry.recording import CLEANUP

Json = Mapping[str, Any]
TIMEOUT_S = 3.0
#: The first version that can trim a stream by age.
LEAST_VERSION = (6, 2)
MEMORY_WARNING, MEMORY_FAILED = 0.8, 0.95
#: Intake reads within a second; it stops only while queue `flow` is long.
UNREAD_WARNING_S, UNREAD_FAILED_S = 60.0, 600.0
#: Two runs were left out: the cleanup comes every 5 minutes.
BEAT_LATE_S = 660.0
NO_SERVER = "start the service with chasqui up, which brings a Redis of its own, or set REDIS_URL"
UNREACHABLE = "is the server up, and REDIS_URL right? Nothing it knows (circuits, streams, beat) was checked"
NO_CACHE = "all goes on, slower and dearer: is the server up, and CACHE_REDIS_URL right?"
LOOK_AGAIN = "look at the server's log"


def examine(configured: Settings, providers: Named) -> list[Finding]:
    """All that needs Redis; of a server that does not answer one finding alone."""
    if configured.redis_url is None:
        return [failed("redis", "REDIS_URL is not set, and no embedded server is running", NO_SERVER)]
    url = configured.redis_url.get_secret_value()
    return [
        *guarded("redis", lambda: list(_durable(url, providers)), UNREACHABLE),
        *guarded("cache", lambda: list(_cache(configured)), NO_CACHE, State.WARNING),
    ]


def _durable(url: str, providers: Named) -> Iterator[Finding]:
    with connect_redis(url, TIMEOUT_S) as client:
        info: Any = client.info()
        yield judge_version(info, place(url))
        yield from guarded("redis persistence", lambda: judge_persistence(info), LOOK_AGAIN)
        yield from guarded("redis memory", lambda: judge_durable_memory(info), LOOK_AGAIN)
        yield from guarded("redis clock", lambda: judge_skew("redis clock", _skew_s(client)), LOOK_AGAIN)
        yield from guarded("inbound stream", lambda: _inbound(client), LOOK_AGAIN)
        yield from guarded("beat", lambda: _beat(client), LOOK_AGAIN)
        yield from guarded("circuits", lambda: map(judge_circuit, read_circuits(client, providers)), LOOK_AGAIN)


def place(url: str) -> str:
    """Where a Redis is: host and port, or socket, without user and password."""
    parts = urlsplit(url)
    return f"{parts.hostname}:{parts.port or 6379}" if parts.hostname else parts.path


def judge_version(info: Json, where: str) -> Finding:
    """info: Redis's own answer to INFO, here and below."""
    found = f"version {info['redis_version']} at {where}"
    if tuple(int(part) for part in str(info["redis_version"]).split(".")[:2]) < LEAST_VERSION:
        return failed("redis", found, "Chasqui needs Redis 6.2 or newer: upgrade the server")
    return ok("redis", found)


def judge_persistence(info: Json) -> Finding:
    """Whether a restart of the durable Redis loses nothing but its last second."""
    if not info["aof_enabled"]:
        mend = "set appendonly yes (redis-cli CONFIG SET appendonly yes, and in its configuration)"
        return failed("redis persistence", "appendonly is off: a restart loses messages that nobody has read yet", mend)
    if info.get("aof_last_write_status", "ok") != "ok":
        return failed("redis persistence", "the last write to its file failed", "is its disk full?")
    return ok("redis persistence", "appendonly is on")


def judge_durable_memory(info: Json) -> Finding:
    """Nothing may be evicted, and there should be room."""
    policy, used, limit = info["maxmemory_policy"], info["used_memory"], info["maxmemory"]
    if policy != "noeviction":
        mend = "set maxmemory-policy noeviction (redis-cli CONFIG SET, and in its configuration)"
        return failed("redis memory", f"maxmemory-policy is {policy}: messages and circuits may be evicted", mend)
    found = f"noeviction, {size(used)} used" + (f" of {size(limit)}" if limit else ", no limit")
    if not limit or used < MEMORY_WARNING * limit:
        return ok("redis memory", found)
    severity = failed if used >= MEMORY_FAILED * limit else warning
    return severity("redis memory", found, "when it is full nothing can come in: docs/operations.md, 'Redis is full'")


def _time_s(client: redis.Redis) -> float:
    seconds, micros = client.time()
    return float(seconds) + float(micros) / 1e6


def _skew_s(client: redis.Redis) -> float:
    return skew_s(lambda: _time_s(client))


def _inbound(client: redis.Redis) -> Finding:
    entries: Any = client.xlen(INBOUND.pattern)
    first: Any = client.xrange(INBOUND.pattern, count=1)
    added_s = int(first[0][0].split(b"-")[0]) / 1000 if first else 0.0
    return judge_inbound(entries, _time_s(client) - added_s if first else 0.0)


def judge_inbound(entries: int, oldest_s: float) -> Finding:
    """Payloads that intake has not finished, and for how long the oldest has been there."""
    found = oldest(count(entries, "payload") + " waiting", entries, oldest_s)
    if oldest_s <= UNREAD_WARNING_S:
        return ok("inbound stream", found)
    severity = failed if oldest_s > UNREAD_FAILED_S else warning
    mend = "is intake active, and queue flow short? docs/operations.md, 'the backlog grows'"
    return severity("inbound stream", found, mend)


def _beat(client: redis.Redis) -> Finding:
    noted: Any = client.get(LAST_RUN.key(CLEANUP))
    return judge_beat(_time_s(client) - float(noted) if noted else None)


def judge_beat(age_s: float | None) -> Finding:
    """age_s: since the last cleanup of expired sessions, None where none is known."""
    mend = "is beat running, and a worker on queue periodic? The first run comes 5 minutes after the start"
    if age_s is None:
        return warning("beat", "no periodic task has run yet", mend)
    found = f"last run {duration(max(age_s, 0.0))} ago"
    return warning("beat", found, mend) if age_s > BEAT_LATE_S else ok("beat", found)


def _cache(configured: Settings) -> Iterator[Finding]:
    if configured.cache_redis_url is None or configured.cache_redis_url == configured.redis_url:
        yield ok("cache", "in the durable Redis")
        return
    url = configured.cache_redis_url.get_secret_value()
    with connect_redis(url, TIMEOUT_S) as client:
        info: Any = client.info()
        yield judge_cache(info, place(url))


def judge_cache(info: Json, where: str) -> Finding:
    """A cache of its own forgets what is used least, before it is full."""
    policy, used, limit = info["maxmemory_policy"], info["used_memory"], info["maxmemory"]
    found = f"version {info['redis_version']} at {where}, {policy}, {size(used)} used"
    if not limit:
        return warning("cache", f"{found}, no limit", "set maxmemory (1gb), or it takes all the memory there is")
    if policy != "allkeys-lfu":
        return warning("cache", f"{found} of {size(limit)}", "set maxmemory-policy allkeys-lfu")
    return ok("cache", f"{found} of {size(limit)}")
