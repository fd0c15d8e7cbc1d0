"""What a batch costs on the warm path, counted and not timed: commits of PostgreSQL, round trips of Redis."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from threading import Event
from typing import Any
from uuid import uuid4

import pytest
import redis
from factories import product
from redis.connection import AbstractConnection
from service import says, webhook
from sqlalchemy import Engine, event
from turns import decided

from db import queries
from worker import flow
from worker.ai.planning import cacheable
from worker.cache import AI_RESPONSE, INBOUND
from worker.intake import Intake
from worker.services import Services, build
from worker.session.turn import Turn, turn_from_dict
from worker.settings import Settings

#: Celery's own round trips aside (issue 6, part 4).
MOST_REDIS_ROUND_TRIPS = 8
COMMAND = re.compile(rb"\*\d+\r\n\$\d+\r\n(\w+)\r\n")
#: What a client says when it connects, or to see whether the server is still there.
GREETINGS = frozenset({"AUTH", "HELLO", "CLIENT", "SELECT", "PING"})
TEXTS = ("tenés leche?", "hola", "cuánto sale el arroz?", "gracias")


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


@pytest.fixture
def services(settings_here: Settings, redis_client: redis.Redis, engine: Engine) -> Iterator[Services]:
    """Services of a shop with two products, on empty servers."""
    with engine.begin() as connection:
        queries.put_products(connection, [product("1", "Leche entera"), product("2", "Arroz largo")])
    made = build(settings_here)
    yield made
    made.engine.dispose()
    made.redis.close()


class OneBatch:
    """The chain as intake sees it; keeps the turns of the first batch and stops intake behind it."""

    def __init__(self) -> None:
        self.stop = Event()
        self.turns: list[dict[str, Any]] = []

    def start(self, turns: Sequence[dict[str, Any]]) -> None:
        """Intake's sweep starts nothing here, and calls all the same."""
        if turns:
            self.turns = list(turns)
            self.stop.set()

    def waiting(self) -> int:
        """Nothing waits."""
        return 0


def accept(services: Services, client: redis.Redis, size: int) -> list[Turn]:
    """One message of each of so many customers, through intake."""
    bodies = [webhook(says(f"wamid.{uuid4()}", f"54911{n:06d}", TEXTS[n % len(TEXTS)])) for n in range(size)]
    for body in bodies:
        client.xadd(INBOUND.pattern, {"payload": body})
    chain = OneBatch()
    Intake(services, chain, chain.stop).run()
    return [turn_from_dict(turn) for turn in chain.turns]


def warm_up(services: Services, client: redis.Redis, size: int) -> None:
    """Lets these customers have sessions, and the questions replies."""
    answered, missed = flow.route_ai(services, flow.fetch_session(services, accept(services, client, size)))
    outcome = decided()
    services.cache.set_many(AI_RESPONSE, {turn.planned().key: cacheable(outcome) for turn in missed})
    closed = flow.update_session(services, [*answered, *(replace(turn, outcome=outcome) for turn in missed)])
    flow.record_metrics(services, closed.turns)


@pytest.mark.parametrize("size", [1, 32, 100])
def test_a_warm_batch_costs_three_commits_and_few_round_trips(
    services: Services, redis_client: redis.Redis, counted: Counted, size: int
) -> None:
    """Whatever its size: one commit each in intake, update_session and record_metrics, and nothing else of PostgreSQL;
    at most 8 round trips of Redis.
    """
    warm_up(services, redis_client, size)
    intake, turns = counted.of(lambda: accept(services, redis_client, size))
    reading = len(intake.redis) - 1 - intake.redis[::-1].index("XREADGROUP")
    fetching, fetched = counted.of(lambda: flow.fetch_session(services, turns))
    routing, (answered, missed) = counted.of(lambda: flow.route_ai(services, fetched))
    closing, closed = counted.of(lambda: flow.update_session(services, answered))
    recording, _ = counted.of(lambda: flow.record_metrics(services, closed.turns))

    assert (len(closed.turns), missed) == (size, [])
    assert {turn.session_cache for turn in closed.turns} == {"hit"}
    assert sum("accept_messages" in statement for statement in intake.statements) == 1
    assert "accept_messages" in intake.statements[-1]
    assert [len(step.statements) for step in (fetching, routing, closing, recording)] == [0, 0, 1, 1]
    round_trips = [intake.redis[reading:], *(step.redis for step in (fetching, routing, closing, recording))]
    assert sum(map(len, round_trips)) <= MOST_REDIS_ROUND_TRIPS, round_trips
