"""Redis under three Sentinels, in both roles: whoever becomes the master is followed, and what he does not know of
replies comes back.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from threading import Event, Thread
from typing import Any

import kombu
import orjson
import pytest
import redis
from helpers.away import refusing_port
from helpers.basics import GUARD_S
from helpers.factories import ANA, answer
from helpers.redis_group import GROUP, OWN_PASSWORD, PASSWORD, RedisGroup, client, redis_group
from helpers.service import says, webhook
from helpers.turns import decided
from msgspec import to_builtins
from msgspec.structs import asdict
from redis.exceptions import RedisError
from sqlalchemy import Connection, Engine, text

from db import queries
from worker.app import make_app
from worker.celery_ext.broker import broker_of
from worker.errors import ConfigurationError
from worker.intake.intake import Intake
from worker.intake.sweep import Sweep
from worker.operate.doctor import redis_servers
from worker.operate.doctor.finding import State
from worker.redisdb.coalescing import CoalescingRedis
from worker.redisdb.connect import connect_durable
from worker.redisdb.keys import INBOUND, OUTBOUND, SESSION
from worker.redisdb.sentinel import LOOK_EVERY_S, MasterConnection, Sentinels
from worker.redisdb.streams import GROUP as CONSUMERS
from worker.runtime.embedded.processes import wait_until
from worker.runtime.environment import environment
from worker.session.outcome import StoredOutcome
from worker.settings import Settings, read_settings
from worker.steps.services import Services, build

#: A new master has been found by then (contract P12: 30 s).
RECOVERY_S = 30.0


class Nowhere:
    """A chain that takes turns and has no end."""

    def start(self, turns: Any) -> None:
        """Turns to start."""

    def waiting(self) -> int:
        """Nothing waits."""
        return 0


@pytest.fixture
def group(tmp_path: Path) -> Iterator[RedisGroup]:
    """Servers of this test alone, since it breaks them."""
    with redis_group(tmp_path) as running:
        yield running


@pytest.fixture(scope="module")
def steady(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisGroup]:
    """Servers that nobody breaks."""
    with redis_group(tmp_path_factory.mktemp("steady")) as running:
        yield running


@pytest.fixture
def configured(group: RedisGroup, settings_here: Settings) -> Settings:
    """Settings that name the group for both roles."""
    return read_settings({"DATABASE_URL": settings_here.required("database_url"), **group.settings})


@pytest.fixture
def services(configured: Settings, engine: Engine) -> Iterator[Services]:
    """Services on the group."""
    assert engine
    made = build(configured)
    yield made
    made.engine.dispose()
    made.redis.close()


def until_it_works(act: Callable[[], object]) -> float:
    """Repeats until no error comes; returns after how many seconds that was."""
    began = time.monotonic()

    def works() -> bool:
        try:
            act()
        except RedisError:
            return False
        return True

    assert wait_until(works, GUARD_S)
    return time.monotonic() - began


def published(server: redis.Redis) -> list[str]:
    """Reply ids in the order of the outbound stream."""
    entries: Any = server.xrange(OUTBOUND.pattern)
    return [orjson.loads(fields[b"payload"])["reply_id"] for _, fields in entries]


def answered(connection: Connection, message_id: str) -> dict[str, Any]:
    """A reply that is committed, and not yet published."""
    figures = to_builtins(StoredOutcome(**asdict(decided()), complexity="low"))
    token = answer(connection, message_id, outcome=figures)["token"]
    connection.commit()
    found = connection.execute(text("select reply from messages where reply_id = :id"), {"id": token}).scalar_one()
    connection.commit()
    return dict(found)


def test_a_dead_master_is_followed_by_everybody(group: RedisGroup, services: Services, connection: Connection) -> None:
    """Streams, scripts, caches and commands that share a round trip go on with the replica; what the intake has not
    read is read there, and nothing twice.
    """
    shared = CoalescingRedis(services.redis)
    script = shared.register_script("return tonumber(ARGV[1]) + 1")
    stop = Event()
    intake = Thread(target=Intake(services, Nowhere(), stop).run)
    services.cache.set_many(SESSION, {ANA: {"state": "browsing"}})
    assert (shared.ping(), script(args=[1])) == (True, 2)
    intake.start()
    try:
        for number in range(50):
            phone = f"54911000{number:05}"
            services.streams.send(webhook(says(f"wamid.{number}", phone, "hola")))
        services.redis.wait(1, 2_000)
        dead = group.master()
        group.servers[dead].kill()
        recovered_s = until_it_works(lambda: services.streams.send(webhook(says("wamid.after", ANA, "hola"))))
        until_it_works(shared.ping)
        assert script(args=[2]) == 3
        count = text("select count(*) from messages")
        assert wait_until(lambda: connection.execute(count).scalar_one() == 51, GUARD_S)
    finally:
        stop.set()
        intake.join()
    assert services.cache.get_many(SESSION, [ANA]) == {ANA: {"state": "browsing"}}
    assert recovered_s < RECOVERY_S
    assert group.master() != dead
    groups: Any = services.redis.xinfo_groups(INBOUND.pattern)
    assert [row["name"] for row in groups] == [CONSUMERS.encode()]


@pytest.mark.long
def test_a_master_that_is_demoted_alive_is_left(group: RedisGroup, services: Services) -> None:
    """Nothing is restarted."""
    assert services.streams.publish([{"reply_id": "before"}]) == 1
    demoted = group.master()
    with client(group.sentinels[0], OWN_PASSWORD) as sentinel:
        sentinel.sentinel_failover(GROUP)
    group.wait_for_other_than(demoted)
    until_it_works(lambda: services.streams.publish([{"reply_id": "after"}]))
    assert published(services.redis) == ["before", "after"]
    assert group.servers[demoted].poll() is None


def test_a_connection_to_no_master_is_lost_and_made_anew(steady: RedisGroup, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sentinels that have not heard of it yet name the old one; where a command or a script meets with its refusal,
    they are asked again.
    """
    configured, named = read_settings(steady.settings), [steady.replica()]
    monkeypatch.setattr(Sentinels, "discover_master", lambda *_: ("127.0.0.1", named[-1]))
    monkeypatch.setattr(MasterConnection, "_told_by", lambda *_: iter(()))
    for script in (False, True):
        with connect_durable(configured, repeats=0) as durable:
            ask = (
                partial(durable.eval, "return redis.call('SET', 'a', 1)", 0) if script else partial(durable.set, "a", 1)
            )
            with pytest.raises(redis.ConnectionError, match=r"previous master|takes no writes"):
                ask()
            named.append(steady.master())
            assert ask()
            named.append(steady.replica())


def test_replies_that_no_replica_had_are_published_again(
    group: RedisGroup, services: Services, connection: Connection
) -> None:
    """From PostgreSQL, by the first sweep after the failover, before anything else; those it had are not doubled."""
    sweep = Sweep(services, lambda _turns: None)
    kept = answered(connection, "m1")
    services.streams.publish([kept])
    queries.record_metrics(connection, [])
    sweep.once(connection)
    sweep.once(connection)
    services.redis.wait(1, 2_000)
    replica = group.freeze_replica()
    lost = answered(connection, "m2")
    services.streams.publish([lost])
    marked = text("update messages set published_at = now() where reply_id is not null")
    connection.execute(marked)
    connection.commit()
    dead = group.master()
    group.servers[dead].kill()
    group.wake(replica)
    group.wait_for_other_than(dead)
    until_it_works(services.redis.ping)
    assert published(services.redis) == [kept["reply_id"]]
    sweep.once(connection)
    assert published(services.redis) == [kept["reply_id"], lost["reply_id"]]
    assert services.streams.publish([lost, {"reply_id": "next"}]) == 1


@pytest.mark.long
def test_a_writer_who_waits_for_a_replica_knows_what_may_be_lost(group: RedisGroup, configured: Settings) -> None:
    """WAIT after XADD says how many replicas have it; with min-replicas-to-write a master that is alone takes nothing,
    and so nothing that dies with it.
    """
    with connect_durable(configured) as gateway:
        gateway.xadd(INBOUND.pattern, {"payload": "{}"})
        assert gateway.wait(1, 2_000) == 1
        replica = group.freeze_replica()
        gateway.xadd(INBOUND.pattern, {"payload": "{}"})
        assert gateway.wait(1, 300) == 0
        gateway.config_set("min-replicas-max-lag", 1)
        gateway.config_set("min-replicas-to-write", 1)

        def is_refused() -> bool:
            try:
                gateway.xadd(INBOUND.pattern, {"payload": "{}"})
            except redis.ConnectionError as exc:
                return "NOREPLICAS" in str(exc)
            return False

        assert wait_until(is_refused, GUARD_S)
        group.wake(replica)
        until_it_works(lambda: gateway.xadd(INBOUND.pattern, {"payload": "{}"}))


@pytest.mark.long
def test_a_master_that_is_cut_off_is_left(tmp_path: Path) -> None:
    """Its clients still reach it; as it refuses what no replica gets, they find the one that the Sentinels made. So do
    Celery's.
    """
    guarded = ("min-replicas-to-write 1", "min-replicas-max-lag 10")
    with ExitStack() as stack:
        group = stack.enter_context(redis_group(tmp_path, *guarded, replicas=2))
        ours = stack.enter_context(connect_durable(read_settings(group.settings)))
        stack.enter_context(environment(group.settings))
        broker = stack.enter_context(stack.enter_context(make_app()).connection_for_write())
        queue = broker.default_channel.client
        ours.set("where", "here")
        queue.lpush("queue", "here")
        with group.cut_off() as parted:
            now = group.wait_for_other_than(parted)
            until_it_works(lambda: ours.set("where", "there"))
            until_it_works(lambda: queue.lpush("queue", "there"))
            with client(parted) as old, client(now) as new:
                assert (old.get("where"), new.get("where")) == (b"here", b"there")
                assert (old.llen("queue"), new.llen("queue")) == (1, 2)


@pytest.mark.long
def test_a_master_that_was_silent_for_a_moment_is_left(tmp_path: Path) -> None:
    """It wakes up as a second master: who asked it nothing meanwhile finds the new one all the same, soon; so does a
    connection that is never given back, as Celery's waits for tasks.
    """
    with ExitStack() as stack:
        group = stack.enter_context(redis_group(tmp_path, replicas=2))
        ours = stack.enter_context(connect_durable(read_settings(group.settings)))
        theirs = stack.enter_context(kombu_connection(group)).default_channel
        held = theirs.client
        assert held.ping()
        held.connection = held.connection_pool.get_connection()
        silent = group.master()
        ours.set("where", "here")
        group.servers[silent].send_signal(signal.SIGSTOP)
        now = group.wait_for_other_than(silent)
        group.wake(silent)
        with client(silent) as old, client(now) as new:

            def is_left() -> bool:
                ours.set("where", "there")
                return new.get("where") == b"there"

            assert wait_until(is_left, LOOK_EVERY_S + 3.0)
            assert old.role()[0] == b"master"
        with pytest.raises(redis.ConnectionError, match="name another master"):
            held.connection.send_command("BRPOP", "queue", 1)
        held.connection.connect()
        assert held.connection.port == now


def test_an_answer_that_others_know_better_than_is_not_followed(
    steady: RedisGroup, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One Sentinel names a server that is no master any more: all are asked."""
    with connect_durable(read_settings(steady.settings)) as ours:
        assert ours.ping()
        monkeypatch.setattr(Sentinels, "discover_master", lambda *_: ("127.0.0.1", steady.replica()))
        ours.connection_pool.disconnect()
        assert ours.set("a", 1)


@pytest.mark.parametrize(
    ("epoch", "flags", "followed"),
    [(9, "master", True), (9, "master,failover_in_progress", False), (0, "master", False)],
)
def test_a_look_follows_a_later_failover_that_has_ended(
    steady: RedisGroup, monkeypatch: pytest.MonkeyPatch, epoch: int, flags: str, followed: bool
) -> None:
    """While it goes on, the old master is named under the new epoch; one of an earlier epoch is an old view."""
    with connect_durable(read_settings(steady.settings)) as ours:
        assert ours.ping()
        connection: Any = ours.connection_pool.get_connection()
        known, here = connection._known, steady.master()
        known.epoch, known.look_at_s = 1, 0.0
        state = {"ip": "127.0.0.1", "port": steady.replica(), "config-epoch": epoch, "flags": flags}
        state |= {"is_master": True, "is_sdown": False, "is_odown": False, "num-other-sentinels": 2}
        for sentinel in connection._pool.sentinel_manager.sentinels:
            monkeypatch.setattr(sentinel, "sentinel_masters", lambda: {GROUP: state})
        connection._look()
        assert known.address == ("127.0.0.1", steady.replica() if followed else here)
        known.address, known.epoch = ("127.0.0.1", here), -1


def test_a_sentinel_that_is_away_when_it_is_looked_at(steady: RedisGroup) -> None:
    """The next look asks the next one, and commands go on."""
    with refusing_port() as port:
        url = f"sentinel://:{PASSWORD}@127.0.0.1:{port};{steady.url}"
        with connect_durable(read_settings(steady.settings | {"REDIS_URL": url})) as ours:
            assert ours.ping()
            pool: Any = ours.connection_pool
            connection = pool.get_connection()
            known, manager = connection._known, pool.sentinel_manager
            of_port = {each.connection_pool.connection_kwargs["port"]: each for each in manager.sentinels}
            manager.sentinels = [of_port.pop(port), *of_port.values()]
            for asks in range(known.asks + 1, known.asks + 1 + len(manager.sentinels)):
                known.look_at_s = 0.0
                connection.connect()
                assert (known.asks, known.address) == (asks, (connection.host, connection.port))
            assert known.epoch >= 0
            assert ours.ping()


def test_the_doctor_tells_of_replicas_and_sentinels(group: RedisGroup, configured: Settings) -> None:
    """Who is the master, how far the replica is behind, whether a majority could replace it; and what is missing."""
    found = {each.check: each for each in redis_servers.examine(configured, [])}
    assert {found[check].state for check in ("redis replicas", "redis sentinels")} == {State.OK}
    assert "master, 1 replica" in found["redis replicas"].found
    assert found["redis sentinels"].found == "3 of 3 Sentinels can replace the master"
    assert str(group.sentinels[2]) in found["redis"].found
    assert "secret" not in f"{found}"
    group.servers[group.replica()].kill()

    def is_told() -> bool:
        checks = {each.check: each for each in redis_servers.examine(configured, [])}
        return checks["redis replicas"].state == State.WARNING

    assert wait_until(is_told, GUARD_S)


def test_a_group_that_nobody_knows_is_no_master(steady: RedisGroup) -> None:
    """The error names no password."""
    given = read_settings(steady.settings | {"REDIS_MASTER_NAME": "other"})
    with connect_durable(given) as durable, pytest.raises(redis.ConnectionError, match="No master found") as caught:
        durable.ping()
    assert "secret" not in str(caught.value)
    with pytest.raises(ConfigurationError, match="REDIS_MASTER_NAME"):
        connect_durable(read_settings({"REDIS_URL": steady.url}))


def test_a_lost_connection_is_made_anew_to_the_new_master(group: RedisGroup) -> None:
    """Where the old one was, nobody may answer for long; so it is for our clients, and for Celery's."""
    with connect_durable(read_settings(group.settings)) as ours, kombu_connection(group) as theirs:
        pools: list[Any] = [ours.connection_pool, theirs.default_channel.pool]
        made = [pool.get_connection() for pool in pools]
        after = group.fail_over()
        for connection in made:
            connection.disconnect()
            connection.send_command("PING")
            assert (connection.read_response(), connection.port) == (b"PONG", after)


def test_what_one_connection_learns_holds_for_all(group: RedisGroup) -> None:
    """The master says nothing, and one waits for it in vain: those that lie idle in other pools are not used again."""
    several: list[Any] = [connect_durable(read_settings(group.settings)) for _ in range(2)]
    for own in several:
        own.ping()
    silent = group.master()
    group.servers[silent].send_signal(signal.SIGSTOP)
    after = group.wait_for_other_than(silent)
    until_it_works(several[0].ping)
    connection = several[1].connection_pool.get_connection()
    assert connection.port == after
    group.wake(silent)


def kombu_connection(group: RedisGroup) -> Any:
    """A connection of Celery's to its broker."""
    broker = broker_of(read_settings(group.settings))
    return kombu.Connection(broker.url, transport_options=broker.options)
