"""Figures that PostgreSQL refuses never keep a reply, or another's figures, from being recorded."""

from __future__ import annotations

from typing import Any

import pytest
import redis
from helpers.factories import ANA, BRUNO, answer
from msgspec import convert
from sqlalchemy import Connection

from worker.intake.sweep import Sweep
from worker.session.outcome import StoredOutcome
from worker.settings import Settings
from worker.steps.record_metrics import store_metrics
from worker.steps.services import build
from worker.telemetry.recording import metrics_row

COSTS: dict[str, Any] = {
    "source": "ai",
    "decision": {},
    "calls": 1,
    "cost_microusd": 7,
    "cached_tokens": 0,
    "completion_tokens": 1,
    "baseline_microusd": 1,
}
TOO_MUCH = COSTS | {"prompt_tokens": 2**63}
#: As nobody of ours writes it: edited by hand, or another release's.
UNREADABLE = COSTS | {"prompt_tokens": 1, "provider_latency_ms": "long"}


def tokens_recorded(connection: Connection) -> dict[str, int]:
    """Prompt tokens by reply id."""
    found = connection.exec_driver_sql("select reply_id::text, prompt_tokens from ai_metrics")
    return {row[0]: row[1] for row in found}


@pytest.mark.parametrize("outcome", [TOO_MUCH, UNREADABLE], ids=["too much", "unreadable"])
def test_one_refused_row_does_not_stop_the_sweep(
    connection: Connection, settings_here: Settings, redis_client: redis.Redis, outcome: dict[str, Any]
) -> None:
    """The good one keeps its figures, the other is recorded without, and neither comes back."""
    good = answer(connection, "m1", ANA, outcome=COSTS | {"prompt_tokens": 1})
    bad = answer(connection, "m2", BRUNO, outcome=outcome)
    connection.exec_driver_sql("update messages set answered_at = now() - interval '1 hour'")
    Sweep(build(settings_here), lambda turns: None).once(connection)
    assert tokens_recorded(connection) == {good["token"]: 1, bad["token"]: 0}
    unpublished = connection.exec_driver_sql("select count(*) from messages where published_at is null")
    assert unpublished.scalar_one() == 0


def test_what_is_refused_for_another_reason_is_raised(connection: Connection, settings_here: Settings) -> None:
    """A row that is bad even without figures is an error of ours, and does not go round for ever."""
    row = metrics_row("no uuid", convert(COSTS | {"prompt_tokens": 1}, StoredOutcome), 1, committed=True)
    with pytest.raises(Exception, match="uuid"):
        store_metrics(build(settings_here), [row])
