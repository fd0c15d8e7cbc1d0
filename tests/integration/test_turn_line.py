"""The line that a turn leaves in the log: one, whoever records it and however often."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import redis
import structlog
from helpers.factories import accept_one, commit, commit_row
from helpers.turns import decided, session_of, turn_from_dict
from msgspec import to_builtins
from msgspec.structs import replace
from sqlalchemy import Connection, text
from structlog.testing import capture_logs

from worker import steps
from worker.intake.sweep import Sweep
from worker.session.turn import Turn
from worker.settings import Settings
from worker.steps.services import Services, build
from worker.telemetry import recording


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Any]]:
    """What is logged of turns that ended."""
    with capture_logs() as captured:
        # A logger that was used before may remember where it wrote then.
        monkeypatch.setattr(recording, "log", structlog.get_logger())
        yield captured


def answered(connection: Connection) -> Turn:
    """A turn whose reply is committed."""
    turn = turn_from_dict(accept_one(connection))
    outcome = replace(decided(), model="deepseek-chat", calls=1, cost_microusd=125)
    done = replace(turn, session=session_of(), session_cache="new", outcome=outcome, committed=True)
    done = replace(done, steps_ms={"fetch_session": 500.0}, accepted_at_s=9.0)
    row = commit_row({"token": done.token, "customer_phone": done.customer_phone, "messages": []})
    commit(connection, row | {"message_ids": [done.messages[0].id], "outcome": to_builtins(done.stored_outcome())})
    return done


def told(lines: list[Any], turn: Turn) -> list[Any]:
    """The lines of one turn."""
    return [line for line in lines if line["event"] == "turn_ended" and line["token"] == turn.token]


def test_a_task_that_is_repeated_tells_nothing_new(
    connection: Connection, redis_client: redis.Redis, settings_here: Settings, lines: list[Any]
) -> None:
    """The chain records a turn; doing it again, or the sweep finding it later, adds no line."""
    services, turn = build(settings_here), answered(connection)
    for _ in range(2):
        steps.record_metrics.run(services, [turn])
    sweep_later(services, connection)
    (line,) = told(lines, turn)
    assert (line["source"], line["provider"], line["cost_usd"]) == ("ai", "deepseek", 0.000125)
    assert (line["steps_ms"], line["message_ids"]) == ({"fetch_session": 500.0}, [turn.messages[0].id])


def test_the_sweep_tells_of_what_nobody_recorded(
    connection: Connection, redis_client: redis.Redis, settings_here: Settings, lines: list[Any]
) -> None:
    """A worker was killed after its commit: the reply is published again, the turn has its line, and only one."""
    services, turn = build(settings_here), answered(connection)
    sweep_later(services, connection)
    sweep_later(services, connection)
    steps.record_metrics.run(services, [turn])
    (line,) = told(lines, turn)
    assert (line["source"], line["cost_usd"]) == ("ai", 0.000125)
    assert line["total_ms"] >= 0
    assert "steps_ms" not in line


def sweep_later(services: Services, connection: Connection) -> None:
    """The sweep, as if the answers had been committed a while ago."""
    connection.execute(text("update messages set answered_at = answered_at - interval '1 minute'"))
    Sweep(services, lambda _turns: None).once(connection)
