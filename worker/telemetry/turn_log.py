"""The one line of log, and the one trace, that a turn leaves when its reply is out."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from worker.log import logger
from worker.session.turn import Turn
from worker.telemetry import tracing

MICRO = 1_000_000
#: What the line takes from the row of `ai_metrics`.
SHOWN = ("source", "provider", "model", "intent", "complexity", "session_cache", "messages", "calls", "committed")
log = logger(__name__)


def turn_ended(row: Mapping[str, Any], total_ms: float | None, turn: Turn | None = None) -> None:
    """Once per turn, when it is recorded. row: as `record_metrics` takes it. total_ms: from acceptance until now, None
    for a turn that was lost; what the steps do not explain of it is waiting. turn: None where the sweep found it.
    """
    facts = {name: row[name] for name in SHOWN} | {"cost_usd": row["cost_microusd"] / MICRO}
    log.info("turn_ended", token=row["reply_id"], **_of_turn(turn), **facts, total_ms=total_ms)
    began_at_s = time.time() - (total_ms or 0.0) / 1000
    accepted_at_s = turn.accepted_at_s if turn else None
    tracing.turn(row["reply_id"], facts, min(began_at_s, accepted_at_s or began_at_s))


def _of_turn(turn: Turn | None) -> dict[str, Any]:
    """Ids of the session and of the messages (those of table `messages`), and the times of the steps."""
    if turn is None:
        return {}
    ids = [message.id for message in turn.messages]
    return {"session_id": turn.fetched().id, "message_ids": ids, "steps_ms": dict(turn.steps_ms)}
