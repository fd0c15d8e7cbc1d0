"""The figures behind the page: they add up to the report, hold still in one transaction, and stay quick."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import pytest
from helpers.dashboard_rows import fill
from helpers.factories import ANA, metrics_row, rows
from sqlalchemy import Connection, Engine, text
from worker.operate.dashboard.ranges import RANGES, TimeRange, named

from db import dashboard, queries
from db import report as report_figures
from worker.operate.dashboard.figures import read_figures, read_spent, read_waiting

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
DAY_S = 86_400
#: What is made within seconds, and takes a fraction of the time allowed here.
MANY, QUICK_S = 100_000, 1.0


@pytest.fixture
def busy(engine: Engine) -> Engine:
    """Two days of 3,000 messages, with rows that count for some figures only."""
    with engine.connect() as connection:
        fill(connection, 3_000, 2 * DAY_S, waiting=2, dead=60)
        lost = metrics_row("11111111-1111-4111-8111-111111111111", committed=False, cost_microusd=5_000)
        silent = metrics_row("22222222-2222-4222-8222-222222222222", source="closed", cost_microusd=0)
        queries.record_metrics(connection, [lost, silent])
    return engine


@pytest.mark.parametrize("span", RANGES, ids=lambda span: span.name)
def test_the_buckets_add_up_to_the_report(busy: Engine, span: TimeRange) -> None:
    """Messages and money of all buckets are those of the window; lost and silent turns count as they do there."""
    figures = read_figures(busy, span)
    told = figures.report
    assert sum(bucket.messages for bucket in figures.buckets) == told["messages"]
    assert sum(bucket.cost_usd for bucket in figures.buckets) == pytest.approx(told["costs"]["total_usd"])
    assert sum(bucket.baseline_usd for bucket in figures.buckets) == pytest.approx(told["costs"]["baseline_usd"])
    assert sum(piece.sessions for piece in figures.expiries) == told["sessions"]["expired_sessions_cleaned"]
    assert sum(bucket.seconds for bucket in figures.buckets) == pytest.approx(span.window_s)
    assert told["costs"]["total_usd"] >= 0.005


def test_a_bucket_has_the_percentiles_of_its_turns(busy: Engine) -> None:
    """From the sums of whole hours and from single turns alike, PostgreSQL's own percentile_cont."""
    for span in RANGES:
        figures = read_figures(busy, span)
        since = figures.until - timedelta(seconds=span.window_s)
        with busy.connect() as connection:
            found = rows(
                connection,
                """
                select date_bin(make_interval(secs => :bucket_s), at, 'epoch') as at,
                       percentile_cont(array[0.5, 0.95, 0.99]) within group (order by reply_latency_ms) as wanted
                from ai_metrics where committed and at >= :since and reply_latency_ms is not null group by 1
                """,
                bucket_s=span.bucket_s,
                since=since,
            )
        wanted = {row["at"]: tuple(map(round, row["wanted"])) for row in found}
        drawn = {b.at: (b.p50_ms, b.p95_ms, b.p99_ms) for b in figures.buckets if b.p50_ms is not None}
        assert drawn.keys() == wanted.keys()
        # A half may be rounded either way: ours is a sum of floating point numbers.
        assert all(abs(a - b) <= 1 for at in wanted for a, b in zip(drawn[at], wanted[at], strict=True))
        assert len(drawn) > 2 or span.name == "15m"


def test_hit_rates_are_those_of_sql(busy: Engine) -> None:
    """Of a bucket in the middle of the day."""
    bucket = read_figures(busy, named("24h")).buckets[12]
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
    day, month = read_spent(busy)
    with busy.connect() as connection:
        wanted = queries.spent_microusd(connection)
    assert (round(month.cost_usd * 1e6), round(day.cost_usd * 1e6)) == wanted
    assert month.baseline_usd >= day.baseline_usd > 0
    assert month.saved_percent == pytest.approx(100 * (1 - month.cost_usd / month.baseline_usd), abs=0.06)


def test_sessions_are_counted_where_they_stand_or_ended(busy: Engine) -> None:
    """Live ones and those that ended in the window; each step counts those that came further."""
    figures = read_figures(busy, named("30d"))
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
    reached = [step.reached for step in figures.steps]
    assert reached == sorted(reached, reverse=True)
    assert figures.steps[0].reached == row["sessions"]
    assert figures.steps[-1].here == figures.steps[-1].reached == row["ordered"]


def test_intents_are_counted_without_silent_turns(busy: Engine) -> None:
    """Most frequent first; together as many as there were replies."""
    intents = read_figures(busy, named("30d")).intents
    with busy.connect() as connection:
        (row,) = rows(connection, "select count(*) as replies from ai_metrics where committed and source <> 'closed'")
    numbers = [replies for _, replies in intents]
    assert numbers == sorted(numbers, reverse=True)
    assert sum(numbers) == row["replies"]


def test_dead_letters_tell_no_more_than_needed(busy: Engine) -> None:
    """The newest 50 of all, and nothing of the customer but the last characters of the number."""
    waiting = read_waiting(busy)
    assert (waiting.unanswered, waiting.dead, len(waiting.dead_letters)) == (2, 60, 50)
    assert waiting.oldest_s == pytest.approx(20, abs=5)
    ids = [letter.id for letter in waiting.dead_letters]
    assert ids == sorted(ids, reverse=True)
    assert {len(letter.customer) for letter in waiting.dead_letters} == {5}


def test_numbers_in_an_error_are_masked(connection: Connection) -> None:
    """Whatever wrote it, no phone number gets to the page by an error's text."""
    connection.execute(
        text("""
            insert into messages (message_id, customer_phone, content, state, answered_at, reason, last_error)
            values ('m', :phone, '{}', 'dead', now(), 'refused for ' || :phone, :phone)
        """),
        {"phone": ANA},
    )
    (letter,) = read_waiting(connection.engine).dead_letters
    assert (letter.reason, letter.last_error, letter.type) == ("refused for [number]", "[number]", "?")


def test_an_empty_database_has_figures_too(engine: Engine) -> None:
    """Zeros and gaps, no error."""
    for span in RANGES:
        figures = read_figures(engine, span)
        assert figures.report["messages"] == 0
        assert {bucket.p50_ms for bucket in figures.buckets} == {None}
        assert figures.messages_per_session == 0
    assert read_waiting(engine).dead_letters == ()
    assert read_spent(engine)[1].saved_percent == 0


@pytest.fixture(scope="module")
def many(shared_engine: Engine) -> Engine:
    """A busy week."""
    with shared_engine.connect() as connection:
        connection.execute(text("truncate messages, ai_metrics, events, customer_sessions"))
        fill(connection, MANY, 7 * DAY_S)
    return shared_engine


@pytest.mark.parametrize("span", RANGES, ids=lambda span: span.name)
def test_every_range_is_read_quickly(many: Engine, span: TimeRange) -> None:
    """The best of three, so that it is our queries that are measured and not our neighbours."""

    def once() -> float:
        began = time.monotonic()
        assert read_figures(many, span).report["messages"] > 0
        return time.monotonic() - began

    assert min(once() for _ in range(3)) < QUICK_S


def test_whole_hours_are_not_counted_again(many: Engine) -> None:
    """A week is read from the sums of its hours; of the single turns only the two ends."""
    with many.connect() as connection:
        window = report_figures.window(connection, 7 * DAY_S)
        values = window.values | {"bucket_s": 10_800}
        plan = connection.execute(text(f"explain {dashboard.SUMS_BY_HOURS.text}"), values).scalars().all()
    lines = [line for line in plan if " on ai_metrics" in line]
    assert lines
    assert all("Index" in line or "Bitmap" in line for line in lines)
