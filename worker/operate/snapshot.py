"""Snapshot of the live state: the one reader of each figure that exporter, doctor, commands and dashboard show. The
functions raise RedisError or SQLAlchemyError; `SnapshotReader` reads all servers side by side, in time.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import compress
from typing import Any

import redis
from sqlalchemy import Connection, Engine

from db import monitoring, retry
from db.monitoring import Total, Unfinished
from worker.language.sharing import REASONS
from worker.operate.background_read import BackgroundRead, settle, value_of
from worker.providers.circuit_states import Circuit, Named, read_circuits
from worker.providers.probe import Probe, read_probes
from worker.redisdb import keys
from worker.telemetry.recording import CLEANUP
from worker.telemetry.report import percent
from worker.units import utc_day, utc_month

#: A connection that a restarted server has dropped is tried again within this time.
RETRY_S = 1.0
#: Batches that wait on each queue of the broker. Passed in, because this room sees no Celery.
QueueLengths = Callable[[], Mapping[str, int]]


@dataclass(frozen=True, slots=True)
class StreamLengths:
    """Entries of the WhatsApp streams. oldest_inbound_s: age of the oldest that intake has not finished, or None."""

    inbound: int
    outbound: int
    rejected: int
    oldest_inbound_s: float | None


@dataclass(frozen=True, slots=True)
class LiveCounters:
    """Counters and signs of life that the service keeps in the durable Redis.

    Args:
        at_s: Redis's own time, in seconds since 1970, as `last_cleanup_at_s` is, which is None before the first run.
        calls: today's (UTC) counters of provider calls, as `count_call` names them.
        spent_microusd: booked on the budgets of this UTC "month" and "day".
        locked_customers: customers who wait because somebody else holds rows of theirs.
    """

    at_s: float
    calls: Mapping[str, int]
    spent_microusd: Mapping[str, int]
    last_cleanup_at_s: float | None
    locked_customers: int


@dataclass(frozen=True, slots=True)
class CacheLayer:
    """Hits and misses of one cache layer in one UTC day."""

    name: str
    hits: int
    misses: int

    @property
    def wanted(self) -> int:
        """Number of keys that were asked for."""
        return self.hits + self.misses

    @property
    def hit_rate(self) -> float | None:
        """Percentage rounded to 0.1, None where nothing was asked for."""
        return percent(self.hits, self.wanted) if self.wanted else None


@dataclass(frozen=True, slots=True)
class CacheUse:
    """Use of the cache Redis in one UTC day. unshared: messages that were not everybody's, by reason."""

    layers: tuple[CacheLayer, ...]
    limited_customers: int
    unshared: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RedisState:
    """State as the durable Redis knows it. providers: circuits of those that were called within 7 days."""

    streams: StreamLengths
    counters: LiveCounters
    providers: tuple[Circuit, ...]
    models: tuple[Circuit, ...]
    probes: tuple[Probe, ...]


@dataclass(frozen=True, slots=True)
class DatabaseState:
    """State of the service as PostgreSQL knows it. locked_s: how long others have held rows of ours, 0 for none."""

    unfinished: Unfinished
    totals: tuple[Total, ...]
    locked_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Live state of all servers; None for one that did not answer in time. broker: batches by queue."""

    postgresql: DatabaseState | None = None
    redis: RedisState | None = None
    cache: CacheUse | None = None
    broker: Mapping[str, int] | None = None


class SnapshotReader:
    """Reader of whole snapshots: all servers side by side, none of which can hold up the others."""

    def __init__(
        self, engine: Engine, durable: redis.Redis, cache: redis.Redis, queue_lengths: QueueLengths, providers: Named
    ) -> None:
        reads: dict[str, Callable[[], Any]] = {
            "postgresql": lambda: retry.run(engine, read_database, give_up_after_s=RETRY_S),
            "redis": lambda: read_redis(durable, providers),
            "cache": lambda: read_cache_use(cache),
            "broker": queue_lengths,
        }
        self._reads = [BackgroundRead(server, read) for server, read in reads.items()]

    def read(self) -> Snapshot:
        """Reads all servers, for at most `background_read.PATIENCE_S`."""
        begun = {read.server: read.begin() for read in self._reads}
        settle(*begun.values())
        return Snapshot(**{server: value_of(server, read) for server, read in begun.items()})


def read_database(connection: Connection) -> DatabaseState:
    """Reads PostgreSQL's part: few rows, however many messages there have been."""
    holders = monitoring.lock_holders(connection)
    locked_s = max((holder.open_s or monitoring.LONG_OPEN_S for holder in holders), default=0.0)
    return DatabaseState(monitoring.unfinished(connection), monitoring.totals(connection), locked_s)


def read_streams(client: redis.Redis) -> StreamLengths:
    """Reads the lengths of the streams and the age of the inbound backlog, in one round trip."""
    with client.pipeline(transaction=False) as pipeline:
        pipeline.time()
        for stream in (keys.INBOUND, keys.OUTBOUND, keys.REJECTED):
            pipeline.xlen(stream.pattern)
        pipeline.xrange(keys.INBOUND.pattern, count=1)
        now, inbound, outbound, rejected, oldest = pipeline.execute()
    oldest_s = max(time_s(now) - entry_time_s(oldest[0][0]), 0.0) if oldest else None
    return StreamLengths(inbound, outbound, rejected, oldest_s)


def read_counters(client: redis.Redis, at_s: float | None = None) -> LiveCounters:
    """Reads the live counters of the UTC day and month of `at_s` (None: now), in one round trip."""
    with client.pipeline(transaction=False) as pipeline:
        pipeline.time()
        pipeline.hgetall(keys.CALL_COUNTS.key(utc_day(at_s)))
        pipeline.hget(keys.BUDGET.key(utc_month(at_s)), "spent")
        pipeline.hget(keys.BUDGET.key(utc_day(at_s)), "spent")
        pipeline.get(keys.LAST_RUN.key(CLEANUP))
        pipeline.get(keys.LOCKED_CUSTOMERS.pattern)
        now, calls, month, day, cleanup, locked = pipeline.execute()
    spent = {"month": int(month or 0), "day": int(day or 0)}
    return LiveCounters(time_s(now), _counts(calls), spent, float(cleanup) if cleanup else None, int(locked or 0))


def read_redis(client: redis.Redis, providers: Named) -> RedisState:
    """Reads the durable Redis's part, in five round trips."""
    circuits = read_circuits(client, providers)
    with client.pipeline(transaction=False) as pipeline:
        for provider, _ in providers:
            pipeline.exists(keys.CIRCUIT.key(provider))
        called = set(compress((name for name, _ in providers), pipeline.execute()))
    return RedisState(
        read_streams(client),
        read_counters(client),
        tuple(circuit for circuit in circuits if not circuit.model and circuit.provider in called),
        tuple(circuit for circuit in circuits if circuit.model),
        tuple(read_probes(client)),
    )


def read_cache_use(client: redis.Redis, at_s: float | None = None) -> CacheUse:
    """Reads the counters of the cache Redis for the UTC day of `at_s` (None: now), in one round trip."""
    found: Any = client.hgetall(keys.CACHE_COUNTS.key(utc_day(at_s)))
    counts = _counts(found)
    layers = (
        CacheLayer(layer.name, counts.get(f"{layer.name}:hits", 0), counts.get(f"{layer.name}:misses", 0))
        for layer in keys.LAYERS
    )
    unshared = {reason: counts.get(keys.UNSHARED.format(reason), 0) for reason in REASONS}
    return CacheUse(tuple(layers), counts.get(keys.LIMITED, 0), unshared)


def entry_time_s(entry_id: bytes) -> float:
    """Returns when an entry of a stream was added, in seconds since 1970: its id begins with the milliseconds."""
    return int(entry_id.split(b"-")[0]) / 1000


def time_s(answer: Any) -> float:
    """Returns Redis's answer to TIME in seconds since 1970."""
    seconds, micros = answer
    return float(seconds) + float(micros) / 1e6


def _counts(fields: Mapping[bytes, bytes]) -> dict[str, int]:
    return {name.decode(): int(value) for name, value in fields.items()}
