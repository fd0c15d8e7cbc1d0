"""Recording of turns, calls and runs: row of `ai_metrics`, log line and trace for each turn, counters in Redis."""

import time
from collections.abc import Mapping
from typing import Any

import msgspec
import redis
from redis.exceptions import RedisError

from worker.log import logger, warned
from worker.redisdb.keys import CALL_COUNTS, LAST_RUN
from worker.session.outcome import StoredOutcome
from worker.session.turn import Turn
from worker.telemetry import tracing
from worker.units import usd, utc_day

log = logger(__name__)
#: Outcome of a call that brought an answer.
ANSWERED = "ok"
#: Other outcomes: the kinds of `ProviderError`.
FAILURES = (
    "timeout",
    "unavailable",
    "rate_limited",
    "denied",
    "model_gone",
    "model_unfit",
    "refused",
    "unreadable",
    "thinking",
)
#: Upper bounds of the buckets in which answers are counted by how long they took.
CALL_BUCKETS_MS = (100, 250, 500, 1_000, 1_500, 2_500, 5_000, 10_000, 15_000, 30_000)
CLEANUP = "cleanup_expired_sessions"
#: Columns of `ai_metrics` that the line of a turn shows.
SHOWN = (
    *("source", "provider", "model", "intent", "complexity"),
    *("session_cache", "messages", "calls", "committed", "channel"),
)
#: Figures that are counted.
FIGURES = ("calls", "prompt_tokens", "cached_tokens", "completion_tokens", "cost_microusd", "baseline_microusd")


def metrics_row(reply_id: str, outcome: StoredOutcome, messages: int, *, committed: bool) -> dict[str, Any]:
    """Builds a row as `record_metrics` takes it."""
    row: dict[str, Any] = msgspec.to_builtins(outcome)
    for name in ("decision", "terms", "reply_key", "ahead"):
        del row[name]
    effects = outcome.decision.effects
    operations = {"proposed": effects.proposed, "refused": effects.refused, "undone": int(effects.undone)}
    return row | {
        "reply_id": reply_id,
        "committed": committed,
        "messages": messages,
        "intent": outcome.decision.intent or None,
        "cart_operations": operations if effects.proposed or effects.undone else None,
    }


def without_figures(row: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the row of a reply whose figures PostgreSQL refuses: that it was made is known, what it cost is not."""
    return {**row, **dict.fromkeys(FIGURES, 0), "provider_latency_ms": None, "cost_by_provider": None, "calls_made": []}


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


def count_call(client: redis.Redis, provider: str, model: str, outcome: str, latency_ms: float) -> None:
    """Counts one call by its outcome or kind of error, and how long an answer took; without Redis it is not counted."""
    counts = {f"{provider}/{model}:{outcome}": 1}
    if outcome == ANSWERED:
        bucket = next((bound for bound in CALL_BUCKETS_MS if latency_ms <= bound), "inf")
        counts |= {f"{provider}:le:{bucket}": 1, f"{provider}:ms": round(latency_ms)}
    key = CALL_COUNTS.key(utc_day())
    with warned(log, "counters_unavailable", RedisError):
        for name, number in counts.items():
            client.hincrby(key, name, number)
        client.expire(key, CALL_COUNTS.ttl_s or 0)


def note_run(client: redis.Redis, task: str) -> None:
    """Notes that a periodic task has just done its work; without Redis it is not noted."""
    with warned(log, "run_not_noted", RedisError, task=task):
        client.set(LAST_RUN.key(task), int(time.time()), ex=LAST_RUN.ttl_s)
