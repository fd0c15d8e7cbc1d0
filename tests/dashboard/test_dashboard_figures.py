"""The figures behind the page: they add up to the report, hold still in one transaction, and read few rows."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from helpers.basics import EMPTY
from helpers.dashboard_rows import fill
from helpers.factories import ANA, metrics_row, rows
from sqlalchemy import Connection, Engine, TextClause, text

from db import dashboard, queries
from db import report as report_figures
from db.dashboard import Bucket, CircuitChange
from worker.operate.dashboard.figures import (
    RANGES,
    Figures,
    TimeRange,
    funnel,
    read_costs,
    read_figures,
    read_waiting,
)
from worker.operate.dashboard.page import chart_options

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
DAY_S = 86_400
EVERY_RANGE = pytest.mark.parametrize("span", RANGES.values(), ids=lambda span: span.name)


@pytest.fixture(scope="module")
def busy(shared_engine: Engine) -> Engine:
    """Two days of 3,000 messages, with rows that count for some figures only."""
    with shared_engine.connect() as connection:
        connection.execute(EMPTY)
        fill(connection, 3_000, 2 * DAY_S, waiting=2, dead=60)
        lost = metrics_row("11111111-1111-4111-8111-111111111111", committed=False, cost_microusd=5_000)
        silent = metrics_row("22222222-2222-4222-8222-222222222222", source="closed", cost_microusd=0)
        queries.record_metrics(connection, [lost, silent])
    return shared_engine


@EVERY_RANGE
def test_the_buckets_add_up_to_the_report(busy: Engine, span: TimeRange) -> None:
    """Messages and money of all buckets are those of the window; lost and silent turns count as they do there."""
    figures = read_figures(busy, span)
    told = figures.report
    assert sum(b.ai + b.cache + b.fallback + b.canned for b in figures.buckets) == told["messages"]
    assert sum(bucket.cost_usd for bucket in figures.buckets) == pytest.approx(told["costs"]["total_usd"])
    assert sum(bucket.baseline_usd for bucket in figures.buckets) == pytest.approx(told["costs"]["baseline_usd"])
    assert sum(piece.sessions for piece in figures.expired) == told["sessions"]["expired_sessions_cleaned"]
    for pieces in (figures.buckets, figures.expired):
        assert sum(piece.seconds for piece in pieces) == pytest.approx(span.window_s)
        assert {piece.at.timestamp() % span.bucket_s for piece in pieces} == {0}
    assert told["costs"]["total_usd"] >= 0.005


def test_a_bucket_has_the_percentiles_of_its_turns(busy: Engine) -> None:
    """From the sums of whole hours and from single turns alike, PostgreSQL's own percentile_cont."""
    for span in RANGES.values():
        figures = read_figures(busy, span)
        with busy.connect() as connection:
            found = rows(
                connection,
                """
                select date_bin(make_interval(secs => :bucket_s), at, 'epoch') as at,
                       percentile_cont(array[0.5, 0.95, 0.99]) within group (order by reply_latency_ms) as wanted
                from ai_metrics where committed and at >= :since and reply_latency_ms is not null group by 1
                """,
                bucket_s=span.bucket_s,
                since=figures.since,
            )
        wanted = {row["at"]: tuple(map(round, row["wanted"])) for row in found}
        drawn = {
            b.at: (b.p50_ms, b.p95_ms, b.p99_ms)
            for b in figures.buckets
            if b.p50_ms is not None and b.p95_ms is not None and b.p99_ms is not None
        }
        assert drawn.keys() == wanted.keys()
        # A half may be rounded either way: ours is a sum of floating point numbers.
        assert all(abs(a - b) <= 1 for at in wanted for a, b in zip(drawn[at], wanted[at], strict=True))
        assert len(drawn) > 2 or span.name == "15m"


def test_hit_rates_are_those_of_sql(busy: Engine) -> None:
    """Of a bucket in the middle of the day."""
    bucket = read_figures(busy, RANGES["24h"]).buckets[12]
    with busy.connect() as connection:
        (row,) = rows(
            connection,
            """
            select 100.0 * count(*) filter (where source = 'cache')
                     / count(*) filter (where source in ('ai', 'cache', 'fallback')) as replies,
                   100.0 * count(*) filter (where session_cache = 'hit') / count(session_cache) as sessions
            from ai_metrics where committed and at >= :at and at < :at + interval '1 hour'
            """,
            at=bucket.at,
        )
    assert bucket.cache_hit_rate == pytest.approx(float(row["replies"]), abs=0.06)
    assert bucket.session_hit_rate == pytest.approx(float(row["sessions"]), abs=0.06)


def test_spending_is_what_the_budget_counts(busy: Engine) -> None:
    """This day and this month, to the micro-dollar."""
    day, month = read_costs(busy)
    with busy.connect() as connection:
        wanted = queries.spent_microusd(connection)
    assert (round(month["total_usd"] * 1e6), round(day["total_usd"] * 1e6)) == wanted
    assert month["baseline_usd"] >= day["baseline_usd"] > 0
    assert month["reduction"] == pytest.approx(100 * (1 - month["total_usd"] / month["baseline_usd"]), abs=0.06)


def test_sessions_are_counted_where_they_stand_or_ended(busy: Engine) -> None:
    """Live ones and those that ended in the window; each step counts those that came further."""
    figures = read_figures(busy, RANGES["30d"])
    with busy.connect() as connection:
        (row,) = rows(
            connection,
            """
            select count(*) as sessions, sum(messages) as messages,
                   count(*) filter (where state = 'order_completed') as ordered
            from (select session_state as state, messages from customer_sessions
                  union all select data ->> 'state', (data ->> 'messages')::integer from events
                  where kind = 'session_end') all_sessions
            """,
        )
    assert figures.sessions == row["sessions"]
    assert figures.messages_per_session == pytest.approx(row["messages"] / row["sessions"], abs=0.06)
    reached = list(figures.funnel.values())
    assert reached == sorted(reached, reverse=True)
    assert (reached[0], reached[-1]) == (row["sessions"], row["ordered"])


def test_intents_are_counted_without_silent_turns(busy: Engine) -> None:
    """Most frequent first; together as many as there were replies."""
    intents = read_figures(busy, RANGES["30d"]).intents
    with busy.connect() as connection:
        (row,) = rows(connection, "select count(*) as replies from ai_metrics where committed and source <> 'closed'")
    numbers = [replies for _, replies in intents]
    assert numbers == sorted(numbers, reverse=True)
    assert sum(numbers) == row["replies"]


def test_dead_letters_tell_no_more_than_needed(busy: Engine) -> None:
    """The newest 50 of all, and nothing of the customer but the last characters of the number."""
    unfinished, letters = read_waiting(busy)
    assert (unfinished.waiting, unfinished.dead, len(letters)) == (2, 60, 50)
    ids = [letter.id for letter in letters]
    assert ids == sorted(ids, reverse=True)
    assert {len(letter.customer) for letter in letters} == {5}


def test_numbers_in_an_error_are_masked(connection: Connection) -> None:
    """Whatever wrote it, no phone number gets to the page by an error's text."""
    connection.execute(
        text("""
            insert into messages (message_id, customer_phone, content, state, answered_at, reason, last_error)
            values ('m', :phone, '{}', 'dead', now(), 'refused for ' || :phone, :phone)
        """),
        {"phone": ANA},
    )
    _, (letter,) = read_waiting(connection.engine)
    assert (letter.reason, letter.last_error, letter.type) == ("refused for [number]", "[number]", "?")


def test_an_empty_database_has_figures_too(engine: Engine) -> None:
    """Zeros and gaps, no error."""
    for span in RANGES.values():
        figures = read_figures(engine, span)
        assert figures.report["messages"] == 0
        assert {bucket.p50_ms for bucket in figures.buckets} == {None}
        assert figures.messages_per_session == 0
    assert read_waiting(engine)[1] == ()
    assert read_costs(engine)[1]["reduction"] == 0


def test_sources_are_told_apart(connection: Connection) -> None:
    """Silent turns are no messages, and lost ones no replies, but both may have cost something."""
    rows_of = [
        {"source": "ai", "messages": 3, "cost_microusd": 2_000_000, "session_cache": "hit"},
        {"source": "cache", "messages": 1, "session_cache": "miss"},
        {"source": "cache", "messages": 2, "session_cache": None},
        {"source": "closed", "messages": 5, "cost_microusd": 500_000, "session_cache": None},
        {"source": "late", "committed": False, "cost_microusd": 500_000, "session_cache": None},
        {"source": "canned", "messages": 1, "session_cache": None},
    ]
    costless = {"cost_microusd": 0}
    made = [metrics_row(f"{n:08}-1111-4111-8111-111111111111", **costless | row) for n, row in enumerate(rows_of)]
    queries.record_metrics(connection, made)
    for span in RANGES.values():
        (bucket,) = (b for b in read_figures(connection.engine, span).buckets if b.cost_usd)
        assert (bucket.ai, bucket.cache, bucket.fallback, bucket.canned) == (3, 3, 0, 1)
        assert (bucket.cost_usd, bucket.session_hit_rate) == (3.0, 50.0)
        assert bucket.cache_hit_rate == pytest.approx(200 / 3)


def test_a_funnel_counts_who_came_further() -> None:
    """Unknown states and `inactive` are no step of the way."""
    reached = funnel({"browsing": 1, "checkout": 2, "order_completed": 1, "inactive": 1, "gone": 1})
    assert (reached["browsing"], reached["searching"], reached["order_completed"]) == (4, 3, 1)
    assert "inactive" not in reached


@pytest.fixture
def noon(engine: Engine) -> Figures:
    """Figures of the 100 minutes from noon on, of an empty database."""
    until = NOON + timedelta(minutes=100)
    return replace(read_figures(engine, RANGES["1h"]), since=NOON, until=until)


def test_a_timeline_begins_with_what_was_before(noon: Figures) -> None:
    """The last change before the window says how it begins; without one the circuit was closed."""

    def timeline(*changes: tuple[float, str]) -> list[tuple[str, float]]:
        made = [CircuitChange(NOON + timedelta(minutes=minutes), "gpt", state) for minutes, state in changes]
        other = CircuitChange(NOON + timedelta(minutes=30), "gpt/gpt-6", "open")
        return replace(noon, changes=(*made, other)).timeline("gpt")

    found = timeline((-5, "open"), (20, "closed"), (70, "forced_open"))
    assert found == [("open", 0.2), ("closed", 0.5), ("forced_open", 0.3)]
    assert timeline() == [("closed", 1.0)]
    assert timeline((50, "open")) == [("closed", 0.5), ("open", 0.5)]


def test_a_chart_draws_rates_of_whole_buckets(noon: Figures) -> None:
    """A bucket that has hardly begun is left out, but what is in it is something to draw."""

    def bucket(minutes: int, seconds: float, messages: int) -> Bucket:
        return Bucket(NOON + timedelta(minutes=minutes), seconds, messages, 0, 0, 0, 0.0, 0.0, None, None)

    buckets = (bucket(0, 3_600, 120), bucket(60, 1_800, 30), bucket(120, 10, 7))
    drawn = chart_options("Messages per minute", replace(noon, buckets=buckets))
    assert [value for _, value in drawn["series"][1]["data"]] == [2.0, 1.0]
    assert not drawn["title"]["show"]
    assert not chart_options("Messages per minute", replace(noon, buckets=buckets[2:]))["title"]["show"]
    empty = chart_options("Messages per minute", noon)
    assert (empty["title"]["show"], empty["title"]["text"]) == (True, "No messages in this time.")


def test_a_value_between_gaps_is_drawn_as_a_dot(noon: Figures) -> None:
    """A line through it would have no length."""

    def has_dots(*p50s_ms: float | None) -> bool:
        made = [
            Bucket(NOON + timedelta(minutes=n), 60, 1, 0, 0, 0, 0.0, 0.0, None, None, p50_ms)
            for n, p50_ms in enumerate(p50s_ms)
        ]
        series = chart_options("Reply time", replace(noon, buckets=tuple(made)))["series"]
        return bool(series[0]["showSymbol"])

    assert has_dots(5)
    assert has_dots(None, 5, None, 6, 7)
    assert has_dots(1, 2, 3, None, 5)
    assert not has_dots(None, 5, 6, None, 7, 8)


@pytest.mark.parametrize("statement", [dashboard.BUCKETS, dashboard.LATENCIES], ids=["buckets", "latencies"])
def test_whole_hours_are_not_counted_again(shared_engine: Engine, statement: TextClause) -> None:
    """A week is read from the sums of its hours; of the single turns only the two ends, by their index."""
    with shared_engine.connect() as connection:
        connection.execute(EMPTY)
        fill(connection, 30_000, 7 * DAY_S)
        window = report_figures.window(connection, 7 * DAY_S)
        values = window.values | {"bucket_s": 10_800, "moment": window.moment}
        plan = connection.execute(text(f"explain {statement.text}"), values).scalars().all()
    lines = [line for line in plan if " on ai_metrics" in line]
    assert lines
    assert all("Index" in line or "Bitmap" in line for line in lines)
