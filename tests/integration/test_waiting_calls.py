"""Turns that need a model while queue `ai` is full, or while nobody takes anything from it."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
import redis
from helpers.basics import GUARD_S, Servers
from helpers.factories import expire_leases
from helpers.one_batch import TEXTS, accept
from helpers.turns import decided, turn_from_dict
from msgspec import to_builtins
from msgspec.structs import replace
from sqlalchemy import Connection, text

from db import queries
from worker import steps
from worker.chain import MAX_QUEUED_CALLS
from worker.intake.sweep import MAX_ATTEMPTS
from worker.providers.dispatch import Dispatcher
from worker.providers.reply_cache import cacheable
from worker.redisdb.keys import AI_RESPONSE
from worker.session.turn import Turn
from worker.steps.services import Services

LEASE_S = 15.0
LOOK = """
from worker.chain import CeleryChain, calls_have_room
print(calls_have_room(), CeleryChain(None, 1).waiting())
"""
KNOWN = TEXTS[:2]


def route(services: Services, turns: list[Turn], *, room: bool) -> tuple[list[Turn], list[Turn]]:
    """The first two steps of the chain."""
    return steps.route_ai.run(services, steps.fetch_session.run(services, turns), lambda: room)


def swept(connection: Connection, turn: Turn) -> Turn:
    """The turn as the sweep brings it again, when its lease has ended."""
    expire_leases(connection, turn.customer_phone)
    (row,) = queries.sweep_turns(connection, lease_s=LEASE_S, limit=10)[0]
    connection.commit()
    return turn_from_dict(row)


def attempts(connection: Connection) -> int:
    """Counted so far."""
    return int(connection.execute(text("select attempts from messages")).scalar_one())


def answer_once(services: Services, client: redis.Redis) -> None:
    """Lets half of the texts have replies in the cache."""
    missed = route(services, accept(services, client, len(TEXTS)), room=True)[1]
    entry = to_builtins(cacheable(decided()))
    services.cache.set_many(AI_RESPONSE, {turn.planned().key: entry for turn in missed if turn.text in KNOWN})
    steps.update_session.run(services, [replace(turn, outcome=decided()) for turn in missed])


def test_without_room_what_needs_no_model_goes_on(
    shop_services: Services, redis_client: redis.Redis, connection: Connection
) -> None:
    """The others stay with their leases as they are, and come by the sweep when there is room again."""
    answer_once(shop_services, redis_client)
    turns = accept(shop_services, redis_client, len(TEXTS))
    answered, missed = route(shop_services, turns, room=False)
    assert ({turn.text for turn in answered}, missed) == (set(KNOWN), [])
    waiting = [turn for turn in turns if turn.text not in KNOWN]
    left_s = queries.lease_left(connection, [turn.holder for turn in waiting]).values()
    assert len(left_s) == len(TEXTS) - len(KNOWN)
    assert max(left_s) <= LEASE_S
    (again,) = route(shop_services, [swept(connection, waiting[0])], room=True)[1]
    assert again.text == waiting[0].text
    assert queries.lease_left(connection, [again.holder])[again.token] > LEASE_S


def test_waiting_for_a_provider_is_no_attempt(
    shop_services: Services, redis_client: redis.Redis, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However often it is swept meanwhile, with room or without. Asking is one."""
    (turn,) = accept(shop_services, redis_client, 1)
    for run in range(2 * MAX_ATTEMPTS):
        again = swept(connection, turn)
        assert again.messages[0].attempts == 0
        missed = route(shop_services, [again], room=bool(run % 2))[1]
    assert attempts(connection) == 0
    # A provider that kills.
    monkeypatch.setattr(Dispatcher, "call", lambda *_, **__: iter(()))
    assert list(steps.call_provider.run(shop_services, missed)) == []
    assert attempts(connection) == 1
    closed = steps.update_session.run(shop_services, [replace(turn, outcome=decided()) for turn in missed])
    assert len(closed.turns) == 1


@pytest.mark.parametrize(("calls", "room"), [(MAX_QUEUED_CALLS - 1, True), (MAX_QUEUED_CALLS, False)])
def test_queues_are_as_long_as_the_broker_says(
    servers: Servers, redis_client: redis.Redis, calls: int, room: bool
) -> None:
    """Queue `ai` has room until it holds its number of batches; `flow` is counted apart."""
    redis_client.rpush("ai", *["{}"] * calls)
    redis_client.rpush("flow", *["{}"] * 3)
    given = os.environ | {"REDIS_URL": servers.redis_url, "DATABASE_URL": servers.database_url}
    looked = subprocess.run((sys.executable, "-c", LOOK), env=given, capture_output=True, text=True, timeout=GUARD_S)
    assert looked.stdout.split() == [str(room), "3"], looked.stderr[-2000:]
