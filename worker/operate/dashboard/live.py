"""What the page shows out of Redis: circuits, the inbound stream, cache hits by layer."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import redis

from worker.providers.circuit_states import Circuit, Named, read_circuits
from worker.redisdb.keys import CACHE_COUNTS, INBOUND, LAYERS, REJECTED
from worker.telemetry.report import percent


@dataclass(frozen=True, slots=True)
class Streams:
    """Entries that intake has not finished, how long the oldest has been there, and payloads that were refused."""

    inbound: int
    oldest_s: float | None
    rejected: int


@dataclass(frozen=True, slots=True)
class Durable:
    """What the durable Redis knew at a moment."""

    at: datetime
    circuits: tuple[Circuit, ...]
    streams: Streams


@dataclass(frozen=True, slots=True)
class Layer:
    """Hits and misses of a cache layer, this day (UTC)."""

    name: str
    hits: int
    misses: int

    @property
    def wanted(self) -> int:
        """How often it was asked."""
        return self.hits + self.misses

    @property
    def hit_rate(self) -> float | None:
        """Percentage, None where nothing was looked for."""
        return percent(self.hits, self.wanted) if self.wanted else None


def read_durable(client: redis.Redis, providers: Named, wall_clock: Callable[[], float] = time.time) -> Durable:
    """Circuits of these providers and the streams, in two round trips."""
    circuits = tuple(read_circuits(client, providers))
    with client.pipeline(transaction=False) as pipeline:
        pipeline.xlen(INBOUND.pattern)
        pipeline.xrange(INBOUND.pattern, count=1)
        pipeline.xlen(REJECTED.pattern)
        inbound, oldest, rejected = pipeline.execute()
    now_s = wall_clock()
    oldest_s = max(now_s - int(oldest[0][0].split(b"-")[0]) / 1000, 0.0) if oldest else None
    return Durable(datetime.fromtimestamp(now_s, UTC), circuits, Streams(inbound, oldest_s, rejected))


def read_layers(client: redis.Redis, wall_clock: Callable[[], float] = time.time) -> tuple[Layer, ...]:
    """The counters of the cache Redis for this day."""
    today = time.strftime("%Y-%m-%d", time.gmtime(wall_clock()))
    counts: Any = client.hgetall(CACHE_COUNTS.key(today))

    def count(name: str) -> int:
        return int(counts.get(name.encode(), 0))

    return tuple(Layer(layer.name, count(f"{layer.name}:hits"), count(f"{layer.name}:misses")) for layer in LAYERS)
