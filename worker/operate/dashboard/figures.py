"""Figures of the page out of PostgreSQL: those of a time range, the money of this day and month, the dead letters."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from typing import Any

from sqlalchemy import Connection, Engine

from db import dashboard, monitoring, report
from db.dashboard import Bucket, CircuitChange, DeadLetter, Expired
from db.locks import INTAKE_LOCK
from db.models import SESSION_STATES
from db.monitoring import Unfinished
from worker.log import redacted
from worker.telemetry.report import make_report, percent
from worker.units import usd

#: Replies of which the intents are counted: the newest, so that a year of messages takes no longer than a day.
MAX_INTENTS = 1_000_000
MAX_CIRCUIT_CHANGES = 500
MAX_DEAD_LETTERS = 50
ERROR_CHARS = 160
#: Expired sessions are cleaned up this often; shorter buckets would show that, and nothing else.
CLEANUP_EVERY_S = 300
#: The way to an order; `inactive` is no step of it.
STEPS = SESSION_STATES[:-1]


@dataclass(frozen=True, slots=True)
class TimeRange:
    """Window of `window_s` seconds, drawn in buckets of `bucket_s`, read again after `every_s` at the earliest.

    From a day on the buckets are of whole hours: those are summed up already, however many turns there were.
    """

    name: str
    label: str
    window_s: int
    bucket_s: int
    every_s: float


RANGES = {
    span.name: span
    for span in (
        TimeRange("15m", "15 min", 900, 15, 4.0),
        TimeRange("1h", "1 h", 3_600, 60, 4.0),
        TimeRange("24h", "24 h", 86_400, 3_600, 8.0),
        TimeRange("7d", "7 d", 604_800, 10_800, 30.0),
        TimeRange("30d", "30 d", 2_592_000, 86_400, 60.0),
    )
}
DEFAULT = RANGES["24h"]


@dataclass(frozen=True, slots=True)
class Figures:
    """Figures of the window that ends at `until`, from one transaction, so that they agree with each other.

    Args:
        report: the metrics report as `chasqui report --json` prints it.
        funnel: sessions that stand or ended in each of STEPS or in a later one.
    """

    range: TimeRange
    until: datetime
    report: dict[str, Any]
    buckets: tuple[Bucket, ...]
    expired: tuple[Expired, ...]
    intents: list[tuple[str, int]]
    circuit_changes: tuple[CircuitChange, ...]
    funnel: dict[str, int]
    sessions: int
    messages_per_session: float

    @property
    def since(self) -> datetime:
        """When the window begins."""
        return self.until - timedelta(seconds=self.range.window_s)

    def latest_changes(self, count: int) -> list[CircuitChange]:
        """Returns the newest changes of circuits in the window, newest first."""
        inside = [change for change in self.circuit_changes if change.at > self.since]
        return inside[: -count - 1 : -1]

    def timeline(self, name: str) -> list[tuple[str, float]]:
        """Returns the states of a circuit over the window, each with its share (0..1) of it; closed until something
        else is known.
        """
        own = [change for change in self.circuit_changes if change.name == name]
        stretches, state, begun = [], "closed", self.since
        for change in [*own, CircuitChange(self.until, name, "")]:
            at = min(max(change.at, self.since), self.until)
            if at > begun:
                stretches.append((state, (at - begun) / (self.until - self.since)))
            state, begun = change.state, at
        return stretches


@dataclass(frozen=True, slots=True)
class Spent:
    """Cost of the calls of a day or month, and of the same messages with the baseline's model, in US dollars."""

    cost_usd: float
    baseline_usd: float

    @property
    def saved_percent(self) -> float:
        """Share of the baseline that was not spent."""
        return percent(self.baseline_usd - self.cost_usd, self.baseline_usd)


@dataclass(frozen=True, slots=True)
class Waiting:
    """Unfinished messages, and the newest dead letters."""

    unfinished: Unfinished
    dead_letters: tuple[DeadLetter, ...]


def read_figures(engine: Engine, span: TimeRange) -> Figures:
    """Reads the figures of the window that ends now."""
    with _one_moment(engine) as connection:
        window = report.window(connection, span.window_s)
        by_state = dashboard.sessions(connection, span.window_s)
        sessions, messages = (sum(numbers) for numbers in zip(*by_state.values(), strict=True)) if by_state else (0, 0)
        return Figures(
            range=span,
            until=window.moment,
            report=make_report(connection, span.window_s),
            buckets=dashboard.buckets(connection, window, span.bucket_s),
            expired=dashboard.expired(connection, window, max(span.bucket_s, CLEANUP_EVERY_S)),
            intents=dashboard.intents(connection, span.window_s, MAX_INTENTS),
            circuit_changes=dashboard.circuit_changes(connection, span.window_s, MAX_CIRCUIT_CHANGES),
            funnel=funnel({state: count for state, (count, _) in by_state.items()}),
            sessions=sessions,
            messages_per_session=round(messages / max(sessions, 1), 1),
        )


def read_spent(engine: Engine) -> tuple[Spent, Spent]:
    """Reads the money of this day and this month (UTC)."""
    with _one_moment(engine) as connection:
        now = report.window(connection, 0).moment.astimezone(UTC)
        day = now.replace(hour=0, minute=0, second=0, microsecond=0)
        return _spent(connection, now - day), _spent(connection, now - day.replace(day=1))


def read_waiting(engine: Engine) -> Waiting:
    """Reads the backlog and the dead letters as they are now."""
    with engine.connect() as connection:
        letters = dashboard.dead_letters(connection, MAX_DEAD_LETTERS)
        return Waiting(monitoring.unfinished(connection, INTAKE_LOCK), tuple(map(_masked, letters)))


def funnel(by_state: dict[str, int]) -> dict[str, int]:
    """Returns for each step how many sessions have come to it or to a later one."""
    reached = accumulate(by_state.get(state, 0) for state in reversed(STEPS))
    return dict(zip(STEPS, reversed(list(reached)), strict=True))


@contextmanager
def _one_moment(engine: Engine) -> Iterator[Connection]:
    """Opens a transaction that sees one moment of the database, and changes nothing."""
    reader = engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
    with reader.begin() as connection:
        yield connection


def _spent(connection: Connection, length: timedelta) -> Spent:
    sums = report.sums(connection, report.window(connection, length.total_seconds()))
    cost, baseline = (usd(sum(row[name] or 0 for row in sums)) for name in ("cost_microusd", "baseline_microusd"))
    return Spent(cost, baseline)


def _masked(letter: DeadLetter) -> DeadLetter:
    """Whatever wrote an error, no number of a customer gets to the page by it."""
    return replace(
        letter,
        type=redacted(letter.type),
        reason=redacted(letter.reason)[:ERROR_CHARS],
        last_error=redacted(letter.last_error)[:ERROR_CHARS],
    )
