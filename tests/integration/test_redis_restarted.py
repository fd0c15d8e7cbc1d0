"""What a Redis that has restarted may have forgotten comes back before anything new, and nothing stays unread."""

from __future__ import annotations

import time
from collections.abc import Sequence
from threading import Event, Thread
from typing import Any

import orjson
import pytest
import redis
from helpers.basics import GUARD_S
from helpers.factories import ANA, answer
from helpers.service import says, webhook
from helpers.turns import decided
from msgspec import to_builtins
from msgspec.structs import asdict
from sqlalchemy import Connection

from worker.errors import RedisNotSwept
from worker.intake.intake import Intake
from worker.intake.sweep import Sweep
from worker.redisdb import streams as streams_module
from worker.redisdb.keys import INBOUND, OUTBOUND, PUBLISHED, RUN_ID
from worker.redisdb.restarts import RestartWatch
from worker.redisdb.streams import CONSUMER, GROUP
from worker.session.outcome import StoredOutcome
from worker.steps.services import Services

OLD_RUN = "0" * 40
LATE: dict[str, Any] = {"reply_id": "late", "to": ANA, "in_reply_to": ["m2"], "text": "Después"}


class Nowhere:
    """A chain that takes turns and has no end. accepted: set when it is given any; queued: batches that wait."""

    def __init__(self, queued: int = 0) -> None:
        self.accepted = Event()
        self.queued = queued

    def start(self, turns: Sequence[dict[str, Any]]) -> None:
        """Turns to start."""
        if turns:
            self.accepted.set()

    def waiting(self) -> int:
        """Batches that wait."""
        return self.queued


def published(client: redis.Redis) -> list[str]:
    """Reply ids in the order of the outbound stream."""
    entries: Any = client.xrange(OUTBOUND.pattern)
    return [orjson.loads(fields[b"payload"])["reply_id"] for _, fields in entries]


def sweep(services: Services, connection: Connection) -> None:
    """One pass that starts nothing."""
    Sweep(services, lambda _turns: None).once(connection)


def test_until_the_sweep_has_run_only_the_sweep_publishes(
    shop_services: Services, redis_client: redis.Redis, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was committed a moment ago stands before what comes next, though its worker may believe it published."""
    redis_client.set(RUN_ID.pattern, OLD_RUN)
    figures = to_builtins(StoredOutcome(**asdict(decided()), complexity="low"))
    committed = answer(connection, "m1", outcome=figures)["token"]
    connection.commit()
    monkeypatch.setattr(streams_module, "SWEEP_PATIENCE_S", 0.2)
    with pytest.raises(RedisNotSwept):
        shop_services.streams.publish([LATE])
    assert redis_client.exists(OUTBOUND.pattern, PUBLISHED.key("late")) == 0
    sweep(shop_services, connection)
    assert shop_services.streams.publish([LATE]) == 1
    assert published(redis_client) == [committed, "late"]


def test_who_publishes_waits_for_the_sweep(
    shop_services: Services, redis_client: redis.Redis, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For a while, since it comes every two seconds."""
    redis_client.set(RUN_ID.pattern, OLD_RUN)
    refused = Event()
    pause = streams_module.time.sleep
    monkeypatch.setattr(streams_module.time, "sleep", lambda seconds: (refused.set(), pause(seconds)))
    worker = Thread(target=shop_services.streams.publish, args=([LATE],))
    worker.start()
    assert refused.wait(GUARD_S)
    assert published(redis_client) == []
    sweep(shop_services, connection)
    worker.join(GUARD_S)
    assert published(redis_client) == ["late"]


def test_the_sweep_does_not_wait_for_those_who_wait_for_it(
    shop_services: Services, redis_client: redis.Redis, connection: Connection
) -> None:
    """A long queue stops the intake; its batches wait until what was forgotten is back."""
    sweep(shop_services, connection)
    redis_client.set(RUN_ID.pattern, OLD_RUN)
    stop = Event()
    intake = Thread(target=Intake(shop_services, Nowhere(queued=1_000), stop).run)
    intake.start()
    try:
        assert shop_services.streams.publish([LATE]) == 1
        redis_client.set(RUN_ID.pattern, OLD_RUN)
        assert shop_services.streams.publish([{**LATE, "reply_id": "later"}]) == 1
    finally:
        stop.set()
        intake.join()


def test_a_long_run_is_no_restart(shop_services: Services, redis_client: redis.Redis, connection: Connection) -> None:
    """What notes the run lives on with every pass, and what is older than a day is told to nobody again."""
    sweep(shop_services, connection)
    redis_client.expire(RUN_ID.pattern, 100)
    watch = RestartWatch(redis_client)
    now_s = time.time()
    assert watch.look(now_s) is None
    assert redis_client.ttl(RUN_ID.pattern) > 100
    redis_client.set(RUN_ID.pattern, OLD_RUN)
    lost = [watch.look(now_s + later_s) for later_s in (1.0, 40 * 86_400.0)]
    assert [round(found.lost_s) for found in lost if found] == [11, 86_400]


def test_a_redis_without_a_past_publishes_at_once(shop_services: Services, redis_client: redis.Redis) -> None:
    """Nobody has looked after it, and there is nothing that it could have forgotten."""
    assert not redis_client.exists(RUN_ID.pattern)
    assert shop_services.streams.publish([LATE]) == 1


def test_entries_that_become_pending_behind_its_back_are_found(
    shop_services: Services, redis_client: redis.Redis
) -> None:
    """A read of the intake before this one, whose connection is dead, may be answered late."""
    shop_services.streams.create_group()
    chain, stop = Nowhere(), Event()
    intake = Thread(target=Intake(shop_services, chain, stop).run)
    intake.start()
    try:
        redis_client.xadd(INBOUND.pattern, {"payload": webhook(says("wamid.first", ANA, "hola"))})
        assert chain.accepted.wait(GUARD_S)
        chain.accepted.clear()
        with redis_client.pipeline(transaction=True) as pipeline:
            pipeline.xadd(INBOUND.pattern, {"payload": webhook(says("wamid.behind", "5491100000002", "hola"))})
            pipeline.xreadgroup(GROUP, CONSUMER, {INBOUND.pattern: ">"})
            pipeline.execute()
        assert chain.accepted.wait(GUARD_S)
    finally:
        stop.set()
        intake.join()
