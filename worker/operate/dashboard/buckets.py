"""The window cut into buckets of time: what the charts draw."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection

from db import dashboard, report
from worker.operate.dashboard.ranges import TimeRange
from worker.session.turn import SILENT
from worker.telemetry.report import MICRO, ROUTED, percent

Json = dict[str, Any]
#: Expired sessions are cleaned up this often; shorter buckets would show that, and nothing else.
CLEANUP_EVERY_S = 300


@dataclass(frozen=True, slots=True)
class Bucket:
    """One bucket of time. `seconds` is how much of it lies in the window: less at both ends of it. Rates are
    percentages, None where nothing was counted; times in milliseconds.
    """

    at: datetime
    seconds: float
    ai: int = 0
    cache: int = 0
    fallback: int = 0
    canned: int = 0
    cost_usd: float = 0.0
    baseline_usd: float = 0.0
    cache_hit_rate: float | None = None
    session_hit_rate: float | None = None
    p50_ms: int | None = None
    p95_ms: int | None = None
    p99_ms: int | None = None

    @property
    def messages(self) -> int:
        """Messages answered in this bucket, from wherever."""
        return self.ai + self.cache + self.fallback + self.canned


@dataclass(frozen=True, slots=True)
class Expiries:
    """Sessions that expired in a bucket of time, and how many of its seconds lie in the window."""

    at: datetime
    seconds: float
    sessions: int


def read_buckets(connection: Connection, span: TimeRange, until: datetime) -> tuple[Bucket, ...]:
    """The buckets of the window that ends now, in the connection's transaction."""
    window = report.window(connection, span.window_s)
    by_bucket: dict[datetime, list[Json]] = defaultdict(list)
    for row in dashboard.sums(connection, window, span.bucket_s):
        by_bucket[row["at"]].append(row)
    counted = {at: counts(rows) for at, rows in by_bucket.items()}
    for row in dashboard.latencies_ms(connection, window, span.bucket_s):
        p50, p95, p99 = map(round, row["latency_ms"])
        counted[row["at"]] |= {"p50_ms": p50, "p95_ms": p95, "p99_ms": p99}
    return tuple(Bucket(at, seconds, **counted.get(at, {})) for at, seconds in pieces(span, until))


def read_expiries(connection: Connection, span: TimeRange, until: datetime) -> tuple[Expiries, ...]:
    """Expired sessions by bucket of time, in the connection's transaction."""
    coarse = replace(span, bucket_s=max(span.bucket_s, CLEANUP_EVERY_S))
    counted = {row["at"]: int(row["sessions"]) for row in dashboard.expired(connection, span.window_s, coarse.bucket_s)}
    return tuple(Expiries(at, seconds, counted.get(at, 0)) for at, seconds in pieces(coarse, until))


def pieces(span: TimeRange, until: datetime) -> Iterator[tuple[datetime, float]]:
    """The buckets that make up the window: when each begins, and how many of its seconds lie in the window."""
    end_s = until.timestamp()
    begin_s = end_s - span.window_s
    first_s = int(begin_s // span.bucket_s) * span.bucket_s
    for start_s in range(first_s, int(end_s) + 1, span.bucket_s):
        seconds = min(start_s + span.bucket_s, end_s) - max(start_s, begin_s)
        yield datetime.fromtimestamp(start_s, UTC), seconds


def counts(rows: Sequence[Json]) -> Json:
    """The fields of a bucket out of its rows by source."""
    by_source = {row["source"]: row for row in rows}
    messages = {name: int(row["messages"]) for name, row in by_source.items() if name != SILENT}
    replies = {name: int(row["replies"]) for name, row in by_source.items()}
    routed, wanted = sum(replies.get(name, 0) for name in ROUTED), total(rows, "sessions_wanted")
    named = {name: messages.pop(name, 0) for name in ("ai", "cache", "fallback")}
    return named | {
        "canned": sum(messages.values()),
        "cost_usd": total(rows, "cost_microusd") / MICRO,
        "baseline_usd": total(rows, "baseline_microusd") / MICRO,
        "cache_hit_rate": percent(replies.get("cache", 0), routed) if routed else None,
        "session_hit_rate": percent(total(rows, "sessions_cached"), wanted) if wanted else None,
    }


def total(rows: Sequence[Json], name: str) -> int:
    """One figure of all rows."""
    return sum(int(row[name] or 0) for row in rows)
