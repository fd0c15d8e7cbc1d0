"""A Redis Cluster in both roles: caches over all nodes, scripts in one slot each, slots that move."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Event, Thread
from typing import Any

import orjson
import pytest
import redis
from helpers.basics import GUARD_S
from helpers.factories import ANA
from helpers.redis_cluster import RunningCluster, redis_cluster
from helpers.redis_group import PASSWORD
from helpers.service import says, webhook
from redis.crc import key_slot
from sqlalchemy import Connection, Engine, text

from worker.celery_ext.active_beat import Lease
from worker.devkit.gateway import Gateway
from worker.errors import ConfigurationError, RedisNotSwept
from worker.intake.intake import Intake
from worker.intake.sweep import Sweep
from worker.operate.doctor import redis_servers
from worker.operate.doctor.finding import State
from worker.operate.erasure import CustomerEntries, Erasure
from worker.operate.snapshot import read_redis, read_streams
from worker.providers.circuit import CircuitBreaker
from worker.providers.circuit_rules import Permit
from worker.providers.single_flight import EndRequest, JoinRequest, SingleFlight, forget_results
from worker.redisdb import streams as streams_module
from worker.redisdb.cache import flush, read_size
from worker.redisdb.cluster import ClusterRedis
from worker.redisdb.coalescing import CoalescingRedis
from worker.redisdb.connect import connect_durable
from worker.redisdb.keys import FLIGHT, INBOUND, OUTBOUND, PRODUCT_SEARCH, REJECTED, RUN_ID, SESSION, beside
from worker.redisdb.streams import Entry
from worker.runtime.embedded.processes import wait_until
from worker.runtime.error_reasons import is_refused, reason_of
from worker.settings import Settings, read_settings
from worker.steps.services import Services, build

NAMES = [f"term {number}" for number in range(60)]


class Nowhere:
    """A chain that takes turns and has no end."""

    def start(self, turns: Any) -> None:
        """Turns to start."""

    def waiting(self) -> int:
        """Nothing waits."""
        return 0


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCluster]:
    """Three masters."""
    with redis_cluster(tmp_path_factory.mktemp("cluster"), replicas=False) as running:
        yield running


@pytest.fixture
def configured(cluster: RunningCluster, settings_here: Settings) -> Settings:
    """Settings that name the cluster for both roles."""
    urls = {"DATABASE_URL": settings_here.required("database_url"), "REDIS_URL": cluster.url}
    return read_settings(urls | {"BROKER_URL": settings_here.required("redis_url")})


@pytest.fixture
def durable(configured: Settings) -> Iterator[redis.Redis]:
    """A client of the empty cluster."""
    with connect_durable(configured) as client:
        client.flushall()
        yield client


@pytest.fixture
def services(configured: Settings, durable: redis.Redis, engine: Engine) -> Iterator[Services]:
    """Services on the empty cluster."""
    assert durable
    assert engine
    made = build(configured)
    yield made
    made.engine.dispose()
    made.redis.close()


def test_a_cache_layer_is_spread_over_the_nodes(
    services: Services, durable: redis.Redis, cluster: RunningCluster
) -> None:
    """Read, written, counted, measured and emptied as on one Redis."""
    services.cache.set_many(PRODUCT_SEARCH, {name: {"name": name} for name in NAMES})
    assert services.cache.get_many(PRODUCT_SEARCH, [*NAMES, "absent"], keep=True) == {n: {"name": n} for n in NAMES}
    assert len({cluster.master_of(PRODUCT_SEARCH.key(name)) for name in NAMES}) == 3
    assert 0 < durable.ttl(PRODUCT_SEARCH.key(NAMES[0])) <= (PRODUCT_SEARCH.ttl_s or 0)
    size = read_size(durable, PRODUCT_SEARCH)
    assert size.keys == len(NAMES)
    assert size.bytes > len(NAMES) * 20
    services.cache.delete(*(PRODUCT_SEARCH.key(name) for name in NAMES[:9]))
    assert flush(durable, PRODUCT_SEARCH, lambda _deleted: None) == len(NAMES) - 9
    assert services.cache.get_many(PRODUCT_SEARCH, NAMES) == {}


def test_a_batch_is_one_round_trip_to_each_node(durable: redis.Redis, cluster: RunningCluster) -> None:
    """Whatever the number of keys."""
    durable.mget(NAMES)

    def round_trips() -> int:
        # Reads of sockets that brought something; the question itself is one.
        return sum(int(cluster.ask(port, "INFO", "stats")["total_reads_processed"]) for port in cluster.servers)

    before = round_trips()
    between = round_trips()
    durable.mget(NAMES)
    after = round_trips()
    assert (after - between) - (between - before) <= 3 + 6


def test_replies_are_published_once_by_an_unchanged_promise(services: Services, durable: redis.Redis) -> None:
    """Stream, ids and the note of the run lie in one slot."""
    replies = [{"reply_id": "one"}, {"reply_id": "two"}]
    assert services.streams.publish(replies) == 2
    assert services.streams.publish([*replies, {"reply_id": "three"}]) == 1
    assert services.streams.publish_orders([{"event_id": "one"}]) == 1
    assert [orjson.loads(fields[b"payload"])["reply_id"] for _, fields in durable.xrange(OUTBOUND.pattern)] == [
        "one",
        "two",
        "three",
    ]
    assert key_slot(b"published:{whatsapp:outbound}:one") == key_slot(OUTBOUND.pattern.encode())
    assert durable.exists("published:one", "published:absent") == 1


def test_a_node_that_was_exchanged_is_swept_first(
    services: Services, durable: redis.Redis, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a Redis that has restarted."""
    sweep = Sweep(services, lambda _turns: None)
    sweep.once(connection)
    assert services.streams.publish([{"reply_id": "before"}]) == 1
    durable.set(beside(RUN_ID, OUTBOUND), "0" * 40)
    monkeypatch.setattr(streams_module, "SWEEP_PATIENCE_S", 0.2)
    with pytest.raises(RedisNotSwept):
        services.streams.publish([{"reply_id": "after"}])
    assert services.streams.publish_orders([{"event_id": "other stream"}]) == 1
    sweep.once(connection)
    assert services.streams.publish([{"reply_id": "after"}]) == 1


def test_circuits_flights_and_money(services: Services, durable: redis.Redis) -> None:
    """Each script finds its keys, also where threads share round trips."""
    shared = CoalescingRedis(durable)
    flights = SingleFlight(shared, 60.0)
    joins = [JoinRequest(f"key{n % 4}", f"token{n}", orjson.dumps({"n": n}), 30.0) for n in range(8)]
    assert [each.role for each in flights.join(joins)] == ["lead"] * 4 + ["parked"] * 4
    ended = flights.end([EndRequest(f"key{n}", f"token{n}", b"{}") for n in range(4)])
    assert [orjson.loads(parked[0])["n"] for parked in ended] == [4, 5, 6, 7]
    assert flights.join(joins[:1])[0].role == "result"
    assert sorted(durable.scan_iter(FLIGHT.key("*"))) == [f"flight:key{n}".encode() for n in range(4)]
    assert forget_results(durable) == 4
    breaker = CircuitBreaker(shared, on_change=lambda _change: None)
    permit = breaker.permit("gpt", "me", ["gpt-5"])
    assert isinstance(permit, Permit)
    assert breaker.force("gpt", "open", "gpt-5") == "forced_open"
    assert [circuit.state for circuit in read_redis(durable, [("gpt", ["gpt-5"])]).models] == ["forced_open"]
    services.budget.add(1_000)
    assert services.budget.over_limit([ANA, "549110"]) == frozenset()


def test_a_customer_is_found_on_every_node(services: Services, durable: redis.Redis, connection: Connection) -> None:
    """What Redis holds of one is erased, in each kind of key, and nothing of others."""
    other = "5491100000099"
    flights = SingleFlight(durable, 60.0)
    parked = orjson.dumps({"customer_phone": ANA})
    flights.join([JoinRequest("key", "leader", b"{}", 30.0), JoinRequest("key", "waiting", parked, 30.0)])
    assert CustomerEntries(durable, {ANA}).leads() == {"leader": "key"}
    for phone in (ANA, other):
        services.cache.set_many(SESSION, {phone: {"state": "browsing"}})
        services.streams.send(webhook(says(f"wamid.{phone}", phone, "hola")))
        services.streams.publish([{"reply_id": phone, "to": phone, "text": "hola"}])
        services.streams.reject(orjson.dumps({"from": phone}), "no reason")
    removed = Erasure(connection, durable, durable, ANA).run(10.0)
    found = ("inbound", "outbound", "rejected", "parked", "redis_keys")
    assert {name: removed[name] for name in found} == dict.fromkeys(found, 1)
    assert (durable.xlen(INBOUND.pattern), durable.xlen(OUTBOUND.pattern), durable.xlen(REJECTED.pattern)) == (1, 1, 1)
    assert list(services.cache.get_many(SESSION, [ANA, other])) == [other]


def test_threads_share_round_trips(durable: redis.Redis) -> None:
    """Each gets its own answer, whatever node it comes from."""
    shared = CoalescingRedis(durable)
    ignored = shared.fire_and_forget()

    def ask(number: int) -> list[Any]:
        ignored.incr("ignored")
        return [shared.set(f"n{number}", number), shared.get(f"n{number}")]

    with ThreadPoolExecutor(16) as threads:
        answers = list(threads.map(ask, range(300)))
    assert answers == [[True, str(number).encode()] for number in range(300)]
    assert shared.get("ignored") == b"300"


def test_the_intake_reads_and_refuses_once(services: Services, durable: redis.Redis, connection: Connection) -> None:
    """What is refused is kept in another slot than the entry lies in, and not kept twice when the entry comes again."""
    gateway, stop = Gateway(durable), Event()
    gateway.send(*(webhook(says(f"wamid.{n}", f"54911{n:08}", "hola")) for n in range(20)), "no JSON")
    intake = Thread(target=Intake(services, Nowhere(), stop).run)
    intake.start()
    try:
        count = text("select count(*) from messages")
        assert wait_until(lambda: connection.execute(count).scalar_one() == 20, GUARD_S)
        assert wait_until(lambda: read_streams(durable).inbound == 0, GUARD_S)
    finally:
        stop.set()
        intake.join()
    assert [entry.stream for entry in gateway.follow(0.6)] == [REJECTED.pattern]
    entry = Entry(b"9-0", b"again", {})
    for _ in range(2):
        services.streams.finish([entry], [(entry, "first"), (entry, "second")])
    assert durable.xlen(REJECTED.pattern) == 3


def test_a_script_that_nodes_do_not_know_is_loaded_into_all(durable: redis.Redis) -> None:
    """Also where many threads meet with it at once, and load it in one round trip with what others ask."""
    assert isinstance(durable, ClusterRedis)
    shared = CoalescingRedis(durable)
    script = shared.register_script("return {KEYS[1], ARGV[1]}")
    for _ in range(3):
        for node in durable.primaries():
            node.redis_connection.script_flush()
        with ThreadPoolExecutor(16) as threads:
            answers = list(threads.map(lambda n: script(keys=[f"key{n}"], args=[n]), range(100)))
        assert answers == [[f"key{n}".encode(), str(n).encode()] for n in range(100)]


def test_one_beat_is_active(durable: redis.Redis) -> None:
    """Its lease is a lock on one node."""
    first, second = (Lease(durable, "beat", 60.0) for _ in range(2))
    assert [first.take(), second.take(), first.take()] == [True, False, True]
    first.drop()
    assert second.take()
    second.drop()


def test_slots_that_move_are_followed(services: Services, durable: redis.Redis, cluster: RunningCluster) -> None:
    """Of a stream with its ids, of a key in a batch; nothing is lost, nothing published twice."""
    services.streams.publish([{"reply_id": "one"}])
    services.streams.create_group()
    services.cache.set_many(PRODUCT_SEARCH, {name: {"name": name} for name in NAMES})
    cluster.move_slot_of(OUTBOUND.pattern)
    cluster.move_slot_of(INBOUND.pattern)
    cluster.move_slot_of(PRODUCT_SEARCH.key(NAMES[7]))
    assert services.streams.publish([{"reply_id": "one"}, {"reply_id": "two"}]) == 1
    services.streams.send("{}")
    (entry,) = services.streams.read(pending=False, count=10)
    services.streams.finish([entry], [])
    assert len(services.cache.get_many(PRODUCT_SEARCH, NAMES)) == len(NAMES)


def test_a_slot_that_is_just_moving(durable: redis.Redis, cluster: RunningCluster) -> None:
    """Keys are asked for where they are: some have moved, some not yet, some are new."""
    here, there = "here:{moving}", "there:{moving}"
    durable.set(here, 1)
    durable.set(there, 2)
    source = cluster.master_of(here)
    target = cluster.other_master(source)
    cluster.begin_move(key_slot(b"moving"), source, target)
    cluster.move_keys(source, target, there)
    assert durable.mget([here, there, "new:{moving}"]) == [b"1", b"2", None]
    assert durable.set("new:{moving}", 3)
    assert durable.get("new:{moving}") == b"3"
    cluster.move_slot_of(here)
    assert durable.mget([here, there, "new:{moving}"]) == [b"1", b"2", b"3"]


def test_the_doctor_looks_at_every_master(configured: Settings, cluster: RunningCluster) -> None:
    """Each may be set otherwise, and lacks a replica here."""
    found = {each.check: each for each in redis_servers.examine(configured, [])}
    assert found["redis cluster"].found == "3 masters, 16384 of 16384 slots are served"
    for port in cluster.servers:
        assert found[f"redis persistence 127.0.0.1:{port}"].state == State.OK
        assert found[f"redis replicas 127.0.0.1:{port}"].state == State.WARNING
    assert found["inbound stream"].state == State.OK
    own = configured.model_copy(update={"cache_redis_url": configured.redis_url, "redis_url": configured.broker_url})
    (cache,) = [each for each in redis_servers.examine(own, []) if each.check == "cache"]
    assert "no limit" in cache.found


def test_what_is_no_cluster_is_told(settings_here: Settings) -> None:
    """A server that is none, a password that is wrong."""
    one = settings_here.required("redis_url").replace("redis://", "redis+cluster://")
    told = pytest.raises(redis.ConnectionError, match="Cluster mode is not enabled")
    with connect_durable(read_settings({"REDIS_URL": one})) as client, told:
        client.ping()
    with pytest.raises(ConfigurationError, match="one database"):
        connect_durable(read_settings({"REDIS_URL": "redis+cluster://one/1"}))


def test_a_wrong_password_is_no_reason_to_wait(cluster: RunningCluster) -> None:
    """It is refused at the start, and not shown."""
    url = cluster.url.replace(PASSWORD, "geheim")
    with connect_durable(read_settings({"REDIS_URL": url})) as client, pytest.raises(redis.RedisError) as caught:
        client.ping()
    assert is_refused(caught.value)
    assert reason_of(caught.value) == "it refuses the password"


def test_keys_of_several_slots_are_refused(durable: redis.Redis) -> None:
    """As the cluster itself would; a script that needs them is a mistake of ours."""
    assert isinstance(durable, ClusterRedis)
    with pytest.raises(redis.ResponseError, match="CROSSSLOT"):
        durable.eval("return 1", 2, "a", "b")
    with durable.pipeline(transaction=True) as pipeline:
        pipeline.set("a", 1)
        pipeline.set("b", 1)
        with pytest.raises(redis.ResponseError, match="CROSSSLOT"):
            pipeline.execute()
