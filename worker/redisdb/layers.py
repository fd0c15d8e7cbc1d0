"""Cache layers for operators: hits, size, and flush. Keys are walked with SCAN in small steps, so that a busy Redis is
not held up.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

import redis

from worker.redisdb.keys import CACHE_COUNTS, FLIGHT, Key

#: KEYS: flight:{key} of any number; deletes those that hold a result ("R" .., see flight.lua) -> how many.
FORGET_RESULTS = """
local gone = 0
for _, key in ipairs(KEYS) do
    if redis.call('GETRANGE', key, 0, 0) == 'R' then gone = gone + redis.call('DEL', key) end
end
return gone
"""
#: Keys looked at in one step, and deleted in one round trip.
STEP = 1_000
#: Keys whose memory is measured; SCAN gives them in no order, so the first ones are as good as any.
SAMPLE = 100


@dataclass(frozen=True, slots=True)
class LayerStats:
    """Figures of a cache layer. hits, misses: since midnight (UTC). bytes: of all keys, estimated from a sample."""

    layer: str
    hits: int
    misses: int
    keys: int
    bytes: int

    @property
    def hit_rate(self) -> float | None:
        """Percentage rounded to 0.1; None where nothing was looked for."""
        wanted = self.hits + self.misses
        return round(100 * self.hits / wanted, 1) if wanted else None

    def to_dict(self) -> dict[str, Any]:
        """Returns the JSON form."""
        return asdict(self) | {"hit_rate": self.hit_rate}


def read_stats(client: redis.Redis, layer: Key) -> LayerStats:
    """Counts the layer's keys and measures some of them. Raises RedisError."""
    counts: Any = client.hgetall(CACHE_COUNTS.key(time.strftime("%Y-%m-%d", time.gmtime())))
    hits, misses = (int(counts.get(f"{layer.name}:{what}".encode(), 0)) for what in ("hits", "misses"))
    keys, sample = 0, list[bytes]()
    for batch in key_batches(client, layer):
        keys += len(batch)
        sample += batch[: SAMPLE - len(sample)]
    return LayerStats(layer.name, hits, misses, keys, round(_mean_bytes(client, sample) * keys))


def _mean_bytes(client: redis.Redis, sample: list[bytes]) -> float:
    with client.pipeline(transaction=False) as pipeline:
        for key in sample:
            pipeline.memory_usage(key)
        # A key that has expired meanwhile has no size.
        sizes = [int(size) for size in pipeline.execute() if size]
    return sum(sizes) / max(len(sizes), 1)


def key_batches(client: redis.Redis, layer: Key) -> Iterator[list[bytes]]:
    """Walks the keys of a layer, some at a time. Raises RedisError."""
    cursor = 0
    while True:
        found: Any = client.scan(cursor, match=layer.key("*"), count=STEP)
        cursor, keys = found
        yield keys
        if cursor == 0:
            return


def flush(client: redis.Redis, layer: Key, on_batch: Callable[[int], None]) -> int:
    """Deletes the keys of a layer; returns how many, and calls `on_batch` with each part. Raises RedisError."""
    deleted = 0
    for keys in key_batches(client, layer):
        if keys:
            gone: Any = client.unlink(*keys)
            deleted += gone
            on_batch(len(keys))
    return deleted


def forget_results(durable: redis.Redis) -> int:
    """Deletes the results that single flight keeps, and no lead under way; returns how many. Raises RedisError."""
    script = durable.register_script(FORGET_RESULTS)
    return sum(int(script(keys=keys)) for keys in key_batches(durable, FLIGHT) if keys)
