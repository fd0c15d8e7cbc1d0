"""Cache layers on the cache Redis: their values, counters of hits and misses, size, and emptying them."""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from threading import Lock
from typing import Any, TypeVar

import msgspec
import orjson
import redis
from redis.exceptions import RedisError

from worker.log import logger
from worker.redisdb.keys import CACHE_COUNTS, REPLY_LIMIT, SESSION, Key
from worker.units import utc_day

Entry = TypeVar("Entry")
#: Name of a command of Redis, and its arguments.
Command = tuple[Any, ...]
log = logger(__name__)
COUNT_ONCE_MORE = Path(__file__).with_name("count.lua").read_text(encoding="utf-8")
#: Keys looked at in one step, and deleted in one round trip.
STEP = 1_000
#: Keys whose memory is measured; SCAN gives them in no order, so the first ones are as good as any.
SAMPLE = 100


class Cache:
    """Cache of JSON values. Where Redis is away, reads are misses and writes are dropped, and for a cooldown it is not
    asked, so that its absence costs one timeout and not one per call.
    """

    AWAY_S = 2.0

    def __init__(self, client: redis.Redis, clock: Callable[[], float] = time.monotonic) -> None:
        self._client = client
        self._clock = clock
        self._away_until = 0.0
        self._counts: Counter[str] = Counter()
        self._lock = Lock()

    def get_many(self, layer: Key, names: Sequence[str], *, keep: bool = False) -> dict[str, Any]:
        """Returns the values found, by name, in one round trip; what is no JSON object, or empty, counts as absent.

        Args:
            keep: renews the time to live of what is found, so that what is in use stays.
        """
        return self.get_counted(layer, names, layer, (), keep=keep)[0]

    def get_counted(
        self, layer: Key, names: Sequence[str], counter: Key, counted: Sequence[str], *, keep: bool = False
    ) -> tuple[dict[str, Any], dict[str, int]]:
        """Does as `get_many`, and tells how often `set_counted` has counted each of `counted`, in one round trip."""
        wanted = [("MGET", *map(family.key, of)) for family, of in ((layer, names), (counter, counted)) if of]
        answers = self._execute([*wanted, *(_renewal(layer, name) for name in names if keep)], layer)
        counts = zip(counted, answers[len(wanted) - 1] if answers else (), strict=False)
        return self._found(layer, names, answers), {name: int(raw) for name, raw in counts if raw is not None}

    def renew(self, layer: Key, names: Sequence[str]) -> set[str] | None:
        """Renews the time to live of values, in one round trip, counting as no look. Returns the names that there are;
        None while Redis is away.
        """
        if not names:
            return set()
        answers = self._execute([_renewal(layer, name) for name in names], layer)
        return {name for name, there in zip(names, answers, strict=True) if there} if answers else None

    def _found(self, layer: Key, names: Sequence[str], answers: Sequence[Any]) -> dict[str, Any]:
        if not names:
            return {}
        decoded = {name: _decoded(raw) for name, raw in zip(names, answers[0] if answers else (), strict=False)}
        found = {name: value for name, value in decoded.items() if value}
        self.count(f"{layer.name}:hits", len(found))
        self.count(f"{layer.name}:misses", len(names) - len(found))
        return found

    def count(self, name: str, number: int = 1) -> None:
        """Adds to today's counters, with the next round trip."""
        with self._lock:
            self._counts[name] += number

    def set_many(self, layer: Key, values: Mapping[str, Any]) -> None:
        """Stores values by name with the layer's time to live, in one round trip."""
        self.set_counted(layer, values, layer, ())

    def set_counted(self, layer: Key, values: Mapping[str, Any], counter: Key, counted: Sequence[str]) -> None:
        """Does as `set_many`, and counts each of `counted`; a counter lives from its first count on."""
        stored = [("SET", layer.key(name), orjson.dumps(value), "EX", layer.ttl_s) for name, value in values.items()]
        counts = [("EVAL", COUNT_ONCE_MORE, 1, counter.key(name), counter.ttl_s) for name in counted]
        self._execute([*stored, *counts] if stored else [], layer)

    def move_counts(self, counter: Key, moved: Sequence[tuple[str, str]]) -> None:
        """Adds what was counted of the first of each two names to the second."""
        counts = self._execute([("GET", counter.key(gone)) for gone, _ in moved], SESSION)
        self._execute(list(moving_counts(counter, moved, counts)) if counts else [], SESSION)

    def delete(self, *keys: str) -> None:
        """Deletes keys of any layer; without Redis they end by themselves."""
        self._execute([("DEL", *keys)] if keys else [], SESSION)

    def _execute(self, commands: Sequence[Command], layer: Key) -> list[Any]:
        """Returns the answers to commands, whose round trip also carries the counts made so far; none while Redis is
        away.
        """
        if not commands or self._clock() < self._away_until:
            return []
        with self._lock:
            counts, self._counts = self._counts, Counter()
        key = CACHE_COUNTS.key(utc_day())
        counting: list[Command] = [("HINCRBY", key, name, number) for name, number in counts.items()]
        pipeline: Any = self._client.pipeline(transaction=False)
        for command in (*commands, *counting, *([("EXPIRE", key, CACHE_COUNTS.ttl_s)] if counting else ())):
            pipeline.execute_command(*command)
        try:
            answers: list[Any] = pipeline.execute()[: len(commands)]
        except RedisError as exc:
            log.warning("cache_unavailable", layer=layer.name, error=type(exc).__name__)
            self._away_until = self._clock() + self.AWAY_S
            with self._lock:
                self._counts.update(counts)
            return []
        return answers


def moving_counts(counter: Key, moved: Sequence[tuple[str, str]], counts: Sequence[bytes | None]) -> Iterator[Command]:
    """Yields commands that add counts of the first of each two names to the second, where there are any."""
    for (gone, kept), count in zip(moved, counts, strict=True):
        if count:
            yield "DEL", counter.key(gone)
            yield "INCRBY", counter.key(kept), int(count)
            yield _renewal(counter, kept)


def _renewal(family: Key, name: str) -> Command:
    return "EXPIRE", family.key(name), family.ttl_s


def entries(found: Mapping[str, Any], kind: type[Entry]) -> dict[str, Entry]:
    """Converts cached values to a Struct; one that another version has written in another form counts as absent."""
    converted: dict[str, Entry] = {}
    for name, value in found.items():
        try:
            converted[name] = msgspec.convert(value, kind)
        except msgspec.ValidationError as exc:
            log.warning("cache_entry_unreadable", kind=kind.__name__, error=type(exc).__name__)
    return converted


def _decoded(raw: bytes | None) -> dict[str, Any] | None:
    with suppress(orjson.JSONDecodeError):
        value = orjson.loads(raw or b"")
        return value if isinstance(value, dict) else None
    return None


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
    """Yields the keys of a family, up to STEP at a time. They are walked with SCAN in small steps, so that a busy Redis
    is not held up. Raises RedisError, as `read_size` and `flush` do.
    """
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


def forget_reply_limits(cache: redis.Redis, phones: Sequence[str]) -> None:
    """Begins the count of an hour's replies anew: a customer who had all of them would be silenced again at once. A
    cache Redis that does not answer limits nobody.
    """
    if phones:
        with suppress(RedisError):
            cache.delete(*map(REPLY_LIMIT.key, phones))
