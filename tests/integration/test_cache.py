"""The cache manager over a real Redis, and without one."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import redis
from helpers.away import absent_redis, come_back
from helpers.basics import Servers

from worker.redisdb.cache import Cache
from worker.redisdb.keys import AI_RESPONSE, CACHE_COUNTS, CATEGORIES, LAYERS, PRODUCT_SEARCH, REPLY_LIMIT, SESSION, Key

VALUE = {"version": 3, "text": "ñandú 😀", "list": [1, 2.5, None]}


@dataclass
class Clock:
    """Seconds that pass when the test says so."""

    now: float = 100.0

    def __call__(self) -> float:
        """The time."""
        return self.now


@pytest.fixture
def cache(redis_client: redis.Redis) -> Cache:
    """A cache on the empty Redis."""
    return Cache(redis_client)


def counts(client: redis.Redis) -> dict[str, int]:
    """Today's hits and misses as they stand in Redis."""
    found: Any = client.hgetall(CACHE_COUNTS.key(time.strftime("%Y-%m-%d", time.gmtime())))
    return {name.decode(): int(number) for name, number in found.items()}


def round_trips(client: redis.Redis, work: Callable[[], object]) -> int:
    """How often Redis had to read from a socket for `work`; the second look at the figures is one more."""
    before = client.info("stats")["total_reads_processed"]
    work()
    return int(client.info("stats")["total_reads_processed"] - before - 1)


@pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: layer.name)
def test_what_is_stored_is_found(cache: Cache, layer: Key) -> None:
    """In every layer, by name; what was not stored is left out."""
    cache.set_many(layer, {"a": VALUE, "b": {"version": 4}})
    assert cache.get_many(layer, ["a", "absent", "b"]) == {"a": VALUE, "b": {"version": 4}}


@pytest.mark.parametrize(
    ("layer", "name", "key", "ttl_s"),
    [
        (SESSION, "5491100000001", "session:5491100000001", 7_200),
        (AI_RESPONSE, "ab" * 32, "ai_response:" + "ab" * 32, 86_400),
        (CATEGORIES, "all", "categories:all", 1_800),
        (PRODUCT_SEARCH, "leche entera", "product_search:leche entera", 900),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_keys_and_times_to_live_are_the_contracts(
    cache: Cache, redis_client: redis.Redis, layer: Key, name: str, key: str, ttl_s: int
) -> None:
    """Operators look at them under these names; nothing stays for ever."""
    cache.set_many(layer, {name: VALUE})
    ttl: Any = redis_client.ttl(key)
    assert ttl_s - 5 <= ttl <= ttl_s
    assert redis_client.type(key) == b"string"


def test_many_names_are_one_round_trip(cache: Cache, redis_client: redis.Redis) -> None:
    """Writing and reading alike, the counts of earlier looks included."""
    names = [str(number) for number in range(50)]
    assert round_trips(redis_client, lambda: cache.set_many(SESSION, dict.fromkeys(names, VALUE))) == 1
    cache.get_many(SESSION, ["absent"])
    assert round_trips(redis_client, lambda: cache.get_many(SESSION, names)) == 1
    assert round_trips(redis_client, lambda: cache.set_many(SESSION, {"a": VALUE})) == 1
    assert counts(redis_client) == {"session:hits": 50, "session:misses": 1}


def test_what_is_in_use_is_kept(cache: Cache, redis_client: redis.Redis) -> None:
    """A look that keeps gives what it finds the whole time to live again, in the same round trip; another does not."""
    cache.set_many(AI_RESPONSE, {"a": VALUE, "b": VALUE})
    for name in "ab":
        redis_client.expire(AI_RESPONSE.key(name), 60)
    assert round_trips(redis_client, lambda: cache.get_many(AI_RESPONSE, ["a", "gone"], keep=True)) == 1
    cache.get_many(AI_RESPONSE, ["b"])
    left_s = [redis_client.ttl(AI_RESPONSE.key(name)) for name in ("a", "b", "gone")]
    assert left_s[0] > (AI_RESPONSE.ttl_s or 0) - 60
    assert left_s[1] <= 60
    assert left_s[2] == -2


def test_nothing_asked_is_no_round_trip(cache: Cache, redis_client: redis.Redis) -> None:
    """An empty batch costs nothing."""
    assert round_trips(redis_client, lambda: cache.get_many(SESSION, [])) == 0
    assert round_trips(redis_client, lambda: cache.set_many(SESSION, {})) == 0


def test_counts_are_kept_by_layer_and_do_not_stay_for_ever(cache: Cache, redis_client: redis.Redis) -> None:
    """They reach Redis with the next call, each once."""
    cache.set_many(AI_RESPONSE, {"a": VALUE})
    cache.get_many(AI_RESPONSE, ["a", "b", "c"])
    cache.get_many(SESSION, ["x"])
    for _ in range(3):
        cache.set_many(CATEGORIES, {"all": VALUE})
    assert counts(redis_client) == {
        "ai_response:hits": 1,
        "ai_response:misses": 2,
        "session:misses": 1,
        "session:hits": 0,
    }
    ttl: Any = redis_client.ttl(CACHE_COUNTS.key(time.strftime("%Y-%m-%d", time.gmtime())))
    assert 0 < ttl <= 8 * 86_400


@pytest.mark.parametrize("garbage", [b"", b"{", b"\xff\xfe", b"NaN", b"null", b"7", b'"x"', b"[1]", b"{}"])
def test_garbage_counts_as_absent(cache: Cache, redis_client: redis.Redis, garbage: bytes) -> None:
    """Whoever wrote it; what stands beside it is found."""
    redis_client.set(SESSION.key("bad"), garbage)
    cache.set_many(SESSION, {"good": VALUE})
    assert cache.get_many(SESSION, ["bad", "good"]) == {"good": VALUE}


def test_a_key_of_another_type_counts_as_absent(cache: Cache, redis_client: redis.Redis) -> None:
    """And is replaced by the next write."""
    redis_client.rpush(SESSION.key("bad"), "x")
    cache.set_many(SESSION, {"good": VALUE})
    assert cache.get_many(SESSION, ["bad", "good"]) == {"good": VALUE}
    cache.set_many(SESSION, {"bad": VALUE})
    assert cache.get_many(SESSION, ["bad"]) == {"bad": VALUE}


def test_an_absent_redis_is_left_alone_for_a_moment(redis_client: redis.Redis, servers: Servers) -> None:
    """Its absence costs one attempt and not one per call; then it is tried again."""
    Cache(redis_client).set_many(SESSION, {"a": VALUE})
    clock = Clock()
    with absent_redis() as client:
        cache = Cache(client, clock)
        assert cache.get_many(SESSION, ["a"]) == {}
        come_back(client, servers.redis_url)
        clock.now += Cache.AWAY_S - 0.001
        assert cache.get_many(SESSION, ["a"]) == {}
        clock.now += 0.001
        assert cache.get_many(SESSION, ["a"]) == {"a": VALUE}


def test_what_was_counted_meanwhile_is_not_lost(redis_client: redis.Redis, servers: Servers) -> None:
    """The misses of an absence are in the figures afterwards, each once."""
    clock = Clock()
    with absent_redis() as client:
        cache = Cache(client, clock)
        for _ in range(3):
            cache.get_many(SESSION, ["a", "b"])
            clock.now += Cache.AWAY_S
        come_back(client, servers.redis_url)
        cache.set_many(SESSION, {"a": VALUE})
        assert counts(redis_client) == {"session:hits": 0, "session:misses": 6}


def test_counts_that_ride_along_are_no_answers(cache: Cache, redis_client: redis.Redis) -> None:
    """Whatever else was counted before: what was counted of one customer is moved to another, and nothing more."""
    cache.set_counted(SESSION, {"549": VALUE}, REPLY_LIMIT, ["549", "549"])
    cache.count("misses of another layer")
    cache.move_counts(REPLY_LIMIT, [("549", "550"), ("551", "552")])
    found: Any = redis_client.mget([REPLY_LIMIT.key(name) for name in ("549", "550", "551", "552")])
    assert found == [None, b"2", None, None]
