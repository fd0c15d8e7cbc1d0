"""What the page shows out of PostgreSQL, read in one transaction so that its parts agree with each other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Engine

from db import dashboard, report
from db.models import SESSION_STATES
from worker.log import redacted
from worker.operate.dashboard.buckets import Bucket, Expiries, read_buckets, read_expiries, total
from worker.operate.dashboard.ranges import TimeRange
from worker.operate.dashboard.wording import NONE
from worker.telemetry.report import MICRO, make_report, percent

Json = dict[str, Any]
#: Replies of which the intents are counted: the newest, so that a year of messages takes no longer than a day.
MAX_INTENTS = 1_000_000
MAX_CIRCUIT_CHANGES = 500
MAX_DEAD_LETTERS = 50
ERROR_CHARS = 160
#: The way to an order; `inactive` is no step of it.
STEPS = SESSION_STATES[:-1]


@dataclass(frozen=True, slots=True)
class CircuitChange:
    """A circuit that changed its state."""

    at: datetime
    provider: str
    state: str
    model: str = ""
    told: str = ""

    @property
    def name(self) -> str:
        """The provider, or the provider and its model."""
        return f"{self.provider}/{self.model}" if self.model else self.provider


@dataclass(frozen=True, slots=True)
class Step:
    """How many sessions stand in a state or ended in it (`here`), and how many in it or a later one (`reached`)."""

    state: str
    here: int
    reached: int


@dataclass(frozen=True, slots=True)
class Figures:
    """A window of time. `report` is the metrics report as `chasqui report --json` prints it."""

    range: TimeRange
    until: datetime
    report: Json
    buckets: tuple[Bucket, ...]
    expiries: tuple[Expiries, ...]
    intents: tuple[tuple[str, int], ...]
    circuit_changes: tuple[CircuitChange, ...]
    steps: tuple[Step, ...]
    sessions: int
    messages_per_session: float


@dataclass(frozen=True, slots=True)
class Spent:
    """Money in US dollars: what calls have cost and what the same messages would have cost without us."""

    cost_usd: float
    baseline_usd: float

    @property
    def saved_percent(self) -> float:
        """How much less than the baseline."""
        return percent(self.baseline_usd - self.cost_usd, self.baseline_usd)


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A message that was given up. `customer` are the last characters of the customer's number."""

    id: int
    died_at: datetime
    customer: str
    type: str
    attempts: int
    reason: str
    last_error: str


@dataclass(frozen=True, slots=True)
class Waiting:
    """What waits for somebody: unanswered messages, and dead letters (the newest, and how many in all)."""

    unanswered: int
    oldest_s: float | None
    dead: int
    dead_letters: tuple[DeadLetter, ...]


def read_figures(engine: Engine, span: TimeRange) -> Figures:
    """The figures of the window that ends now."""
    with _snapshot(engine) as connection:
        both = [*dashboard.live_sessions(connection), *dashboard.ended_sessions(connection, span.window_s)]
        until = dashboard.now(connection)
        return Figures(
            range=span,
            until=until,
            report=make_report(connection, span.window_s),
            buckets=read_buckets(connection, span, until),
            expiries=read_expiries(connection, span, until),
            intents=_intents(connection, span),
            circuit_changes=_circuit_changes(connection, span),
            steps=funnel(both),
            sessions=total(both, "sessions"),
            messages_per_session=round(total(both, "messages") / max(total(both, "sessions"), 1), 1),
        )


def read_spent(engine: Engine) -> tuple[Spent, Spent]:
    """This day and this month (UTC)."""
    with _snapshot(engine) as connection:
        day = dashboard.now(connection).astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        return _spent_since(connection, day), _spent_since(connection, day.replace(day=1))


def read_waiting(engine: Engine) -> Waiting:
    """The backlog and the dead letters as they are now."""
    with engine.connect() as connection:
        backlog = dashboard.unanswered(connection)
        letters = dashboard.dead_letters(connection, MAX_DEAD_LETTERS)
    total = letters[0]["total"] if letters else 0
    return Waiting(backlog["messages"], backlog["oldest_s"], total, tuple(map(_dead_letter, letters)))


def funnel(rows: Iterable[Json]) -> tuple[Step, ...]:
    """Steps of the way to an order out of rows with `state` and `sessions`."""
    counts = dict.fromkeys(STEPS, 0)
    for row in rows:
        if row["state"] in counts:
            counts[row["state"]] += row["sessions"]
    here = list(counts.values())
    return tuple(Step(state, here[n], sum(here[n:])) for n, state in enumerate(STEPS))


@contextmanager
def _snapshot(engine: Engine) -> Iterator[Connection]:
    """A transaction that sees one moment of the database, and changes nothing."""
    reader = engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
    with reader.begin() as connection:
        yield connection


def _spent_since(connection: Connection, since: datetime) -> Spent:
    seconds = (dashboard.now(connection) - since).total_seconds()
    sums = report.sums(connection, report.window(connection, seconds))
    return Spent(total(sums, "cost_microusd") / MICRO, total(sums, "baseline_microusd") / MICRO)


def _intents(connection: Connection, span: TimeRange) -> tuple[tuple[str, int], ...]:
    rows = dashboard.intents(connection, span.window_s, MAX_INTENTS)
    return tuple((row["intent"], row["replies"]) for row in rows)


def _circuit_changes(connection: Connection, span: TimeRange) -> tuple[CircuitChange, ...]:
    rows = dashboard.circuit_changes(connection, span.window_s, MAX_CIRCUIT_CHANGES)
    return tuple(CircuitChange(row["at"], row["provider"], row["state"], row["model"], row["told"]) for row in rows)


def _dead_letter(row: Json) -> DeadLetter:
    customer, kind = f"…{row['customer_end']}", redacted(row["type"])
    reason, last_error = (redacted(row[name] or NONE)[:ERROR_CHARS] for name in ("reason", "last_error"))
    return DeadLetter(row["id"], row["died_at"], customer, kind, row["attempts"], reason, last_error)
