"""Log line and trace of a turn, once its reply is out."""

import time
from collections.abc import Mapping
from typing import Any

from worker.log import logger
from worker.session.turn import Turn
from worker.telemetry import tracing
from worker.units import usd

#: Columns of `ai_metrics` that the line shows.
SHOWN = (
    "source",
    "provider",
    "model",
    "intent",
    "complexity",
    "session_cache",
    "messages",
    "calls",
    "committed",
    "channel",
)
log = logger(__name__)


def turn_ended(row: Mapping[str, Any], total_ms: float | None, turn: Turn | None = None) -> None:
    """Logs and traces a turn, once, when it is recorded.

    Args:
        row: as `record_metrics` takes it.
        total_ms: from acceptance until now, None for a lost turn; what the steps do not explain of it is waiting.
        turn: None where the sweep found it.
    """
    of_turn: dict[str, Any] = {}
    if turn is not None:
        ids = list(turn.message_ids)  # those of table `messages`
        of_turn = {"session_id": turn.fetched().id, "message_ids": ids, "steps_ms": dict(turn.steps_ms)}
    facts = {name: row[name] for name in SHOWN} | {"cost_usd": usd(row["cost_microusd"])}
    log.info("turn_ended", token=row["reply_id"], **of_turn, **facts, total_ms=total_ms)
    began_at_s = time.time() - (total_ms or 0.0) / 1000
    accepted_at_s = turn.accepted_at_s if turn else None
    tracing.turn(row["reply_id"], facts, min(began_at_s, accepted_at_s or began_at_s))
