"""What is recorded of every turn: one row of `ai_metrics`, and live counters in Redis."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import redis
from redis.exceptions import RedisError

from worker.cache import REPLY_COUNTS
from worker.log import logger
from worker.session.turn import Turn

log = logger(__name__)
#: What is kept with a reply in PostgreSQL, so that its metrics can be recorded by whoever finds it unrecorded.
RECORDED = (
    "source",
    "provider",
    "model",
    "calls",
    "prompt_tokens",
    "cached_tokens",
    "completion_tokens",
    "cost_microusd",
    "baseline_microusd",
    "provider_latency_ms",
)


def stored_outcome(turn: Turn) -> dict[str, Any]:
    """The outcome as `messages.outcome` keeps it: the decision, its costs, and how the turn got there."""
    outcome = turn.decided()
    costs = {name: getattr(outcome, name) for name in RECORDED}
    complexity = turn.plan.complexity if turn.plan else None
    terms = list(turn.plan.terms) if turn.plan else []
    return costs | {
        "decision": outcome.decision,
        "complexity": complexity,
        "terms": terms,
        "session_cache": turn.session_cache,
    }


def metrics_row(reply_id: str, outcome: Mapping[str, Any], messages: int, *, committed: bool) -> dict[str, Any]:
    """A row as `record_metrics` takes it, from an outcome as it is stored."""
    return {name: outcome.get(name) for name in RECORDED} | {
        "reply_id": reply_id,
        "committed": committed,
        "intent": outcome["decision"].get("intent"),
        "complexity": outcome.get("complexity"),
        "session_cache": outcome.get("session_cache"),
        "messages": messages,
    }


def count_replies(client: redis.Redis, rows: Sequence[Mapping[str, Any]]) -> None:
    """Adds the rows to today's counters in one round trip; without Redis they are only in PostgreSQL."""
    counts: Counter[str] = Counter()
    for row in rows:
        counts[f"source:{row['source']}"] += 1
        counts["cost_microusd"] += row["cost_microusd"]
        counts["baseline_microusd"] += row["baseline_microusd"]
    key = REPLY_COUNTS.key(time.strftime("%Y-%m-%d", time.gmtime()))
    pipeline = client.pipeline(transaction=False)
    for name, number in counts.items():
        pipeline.hincrby(key, name, number)
    pipeline.expire(key, REPLY_COUNTS.ttl_s or 0)
    try:
        pipeline.execute()
    except RedisError as exc:
        log.warning("counters_unavailable", error=type(exc).__name__)
