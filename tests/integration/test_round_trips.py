"""What a batch costs on the warm path, counted and not timed: commits of PostgreSQL, round trips of Redis."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import redis
from helpers.one_batch import accept
from helpers.turns import decided
from msgspec import to_builtins
from msgspec.structs import replace
from redis.connection import AbstractConnection
from sqlalchemy import Engine, event

from worker import steps
from worker.providers.reply_cache import cacheable
from worker.redisdb.keys import AI_RESPONSE
from worker.steps.services import Services

#: Celery's own round trips aside.
MOST_REDIS_ROUND_TRIPS = 8
COMMAND = re.compile(rb"\*\d+\r\n\$\d+\r\n(\w+)\r\n")
#: What a client says when it connects, or to see whether the server is still there.
GREETINGS = frozenset({"AUTH", "HELLO", "CLIENT", "SELECT", "PING"})


@dataclass
class Counted:
    """Round trips in their order: the first command of each one of Redis, the text of each statement."""

    redis: list[str] = field(default_factory=list)
    statements: list[str] = field(default_factory=list)

    def of(self, act: Callable[[], Any]) -> tuple[Counted, Any]:
        """What an act takes, and what it returns."""
        self.redis, self.statements = [], []
        made = act()
        return Counted(self.redis, self.statements), made


@pytest.fixture
def counted(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Iterator[Counted]:
    """Counts from now on, on all connections of this process."""
    counted = Counted()
    send = AbstractConnection.send_packed_command

    def send_and_count(self: AbstractConnection, command: Any, *args: Any, **kwargs: Any) -> Any:
        packed = b"".join(command) if isinstance(command, list | tuple) else command
        found = COMMAND.match(packed)
        assert found is not None
        if (name := found[1].decode()) not in GREETINGS:
            counted.redis.append(name)
        return send(self, command, *args, **kwargs)

    def count_statement(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        counted.statements.append(statement)

    monkeypatch.setattr(AbstractConnection, "send_packed_command", send_and_count)
    event.listen(Engine, "before_cursor_execute", count_statement)
    yield counted
    event.remove(Engine, "before_cursor_execute", count_statement)


def warm_up(services: Services, client: redis.Redis, size: int) -> None:
    """Lets these customers have sessions, and the questions replies."""
    answered, missed = steps.route_ai.run(
        services, steps.fetch_session.run(services, accept(services, client, size)), lambda: True
    )
    outcome = decided()
    services.cache.set_many(AI_RESPONSE, {turn.planned().key: to_builtins(cacheable(outcome)) for turn in missed})
    closed = steps.update_session.run(services, [*answered, *(replace(turn, outcome=outcome) for turn in missed)])
    steps.record_metrics.run(services, closed.turns)


@pytest.mark.parametrize("size", [1, 32, 100])
def test_a_warm_batch_costs_three_commits_and_few_round_trips(
    shop_services: Services, redis_client: redis.Redis, counted: Counted, size: int
) -> None:
    """Whatever its size: one commit each in intake, update_session and record_metrics, and nothing else of PostgreSQL;
    at most 8 round trips of Redis.
    """
    warm_up(shop_services, redis_client, size)
    intake, turns = counted.of(lambda: accept(shop_services, redis_client, size))
    reading = len(intake.redis) - 1 - intake.redis[::-1].index("XREADGROUP")
    fetching, fetched = counted.of(lambda: steps.fetch_session.run(shop_services, turns))
    routing, (answered, missed) = counted.of(lambda: steps.route_ai.run(shop_services, fetched, lambda: True))
    closing, closed = counted.of(lambda: steps.update_session.run(shop_services, answered))
    recording, _ = counted.of(lambda: steps.record_metrics.run(shop_services, closed.turns))

    assert (len(closed.turns), missed) == (size, [])
    assert {turn.session_cache for turn in closed.turns} == {"hit"}
    assert sum("accept_messages" in statement for statement in intake.statements) == 1
    assert "accept_messages" in intake.statements[-1]
    assert [len(step.statements) for step in (fetching, routing, closing, recording)] == [0, 0, 1, 1]
    round_trips = [intake.redis[reading:], *(step.redis for step in (fetching, routing, closing, recording))]
    assert sum(map(len, round_trips)) <= MOST_REDIS_ROUND_TRIPS, round_trips
