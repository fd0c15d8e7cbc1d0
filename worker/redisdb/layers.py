"""Keys of a cache layer: their number and size, and emptying the layer. Keys are walked with SCAN in small steps, so
that a busy Redis is not held up. What is not said to do otherwise raises RedisError where Redis does not answer.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import redis
from redis.commands.core import Script
from redis.exceptions import RedisError

from worker.redisdb.keys import FLIGHT, REPLY_LIMIT, Key

FORGET_RESULTS = Path(__file__).with_name("forget_results.lua").read_text(encoding="utf-8")
#: Keys looked at in one step, and deleted in one round trip.
STEP = 1_000
#: Keys whose memory is measured; SCAN gives them in no order, so the first ones are as good as any.
SAMPLE = 100


@dataclass(frozen=True, slots=True)
class LayerSize:
    """Size of a cache layer; the bytes of all its keys are estimated from a sample."""

    keys: int
    bytes: int


def read_size(client: redis.Redis, layer: Key) -> LayerSize:
    """Counts the layer's keys and measures some of them."""
    keys, sample = 0, list[bytes]()
    for batch in key_batches(client, layer):
        keys += len(batch)
        sample += batch[: SAMPLE - len(sample)]
    with client.pipeline(transaction=False) as pipeline:
        for key in sample:
            pipeline.memory_usage(key)
        # A key that has expired meanwhile has no size.
        sizes = [int(size) for size in pipeline.execute() if size]
    return LayerSize(keys, round(sum(sizes) / max(len(sizes), 1) * keys))


def key_batches(client: redis.Redis, family: Key) -> Iterator[list[bytes]]:
    """Yields the keys of a family, up to STEP at a time."""
    found: Iterator[Any] = iter(client.scan_iter(match=family.key("*"), count=STEP))
    while batch := list(islice(found, STEP)):
        yield batch


def flush(client: redis.Redis, layer: Key, on_deleted: Callable[[int], None]) -> int:
    """Deletes the keys of a layer; returns how many. `on_deleted` is called with the size of each batch."""
    deleted = 0
    for keys in key_batches(client, layer):
        gone: Any = client.unlink(*keys)
        deleted += gone
        on_deleted(len(keys))
    return deleted


def forget_results(durable: redis.Redis) -> int:
    """Deletes the results that single flights keep for late comers, and no lead that is under way; returns how many."""
    script = durable.register_script(FORGET_RESULTS)
    return sum(_in_one_trip(durable, script, keys) for keys in key_batches(durable, FLIGHT))


def forget_reply_limits(cache: redis.Redis, phones: Sequence[str]) -> None:
    """Begins the count of an hour's replies anew: a customer who had all of them would be silenced again at once. A
    cache Redis that does not answer limits nobody.
    """
    if phones:
        with suppress(RedisError):
            cache.delete(*map(REPLY_LIMIT.key, phones))


def _in_one_trip(durable: redis.Redis, script: Script, keys: list[bytes]) -> int:
    with durable.pipeline(transaction=False) as pipeline:
        for key in keys:
            script(keys=[key], client=pipeline)
        return sum(map(int, pipeline.execute()))
