"""Where the figures for Prometheus come from: PostgreSQL, the durable Redis, the cache Redis and the broker."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import compress
from typing import Any

import redis
from sqlalchemy import Connection, Engine

from db import monitoring, retry
from db.monitoring import Total, Unfinished
from worker.operate.exporter.lookout import Lookout, settle, value_of
from worker.providers.circuit_states import Circuit, Named, read_circuits
from worker.providers.probe import Probe, read_probes
from worker.redisdb.keys import (
    BUDGET,
    CACHE_COUNTS,
    CALL_COUNTS,
    CIRCUIT,
    INBOUND,
    LAST_RUN,
    LOCKED_CUSTOMERS,
    OUTBOUND,
    REJECTED,
)
from worker.telemetry.recording import CLEANUP

#: A connection that a restarted server has dropped is tried again within this time.
RETRY_S = 1.0
#: Tasks that wait on each queue. Passed in, because this room sees no Celery.
QueueLengths = Callable[[], Mapping[str, int]]


@dataclass(frozen=True, slots=True)
class Database:
    """What PostgreSQL told. locked_s: how long the oldest open transaction has held rows of ours, 0 for none."""

    unfinished: Unfinished
    totals: tuple[Total, ...]
    locked_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Durable:
    """What the durable Redis told. circuits: of providers that were called within 7 days. models: circuits of all that
    are configured. probes: the latest of each. calls: today's counters of
    `count_call`. Money in micro-dollars by period.
    """

    circuits: tuple[Circuit, ...]
    models: tuple[Circuit, ...]
    probes: tuple[Probe, ...]
    calls: Mapping[str, int]
    spent_microusd: Mapping[str, int]
    stream_entries: Mapping[str, int]
    oldest_inbound_s: float
    last_cleanup_at_s: float
    locked_customers: int = 0


@dataclass(frozen=True, slots=True)
class View:
    """One look at everything; None for a server that did not answer in time."""

    postgresql: Database | None = None
    redis: Durable | None = None
    cache: Mapping[str, int] | None = None
    broker: Mapping[str, int] | None = None


class Sources:
    """The servers of one service, looked at side by side. intake_lock: the advisory lock of the active intake."""

    def __init__(
        self,
        engine: Engine,
        durable: redis.Redis,
        cache: redis.Redis,
        queue_lengths: QueueLengths,
        providers: Named,
        intake_lock: int,
    ) -> None:
        def look_at_database(connection: Connection) -> Database:
            holders = monitoring.lock_holders(connection)
            locked_s = max((holder.open_s or monitoring.LONG_OPEN_S for holder in holders), default=0.0)
            return Database(monitoring.unfinished(connection, intake_lock), monitoring.totals(connection), locked_s)

        self._postgresql = Lookout("postgresql", lambda: retry.run(engine, look_at_database, give_up_after_s=RETRY_S))
        self._redis = Lookout("redis", lambda: read_durable(durable, providers, time.time()))
        self._cache = Lookout("cache", lambda: read_cache_counts(cache, time.time()))
        self._broker = Lookout("broker", queue_lengths)

    def view(self) -> View:
        """What has answered before the patience is over."""
        postgresql, durable = self._postgresql.begin(), self._redis.begin()
        cache, broker = self._cache.begin(), self._broker.begin()
        settle(postgresql, durable, cache, broker)
        return View(
            value_of("postgresql", postgresql),
            value_of("redis", durable),
            value_of("cache", cache),
            value_of("broker", broker),
        )


def read_durable(client: redis.Redis, providers: Named, now_s: float) -> Durable:
    """All of it in three round trips. now_s: seconds since 1970. Raises RedisError."""
    month, day = (time.strftime(form, time.gmtime(now_s)) for form in ("%Y-%m", "%Y-%m-%d"))
    with client.pipeline(transaction=False) as pipeline:
        for book in (month, day):
            pipeline.hget(BUDGET.key(book), "spent")
        for stream in (INBOUND, OUTBOUND, REJECTED):
            pipeline.xlen(stream.pattern)
        pipeline.xrange(INBOUND.pattern, count=1)
        pipeline.get(LAST_RUN.key(CLEANUP))
        pipeline.get(LOCKED_CUSTOMERS.pattern)
        pipeline.hgetall(CALL_COUNTS.key(day))
        for provider, _ in providers:
            pipeline.exists(CIRCUIT.key(provider))
        spent_month, spent_day, inbound, outbound, rejected, oldest, cleanup, locked, calls, *called = (
            pipeline.execute()
        )
    found = read_circuits(client, providers)
    known = set(compress((name for name, _ in providers), called))
    return Durable(
        circuits=tuple(circuit for circuit in found if not circuit.model and circuit.provider in known),
        models=tuple(circuit for circuit in found if circuit.model),
        probes=tuple(read_probes(client)),
        calls=counters(calls),
        spent_microusd={"month": int(spent_month or 0), "day": int(spent_day or 0)},
        stream_entries={"inbound": inbound, "outbound": outbound, "rejected": rejected},
        oldest_inbound_s=max(now_s - entry_time_s(oldest[0][0]), 0.0) if oldest else 0.0,
        last_cleanup_at_s=float(cleanup or 0),
        locked_customers=int(locked or 0),
    )


def read_cache_counts(client: redis.Redis, now_s: float) -> Mapping[str, int]:
    """Today's hits and misses by layer."""
    found: Any = client.hgetall(CACHE_COUNTS.key(time.strftime("%Y-%m-%d", time.gmtime(now_s))))
    return counters(found)


def counters(fields: Mapping[bytes, bytes]) -> Mapping[str, int]:
    """A hash of counters."""
    return {name.decode(): int(value) for name, value in fields.items()}


def entry_time_s(entry_id: bytes) -> float:
    """When an entry of a stream was added, in seconds since 1970: its id begins with the milliseconds."""
    return int(entry_id.split(b"-")[0]) / 1000
