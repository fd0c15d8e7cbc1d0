"""A master of a Redis Cluster dies: its replica is followed, and what it does not know of replies comes back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from helpers.basics import GUARD_S
from helpers.factories import answer
from helpers.redis_cluster import RunningCluster, redis_cluster
from helpers.turns import decided
from msgspec import to_builtins
from msgspec.structs import asdict
from redis.exceptions import RedisError
from sqlalchemy import Connection, Engine, text

from worker.intake.sweep import Sweep
from worker.redisdb.keys import OUTBOUND, PRODUCT_SEARCH
from worker.runtime.embedded.processes import wait_until
from worker.session.outcome import StoredOutcome
from worker.settings import Settings, read_settings
from worker.steps.services import Services, build

NAMES = [f"term {number}" for number in range(60)]


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[RunningCluster]:
    """Three masters and their replicas, of this test alone, since it breaks them."""
    with redis_cluster(tmp_path, replicas=True) as running:
        yield running


@pytest.fixture
def services(cluster: RunningCluster, settings_here: Settings, engine: Engine) -> Iterator[Services]:
    """Services on the cluster, in both roles."""
    assert engine
    urls = {"DATABASE_URL": settings_here.required("database_url"), "REDIS_URL": cluster.url}
    made = build(read_settings(urls | {"BROKER_URL": settings_here.required("redis_url")}))
    yield made
    made.engine.dispose()
    made.redis.close()


def answered(connection: Connection, message_id: str) -> dict[str, Any]:
    """A reply that is committed, and not yet published."""
    figures = to_builtins(StoredOutcome(**asdict(decided()), complexity="low"))
    token = answer(connection, message_id, outcome=figures)["token"]
    connection.commit()
    found = connection.execute(text("select reply from messages where reply_id = :id"), {"id": token}).scalar_one()
    connection.commit()
    return dict(found)


def works(services: Services) -> bool:
    """Whether every node answers."""
    try:
        return bool(services.redis.ping()) and bool(services.redis.xlen(OUTBOUND.pattern))
    except RedisError:
        return False


def published(services: Services) -> list[str]:
    """Reply ids in the order of the outbound stream."""
    entries: Any = services.redis.xrange(OUTBOUND.pattern)
    return [orjson.loads(fields[b"payload"])["reply_id"] for _, fields in entries]


def test_replies_that_no_replica_had_are_published_again(
    cluster: RunningCluster, services: Services, connection: Connection
) -> None:
    """From PostgreSQL, before anything else; those that the replica had are not doubled, and the caches go on."""
    sweep = Sweep(services, lambda _turns: None)
    sweep.once(connection)
    kept = answered(connection, "m1")
    services.streams.publish([kept])
    services.cache.set_many(PRODUCT_SEARCH, {name: {"name": name} for name in NAMES})
    sweep.once(connection)
    master = cluster.master_of(OUTBOUND.pattern)
    cluster.ask(master, "WAIT", 1, 2_000)
    replica = cluster.freeze_replica_of(master)
    lost = answered(connection, "m2")
    services.streams.publish([lost])
    connection.execute(text("update messages set published_at = now() where reply_id is not null"))
    connection.commit()
    cluster.kill(master)
    cluster.wake(replica)
    # A process asked first may not have heard of it yet.
    assert wait_until(lambda: cluster.master_of(OUTBOUND.pattern) == replica, GUARD_S)
    assert wait_until(lambda: works(services), GUARD_S)
    assert published(services) == [kept["reply_id"]]
    sweep.once(connection)
    assert published(services) == [kept["reply_id"], lost["reply_id"]]
    assert services.streams.publish([lost, {"reply_id": "next"}]) == 1
    found: dict[str, Any] = {}
    assert wait_until(lambda: bool(found.update(services.cache.get_many(PRODUCT_SEARCH, NAMES)) or found), GUARD_S)
    assert found == {name: {"name": name} for name in NAMES}
