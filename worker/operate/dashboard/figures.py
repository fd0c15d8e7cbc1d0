"""Figures of the page out of PostgreSQL: those of a time range, costs of this day and month, and lists of what needs
somebody: dead letters, people who wait, open orders.
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import accumulate
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine

from db import dashboard, monitoring, report
from db.dashboard import Bucket, CircuitChange, DeadLetter, Expired
from db.monitoring import Unfinished
from db.states import SESSION_STATES
from worker.log import redacted
from worker.telemetry.report import costs, make_report

#: Replies of which the intents are counted: the newest, so that a year of messages takes no longer than a day.
MAX_INTENTS = 1_000_000
MAX_CIRCUIT_CHANGES = 500
MAX_ROWS = 50
ERROR_CHARS = 160
#: Expired sessions are cleaned up this often; shorter buckets would show that, and nothing else.
CLEANUP_EVERY_S = 300
#: The way to an order; `inactive` is no step of it.
STEPS = SESSION_STATES[:-1]
Row = TypeVar("Row")
#: The part "costs" of the report.
Costs = Mapping[str, Any]


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
    """Figures of the window from `since` to `until`, from one transaction, so that they agree with each other.

    Args:
        report: the metrics report as `chasqui report --json` prints it.
        changes: of circuits, oldest first, with the last one of each circuit before the window.
        funnel: sessions that stand or ended in each of STEPS or in a later one.
    """

    range: TimeRange
    since: datetime
    until: datetime
    report: Mapping[str, Any]
    buckets: tuple[Bucket, ...]
    expired: tuple[Expired, ...]
    intents: list[tuple[str, int]]
    changes: tuple[CircuitChange, ...]
    funnel: Mapping[str, int]
    sessions: int
    messages_per_session: float

    def timeline(self, circuit: str) -> list[tuple[str, float]]:
        """Returns the circuit's states over the window, with their shares (0..1) of it; closed where none is known."""
        own = [change for change in self.changes if change.name == circuit]
        stretches, state, begun = [], "closed", self.since
        for change in [*own, CircuitChange(self.until, circuit, "")]:
            at = max(change.at, self.since)
            if at > begun:
                stretches.append((state, (at - begun) / (self.until - self.since)))
            state, begun = change.state, at
        return stretches


def read_figures(engine: Engine, span: TimeRange) -> Figures:
    """Reads the figures of the window that ends now."""
    with _one_moment(engine) as connection:
        window = report.window(connection, span.window_s)
        by_state = dashboard.sessions(connection, window)
        sessions = sum(count for count, _ in by_state.values())
        messages = sum(count for _, count in by_state.values())
        return Figures(
            span,
            window.since,
            window.moment,
            make_report(connection, span.window_s),
            dashboard.buckets(connection, window, span.bucket_s),
            dashboard.expired(connection, window, max(span.bucket_s, CLEANUP_EVERY_S)),
            dashboard.intents(connection, window, MAX_INTENTS),
            dashboard.circuit_changes(connection, window, MAX_CIRCUIT_CHANGES),
            funnel({state: count for state, (count, _) in by_state.items()}),
            sessions,
            messages_per_session=round(messages / max(sessions, 1), 1),
        )


def read_costs(engine: Engine) -> tuple[Costs, Costs]:
    """Reads the costs of this day and this month (UTC), as the report has them."""
    with _one_moment(engine) as connection:
        now = report.window(connection, 0).moment.astimezone(UTC)
        day = now.replace(hour=0, minute=0, second=0, microsecond=0)
        windows = (report.window(connection, (now - begin).total_seconds()) for begin in (day, day.replace(day=1)))
        of_day, of_month = (costs(report.sums(connection, window)) for window in windows)
        return of_day, of_month


def read_waiting(engine: Engine) -> tuple[Unfinished, tuple[DeadLetter, ...]]:
    """Reads the unfinished messages, and the newest dead letters without any customer's number."""
    with engine.connect() as connection:
        letters = dashboard.dead_letters(connection, MAX_ROWS)
        return monitoring.unfinished(connection), tuple(map(_masked, letters))


def read_list(engine: Engine, query: Callable[[Connection, int], tuple[Row, ...]]) -> tuple[Row, ...]:
    """Reads the first rows of a list of people or orders, with their numbers."""
    with engine.connect() as connection:
        return query(connection, MAX_ROWS)


def funnel(by_state: Mapping[str, int]) -> dict[str, int]:
    """Returns for each step how many sessions have come to it or to a later one."""
    reached = accumulate(by_state.get(state, 0) for state in reversed(STEPS))
    return dict(zip(STEPS, reversed(list(reached)), strict=True))


def _one_moment(engine: Engine) -> AbstractContextManager[Connection]:
    """A transaction that sees one moment of the database, and changes nothing."""
    return engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True).begin()


def _masked(letter: DeadLetter) -> DeadLetter:
    """Whatever wrote an error, no number of a customer gets to the page by it."""
    reason, last_error = redacted(letter.reason)[:ERROR_CHARS], redacted(letter.last_error)[:ERROR_CHARS]
    return replace(letter, type=redacted(letter.type), reason=reason, last_error=last_error)
