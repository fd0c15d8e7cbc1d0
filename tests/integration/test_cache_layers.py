"""`chasqui cache`: hit rates and sizes by layer, and a flush that touches nothing but its layer."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
import redis
from helpers.basics import Servers
from helpers.command_line import run, urls_of

from worker.operate.snapshot import CacheLayer, read_cache_use
from worker.redisdb import cache as cache_layers
from worker.redisdb.cache import Cache, LayerSize, flush, read_size
from worker.redisdb.keys import CACHE_COUNTS, PRODUCT_SEARCH, SESSION

#: Keys that look like those of a layer and are none of it, or are of another.
OTHERS = ("session", "sessions:1", "my_session:1", "ai_response:session:1", "published:session:1", "whatsapp:inbound")


def fill(client: redis.Redis, sessions: int) -> None:
    """So many sessions of about 1 kB, and keys of all other kinds."""
    Cache(client).set_many(SESSION, {str(n): {"text": "x" * 1_000} for n in range(sessions)})
    for name in OTHERS:
        client.set(name, "1")


def test_stats(redis_client: redis.Redis) -> None:
    """Hits and misses as the cache has counted them, all keys, and their size from a sample."""
    fill(redis_client, 250)
    cache = Cache(redis_client)
    for names in (["1", "2", "3"], ["1", "nobody"]):
        cache.get_many(SESSION, names)
    cache.get_many(SESSION, ["the counts of a read travel with the next one"])
    used = {layer.name: layer for layer in read_cache_use(redis_client).layers}
    assert (used["session"], used["session"].hit_rate) == (CacheLayer("session", 4, 1), 80.0)
    size = read_size(redis_client, SESSION)
    assert size.keys == 250
    assert 250 * 1_000 < size.bytes < 250 * 2_000
    assert (read_size(redis_client, PRODUCT_SEARCH), used["product_search"].hit_rate) == (LayerSize(0, 0), None)


def test_flush(redis_client: redis.Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    """All keys of the layer, in batches; everything else stays."""
    monkeypatch.setattr(cache_layers, "STEP", 20)
    fill(redis_client, 250)
    told: list[int] = []
    assert flush(redis_client, SESSION, told.append) == 250
    assert sum(told) == 250
    assert len(told) > 5
    assert {key.decode() for key in redis_client.scan_iter()} == set(OTHERS)  # type: ignore[union-attr]
    assert flush(redis_client, SESSION, told.append) == 0


def test_the_command(tmp_path: Path, redis_client: redis.Redis, servers: Servers) -> None:
    """Stats as a table and as JSON; a flush asks, and does it only for a yes."""
    fill(redis_client, 3)
    redis_client.hset(CACHE_COUNTS.key(time.strftime("%Y-%m-%d", time.gmtime())), "ai_response:hits", 9)
    urls = urls_of(servers)
    layers = {layer["layer"]: layer for layer in json.loads(run(tmp_path, "cache", "--json", **urls).stdout)}
    assert set(layers) == {"session", "ai_response", "categories", "product_search"}
    assert (layers["session"]["keys"], layers["session"]["hit_rate"]) == (3, None)
    assert (layers["ai_response"]["hits"], layers["ai_response"]["hit_rate"]) == (9, 100.0)
    assert "100.0 %" in run(tmp_path, "cache", "stats", "ai_response", **urls).stdout
    refused = run(tmp_path, "cache", "flush", "session", stdin="n\n", **urls)
    assert (refused.returncode, redis_client.exists("session:1")) == (1, 1)
    assert "Delete the 3 keys of session?" in refused.stderr
    assert "3 keys of session deleted." in run(tmp_path, "cache", "flush", "session", stdin="y\n", **urls).stdout
    assert redis_client.exists("session:1", "sessions:1") == 1
    done = run(tmp_path, "cache", "flush", "ai_response", "--yes", "--json", **urls)
    assert json.loads(done.stdout) == {"layer": "ai_response", "deleted": 1}


@pytest.mark.parametrize("layer", ["ai_response", "session"])
def test_what_a_flight_has_brought_goes_with_the_replies(
    tmp_path: Path, redis_client: redis.Redis, servers: Servers, layer: str
) -> None:
    """At once, so that the next customer gets a new answer; a flight under way and who waits for it stay."""
    redis_client.mset({"ai_response:a": "{}", "flight:a": 'R{"source":"ai"}', "flight:b": "Ltoken", "flight:c": "R{}"})
    redis_client.rpush("parked:b", "{}")
    done = run(tmp_path, "cache", "flush", layer, "--yes", "--json", **urls_of(servers))
    assert json.loads(done.stdout)["deleted"] == (layer == "ai_response")
    left = {"flight:b", "parked:b"} | ({"ai_response:a", "flight:a", "flight:c"} if layer == "session" else set())
    assert {key.decode() for key in redis_client.scan_iter()} == left  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["flush"], 2, "flush needs a LAYER: session"),
        (["flush", "whatsapp"], 2, "whatsapp"),
        (["stats"], 1, "is CACHE_REDIS_URL right"),
    ],
)
def test_what_cannot_be_done(tmp_path: Path, servers: Servers, arguments: list[str], code: int, words: str) -> None:
    """Wrong usage, and a Redis that is away: one line without its password."""
    away = {"CACHE_REDIS_URL": "redis://:geheim@127.0.0.1:1/0"}
    done = run(tmp_path, "cache", *arguments, **urls_of(servers) | away)
    assert done.returncode == code
    assert words in done.stderr
    assert "geheim" not in done.stderr
