"""What is recorded of every turn: one row of `ai_metrics`, and live counters in Redis."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import redis
from redis.exceptions import RedisError

from worker.log import logger
from worker.redisdb.keys import CALL_COUNTS, LAST_RUN, REPLY_COUNTS, Key
from worker.session.turn import Turn

log = logger(__name__)
#: The outcome of a call that brought an answer.
ANSWERED = "ok"
#: How else a call may end: the kinds of `ProviderError`.
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
    "cost_by_provider",
    "calls_made",
)
#: Of these, what is counted; no reply is without them.
FIGURES = ("calls", "prompt_tokens", "cached_tokens", "completion_tokens", "cost_microusd", "baseline_microusd")


def stored_outcome(turn: Turn) -> dict[str, Any]:
    """The outcome as `messages.outcome` keeps it: the decision, its costs, and how the turn got there. reply_key: where
    the reply cache has it, if no other customer can have that key; so that it can be erased.
    """
    outcome = turn.decided()
    costs = {name: msgspec.to_builtins(getattr(outcome, name)) for name in RECORDED}
    complexity = turn.plan.complexity if turn.plan else None
    terms = list(turn.plan.terms) if turn.plan else []
    reply_key = turn.plan.key if turn.plan and not turn.plan.shared else None
    return costs | {
        "decision": outcome.decision,
        "complexity": complexity,
        "terms": terms,
        "reply_key": reply_key,
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


def without_figures(row: Mapping[str, Any]) -> dict[str, Any]:
    """The row of a reply whose figures PostgreSQL refuses: that it was made is known, what it cost is not."""
    return {**row, **dict.fromkeys(FIGURES, 0), "provider_latency_ms": None, "cost_by_provider": None, "calls_made": []}


def count_replies(client: redis.Redis, rows: Sequence[Mapping[str, Any]]) -> None:
    """Adds the rows to today's counters in one round trip; without Redis they are only in PostgreSQL."""
    counts: Counter[str] = Counter()
    for row in rows:
        counts[f"source:{row['source']}"] += 1
        counts["cost_microusd"] += row["cost_microusd"]
        counts["baseline_microusd"] += row["baseline_microusd"]
    pipeline = client.pipeline(transaction=False)
    _add(pipeline, REPLY_COUNTS, counts)
    try:
        pipeline.execute()
    except RedisError as exc:
        log.warning("counters_unavailable", error=type(exc).__name__)


def count_call(client: redis.Redis, provider: str, model: str, outcome: str, latency_ms: float) -> None:
    """Adds one call of a model to today's counters, and how long it took if it was answered; without Redis it is not
    counted. outcome: `ANSWERED` or the kind of error.
    """
    counts = {f"{provider}/{model}:{outcome}": 1}
    if outcome == ANSWERED:
        bucket = next((bound for bound in CALL_BUCKETS_MS if latency_ms <= bound), "inf")
        counts |= {f"{provider}:le:{bucket}": 1, f"{provider}:ms": round(latency_ms)}
    try:
        _add(client, CALL_COUNTS, counts)
    except RedisError as exc:
        log.warning("counters_unavailable", error=type(exc).__name__)


def _add(client: redis.Redis, family: Key, counts: Mapping[str, int]) -> None:
    key = family.key(time.strftime("%Y-%m-%d", time.gmtime()))
    for name, number in counts.items():
        client.hincrby(key, name, number)
    client.expire(key, family.ttl_s or 0)


def note_run(client: redis.Redis, task: str) -> None:
    """Notes that a periodic task has done its work now."""
    try:
        client.set(LAST_RUN.key(task), int(time.time()), ex=LAST_RUN.ttl_s)
    except RedisError as exc:
        log.warning("run_not_noted", task=task, error=type(exc).__name__)
