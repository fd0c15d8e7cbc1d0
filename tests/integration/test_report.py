"""The metrics report: its figures by hand, and against plain SQL over all rows for any window."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from io import StringIO
from threading import Thread
from typing import Any
from uuid import uuid4

import pytest
from helpers.basics import GUARD_S
from helpers.factories import metrics_row, row, rows
from rich.console import Console
from sqlalchemy import Connection, Engine, text

from db import queries
from worker.operate.commands.report import as_tables
from worker.telemetry.recording import FAILURES
from worker.telemetry.report import make_report

Json = dict[str, Any]
HOUR = timedelta(hours=1)
#: What the report is made of, straight from the table; the report must tell the same whatever it has summed up before.
PLAIN = """
    select coalesce(sum(messages) filter (where committed and source <> 'closed'), 0)::integer as messages,
           coalesce(100.0 * count(*) filter (where committed and source = 'cache') / nullif(count(*) filter (
               where committed and source in ('ai', 'cache', 'fallback')), 0), 0)::float as hit_rate,
           coalesce(100.0 * count(*) filter (where session_cache = 'hit') / nullif(count(*) filter (
               where session_cache in ('hit', 'miss')), 0), 0)::float as session_hit_rate,
           coalesce(sum(cost_microusd), 0)::integer as cost_microusd,
           coalesce(sum(baseline_microusd) filter (where committed), 0)::integer as baseline_microusd,
           coalesce(percentile_cont(array[0.5, 0.95, 0.99]) within group (order by reply_latency_ms)
               filter (where committed), array[0, 0, 0]::double precision[]) as latency_ms
    from ai_metrics where at >= :since and at < :until
"""
PLAIN_CALLS = """
    select c ->> 'provider' as provider, c ->> 'model' as model,
           coalesce(sum((c ->> 'calls')::integer) filter (where c ->> 'outcome' = 'ok'), 0)::integer as ok,
           coalesce(sum((c ->> 'calls')::integer) filter (where c ->> 'outcome' = 'timeout'), 0)::integer as timeout,
           coalesce(sum((c ->> 'calls')::integer) filter (where c ->> 'outcome' = 'model_gone'), 0)::integer as gone,
           sum((c ->> 'cost_microusd')::integer)::integer as cost_microusd,
           coalesce(sum((c -> 'usage' ->> 'prompt_tokens')::integer), 0)::integer as prompt_tokens,
           coalesce(sum((c -> 'usage' ->> 'cached_tokens')::integer), 0)::integer as cached_tokens
    from ai_metrics, jsonb_array_elements(calls_made) c where at >= :since and at < :until group by 1, 2 order by 1, 2
"""
#: Of every kind of turn, at random moments of the `days` days before now.
SCATTER = text("""
    insert into ai_metrics (reply_id, at, committed, source, provider, messages, cost_microusd, baseline_microusd,
                            provider_latency_ms, reply_latency_ms, session_cache, calls_made)
    select gen_random_uuid(), now() - random() * make_interval(days => :days), random() < 0.9,
           (array['ai', 'cache', 'cache', 'fallback', 'canned', 'closed'])[1 + floor(random() * 6)::integer],
           (array['gemini-flash', 'deepseek', null])[1 + floor(random() * 3)::integer], 1 + n % 3, n % 7 * 10, 40,
           100 + n % 300, case when n % 50 > 0 then floor(20 + exp(random() * 8)) end,
           (array['hit', 'hit', 'miss', 'new', null])[1 + floor(random() * 5)::integer],
           case when n % 3 > 0 then '[]' else jsonb_build_array(
               jsonb_build_object('provider', 'deepseek', 'model', 'deepseek-flash', 'calls', 1, 'cost_microusd', n % 7,
                   'outcome', (array['ok', 'ok', 'timeout', 'model_gone'])[1 + floor(random() * 4)::integer],
                   'usage', jsonb_build_object('prompt_tokens', 600 + n % 9, 'cached_tokens', n % 500)),
               jsonb_build_object('provider', (array['deepseek', 'gpt'])[1 + n % 2], 'model', 'm' || n % 2, 'calls', 2,
                   'cost_microusd', 11, 'outcome', 'ok', 'usage', '{}'::jsonb)) end
    from generate_series(1, :turns) n
""")


def scatter(connection: Connection, days: int, turns: int) -> None:
    """So many turns at random moments of the last days."""
    connection.execute(SCATTER, {"days": days, "turns": turns})


def record(connection: Connection, at: datetime | None = None, **changes: Any) -> None:
    """One turn, as it is recorded; at: when it was, where that is not now."""
    reply_id = str(uuid4())
    queries.record_metrics(connection, [metrics_row(reply_id, **changes)])
    if at is not None:
        moved = text("update ai_metrics set at = :at where reply_id = cast(:reply_id as uuid)")
        connection.execute(moved, {"at": at, "reply_id": reply_id})


def check(connection: Connection, window_s: float, until: datetime) -> Json:
    """The report of a window, after a comparison with plain SQL."""
    report = make_report(connection, window_s, until)
    found = row(connection, PLAIN, since=until - timedelta(seconds=window_s), until=until)
    assert report["messages"] == found["messages"]
    assert report["ai"]["ai_cache_hit_rate"] == pytest.approx(found["hit_rate"], abs=0.051)
    assert report["sessions"]["session_cache_hit_rate"] == pytest.approx(found["session_hit_rate"], abs=0.051)
    assert round(report["costs"]["total_usd"] * 1_000_000) == found["cost_microusd"]
    assert round(report["costs"]["baseline_usd"] * 1_000_000) == found["baseline_microusd"]
    assert list(report["latency_ms"].values()) == pytest.approx(found["latency_ms"], abs=0.51)
    check_calls(connection, report["calls"], until - timedelta(seconds=window_s), until)
    return report


def check_calls(connection: Connection, calls: Json, since: datetime, until: datetime) -> None:
    """Calls, tokens and costs of each model, and the sums of each provider."""
    plain = rows(connection, PLAIN_CALLS, since=since, until=until)
    models = [(provider, model, told) for provider in calls for model, told in calls[provider]["models"].items()]
    assert [(provider, model) for provider, model, _ in models] == [(each["provider"], each["model"]) for each in plain]
    for found, (_, _, told) in zip(plain, models, strict=True):
        assert (told["ok"], told["failed"]["timeout"], told["failed"]["model_gone"]) == (
            *(found[name] for name in ("ok", "timeout", "gone")),
        )
        assert (round(told["cost_usd"] * 1_000_000), told["prompt_tokens"]) == (
            *(found[name] for name in ("cost_microusd", "prompt_tokens")),
        )
        rate = 100 * found["cached_tokens"] / max(found["prompt_tokens"], 1)
        assert told["prompt_cache_rate"] == pytest.approx(rate, abs=0.051)
    for told in calls.values():
        assert told["ok"] == sum(model["ok"] for model in told["models"].values())
        kinds = {kind: sum(model["failed"][kind] for model in told["models"].values()) for kind in told["failed"]}
        assert told["failed"] == kinds


def check_windows(connection: Connection) -> None:
    """Long and short windows, those that end now and those in the past, on the hour and beside it."""
    now = datetime.now(UTC)
    whole = now.replace(minute=0, second=0, microsecond=0)
    for until in (now, whole, whole - HOUR, now - timedelta(minutes=90), now - timedelta(days=2), now + HOUR):
        for window_s in (600, 3_600, 7_200, 86_400, 3.5 * 86_400, 20 * 86_400):
            check(connection, window_s, until)


def test_the_figures_by_hand(connection: Connection) -> None:
    """Every figure of the report, from a handful of turns."""
    given = [
        {"provider": "deepseek", "cost_microusd": 30, "baseline_microusd": 100, "provider_latency_ms": 200},
        {"provider": "deepseek", "cost_microusd": 10, "baseline_microusd": 100, "provider_latency_ms": 301},
        {"provider": "gemini-flash", "cost_microusd": 20, "baseline_microusd": 50, "provider_latency_ms": 90},
        {"source": "cache", "provider": "deepseek", "cost_microusd": 0, "baseline_microusd": 150, "messages": 2}
        | {"provider_latency_ms": 999},
        {"source": "fallback", "cost_microusd": 0, "baseline_microusd": 0},
        {"source": "canned", "cost_microusd": 0, "baseline_microusd": 0},
        {"source": "closed", "cost_microusd": 0, "baseline_microusd": 0},
    ]
    for n, changes in enumerate(given):
        record(connection, **changes, session_cache="hit" if n < 3 else "miss" if n == 3 else "new")
    connection.execute(text("update ai_metrics set reply_latency_ms = 100 * id - 50"))
    for state in ("open", "half_open", "open", "forced_open"):
        queries.add_event(connection, "circuit", {"provider": "deepseek", "state": state})
    queries.add_event(connection, "cleanup", {"deleted": 2})
    for duration_s in (600, 1_200):
        queries.add_event(connection, "session_end", {"duration_s": duration_s})
    connection.execute(
        text("insert into customer_sessions (customer_phone, created_at) values ('1', now() - interval '30 minutes')")
    )
    assert make_report(connection) == {
        "window_s": 86_400,
        "messages": 7,
        "channels": {},
        "closed": {"answered_by_person": 0, "revoked": 0, "too_late": 0},
        "ai": {
            "ai_cache_hit_rate": 20.0,
            "ai_provider_distribution": {"deepseek": 66.7, "gemini-flash": 33.3},
            "average_response_time_ms": {"deepseek": 250, "gemini-flash": 90},
            "circuit_breaker_trips": 2,
            "fallback_usage": 20.0,
        },
        "calls": {},
        "sessions": {
            "session_cache_hit_rate": 75.0,
            "average_session_duration_s": 1_200,
            "active_sessions": 1,
            "expired_sessions_cleaned": 2,
        },
        "costs": {
            "total_usd": 0.00006,
            "by_provider_usd": {"deepseek": 0.00004, "gemini-flash": 0.00002},
            "cost_per_request_usd": 0.000009,
            "cache_savings": 37.5,
            "baseline_usd": 0.0004,
            "reduction": 85.0,
        },
        "precache": {"answered": 0, "hits": 0, "waste": 0, "cost_usd": 0.0, "saved_usd": 0.0},
        "latency_ms": {"p50": 350, "p95": 620, "p99": 644},
        "cart_operations": {"proposed": 0, "made": 0, "refused": 0, "undone": 0},
        "orders": {"placed": 0, "total": {}},
        "delivery": {"sent": 0, "delivered": 0, "read": 0, "failed": {}},
    }


def test_orders_by_currency(connection: Connection) -> None:
    """Of the window alone; pesos and dollars are never one sum."""
    order = "insert into orders (customer_phone, total, currency, created_at) values ('1', :total, :currency, :at)"
    now = datetime.now(UTC)
    given = [("1850.50", "ARS", 60), ("200", "ARS", 120), ("9.5", "USD", 60), ("7", "EUR", 90_000)]
    for total, currency, ago_s in given:
        values = {"total": Decimal(total), "currency": currency, "at": now - timedelta(seconds=ago_s)}
        connection.execute(text(order), values)
    report = make_report(connection)
    assert report["orders"] == {"placed": 3, "total": {"ARS": "2050.50", "USD": "9.50"}}
    paper = StringIO()
    Console(file=paper, width=100).print(as_tables(report))
    assert re.search(r"ordered in ARS\W+2,050\.50\W+ordered in USD\W+9\.50\b", paper.getvalue())
    assert make_report(connection, 3_600, now - timedelta(seconds=89_000))["orders"]["total"] == {"EUR": "7.00"}


def call(model: str, outcome: str, calls: int = 1, cost: int = 0, **usage: int) -> Json:
    """Calls of a model as they are recorded."""
    provider = "gpt" if model.startswith("gpt") else "deepseek"
    made = {"provider": provider, "model": model, "outcome": outcome, "calls": calls, "cost_microusd": cost}
    return made | {"usage": usage}


def test_calls_by_hand(connection: Connection) -> None:
    """The report's form: the model that answered most, every kind of failure, and beside them each model's own."""
    record(connection, calls_made=[call("deepseek-flash", "model_gone"), call("deepseek-v4-pro", "ok", 2, 300)])
    read = {"prompt_tokens": 600, "cached_tokens": 450, "completion_tokens": 60}
    record(connection, calls_made=[call("deepseek-flash", "ok", 1, 80, **read)])
    record(connection, committed=False, calls_made=[call("deepseek-v4-pro", "timeout", 1, 20)])
    record(connection, source="cache")
    nothing = dict.fromkeys(FAILURES, 0)
    (told,) = make_report(connection)["calls"].items()
    assert told == (
        "deepseek",
        {
            "model": "deepseek-v4-pro",
            "ok": 3,
            "failed": nothing | {"model_gone": 1, "timeout": 1},
            "models": {
                "deepseek-flash": {
                    "ok": 1,
                    "failed": nothing | {"model_gone": 1},
                    "cost_usd": 0.00008,
                    "prompt_tokens": 600,
                    "prompt_cache_rate": 75.0,
                },
                "deepseek-v4-pro": {
                    "ok": 2,
                    "failed": nothing | {"timeout": 1},
                    "cost_usd": 0.00032,
                    "prompt_tokens": 0,
                    "prompt_cache_rate": 0.0,
                },
            },
        },
    )


def test_calls_are_shown_by_model(connection: Connection) -> None:
    """On a terminal: what failed in words, the providers' own caches, the money; kinds that did not happen are not."""
    read = {"prompt_tokens": 600, "cached_tokens": 450}
    record(connection, calls_made=[call("gpt-6-luna", "model_gone", 2), call("gpt-6.1-terra", "ok", 3, 80, **read)])
    paper = StringIO()
    Console(file=paper, width=80).print(as_tables(make_report(connection)))
    cells = [
        [cell.strip() for cell in line.split("│")[1:-1]] for line in paper.getvalue().splitlines() if "gpt/" in line
    ]
    assert cells == [
        ["gpt/gpt-6-luna", "0", "2 model_gone", "0.0 %", "$ 0.000000"],
        ["gpt/gpt-6.1-terra", "3", "0", "75.0 %", "$ 0.000080"],
    ]


def test_calls_at_the_edges_of_hours(connection: Connection) -> None:
    """A window holds its first moment and not its last, whether hours are summed up already or not."""
    hour = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - 5 * HOUR
    tick = timedelta(microseconds=1)
    add = text(
        "insert into ai_metrics (reply_id, at, source, calls_made)"
        " values (gen_random_uuid(), :at, 'ai', cast(:calls as jsonb))"
    )
    for at in (hour - tick, hour, hour + HOUR - tick, hour + HOUR, hour + 2 * HOUR - tick, hour + 2 * HOUR):
        connection.execute(add, {"at": at, "calls": json.dumps([call("deepseek-flash", "ok")])})
    summed_up = row(connection, "select count(*) as hours, sum(calls)::integer as calls from call_hours")
    assert summed_up == {"hours": 4, "calls": 6}
    for since, until, calls in (
        (hour, hour + HOUR, 2),
        (hour, hour + 2 * HOUR, 4),
        (hour + tick, hour + HOUR - tick, 0),
        (hour - tick, hour + tick, 2),
        (hour + tick, hour + 2 * HOUR + tick, 4),
    ):
        found = check(connection, (until - since).total_seconds(), until)["calls"]
        assert found.get("deepseek", {"ok": 0})["ok"] == calls


def test_turns_of_before_calls_were_recorded(connection: Connection) -> None:
    """They count in every figure but that of calls."""
    record(connection, datetime.now(UTC) - 3 * HOUR, provider="deepseek", model="deepseek-chat")
    record(connection, provider="deepseek", calls_made=None)
    report = check(connection, 86_400, datetime.now(UTC) + HOUR)
    assert (report["messages"], report["calls"]) == (2, {})


def test_an_empty_database(connection: Connection) -> None:
    """Zeros, not errors."""
    report = make_report(connection)
    assert (report["messages"], report["costs"]["total_usd"], report["latency_ms"]["p99"]) == (0, 0, 0)
    assert report["ai"]["ai_provider_distribution"] == {}


def test_each_attempt_is_paid_on_its_own_provider(connection: Connection) -> None:
    """A provider that failed and was paid is not charged to the one that answered, nor forgotten with a fallback, in
    the hours that are summed up as in those that are not.
    """
    for at in (None, datetime.now(UTC) - 3 * HOUR):
        shares = {"gemini-flash": 5, "deepseek": 30}
        record(connection, at, provider="deepseek", cost_microusd=35, cost_by_provider=shares)
        record(connection, at, source="fallback", cost_microusd=9, cost_by_provider={"gpt": 4, "gemini-flash": 5})
        record(connection, at, provider="deepseek", cost_microusd=100)
    report = make_report(connection)
    usd = {name: round(value * 1_000_000) for name, value in report["costs"]["by_provider_usd"].items()}
    assert usd == {"deepseek": 260, "gemini-flash": 20, "gpt": 8}
    assert round(report["costs"]["total_usd"] * 1_000_000) == sum(usd.values())
    assert report["ai"]["ai_provider_distribution"] == {"deepseek": 100.0, "gemini-flash": 0.0, "gpt": 0.0}


def test_any_window_tells_what_the_rows_tell(connection: Connection) -> None:
    """Rows that come in any order, move, and go: whole hours are summed up, and sums never differ from the rows."""
    scatter(connection, days=9, turns=2_000)
    assert row(connection, "select count(*) > 150 as summed_up from metric_hours") == {"summed_up": True}
    check_windows(connection)
    scatter(connection, days=15, turns=500)
    connection.execute(text("update ai_metrics set at = at - interval '50 minutes', messages = 5 where id % 3 = 0"))
    check_windows(connection)
    connection.execute(text("delete from ai_metrics where id % 4 = 0 or at < now() - interval '8 days'"))
    check_windows(connection)
    connection.execute(text("truncate ai_metrics"))
    check_windows(connection)


@contextmanager
def unnoticed(connection: Connection) -> Iterator[None]:
    """Rows of this block are as those that come while their hour is under way: nothing sums them up."""
    connection.execute(text("alter table ai_metrics disable trigger user"))
    yield
    connection.execute(text("alter table ai_metrics enable trigger user"))


def test_the_first_turn_after_an_hour_sums_it_up(connection: Connection) -> None:
    """All hours that have ended, with or without turns in them; the hour under way never."""
    with unnoticed(connection):
        scatter(connection, days=2, turns=300)
    check_windows(connection)
    assert rows(connection, "select from metric_hours") == []
    record(connection)
    wanted = "select distinct date_trunc('hour', at) as hour from ai_metrics where at < date_trunc('hour', now()) {}"
    summed = rows(connection, "select distinct hour from metric_hours order by 1")
    assert summed == rows(
        connection, wanted.format("and at < date_trunc('hour', now() - interval '1 minute') order by 1")
    )
    check_windows(connection)


def test_two_that_sum_up_at_once(connection: Connection, engine: Engine) -> None:
    """Late turns of the same hour in two transactions: the second waits for the first and forgets nothing of it."""
    then = datetime.now(UTC) - 3 * HOUR
    insert = text("insert into ai_metrics (reply_id, at, source) values (gen_random_uuid(), :at, :source)")

    def late() -> None:
        with engine.connect() as other:
            other.execute(insert, {"at": then, "source": "ai"})

    with engine.execution_options(isolation_level="READ COMMITTED").begin() as first:
        first.execute(insert, {"at": then, "source": "cache"})
        second = Thread(target=late)
        second.start()
        wait_for_a_waiter(connection)
    second.join()
    assert check(connection, 86_400, datetime.now(UTC))["messages"] == 2
    assert row(connection, "select sum(messages)::integer as messages from metric_hours") == {"messages": 2}


def wait_for_a_waiter(connection: Connection) -> None:
    """Returns when somebody waits for an advisory lock of this database."""
    waiting = "select count(*) as n from pg_locks where locktype = 'advisory' and not granted"
    deadline = time.monotonic() + GUARD_S
    while row(connection, waiting) == {"n": 0}:
        assert time.monotonic() < deadline, "nobody waits"


def test_sessions_that_were_alive_then(connection: Connection) -> None:
    """A window in the past counts the sessions of its end: those alive still, and those that have ended since."""
    now = datetime.now(UTC)
    stored = text("""
        insert into customer_sessions (customer_phone, created_at, updated_at, expires_at)
        values (:phone, :created, :updated, cast(:updated as timestamptz) + interval '2 hours')
    """)
    for phone, created_h, updated_h in (("long", 6, 0.5), ("young", 1, 0.2)):
        times = {"created": now - created_h * HOUR, "updated": now - updated_h * HOUR}
        connection.execute(stored, {"phone": phone} | times)
    ended = text(
        "insert into events (kind, at, data) values ('session_end', :at, jsonb_build_object('duration_s', 3600))"
    )
    for ended_h in (0.5, 4.5):
        # Alive from three hours before its end.
        connection.execute(ended, {"at": now - ended_h * HOUR})
    sessions = [make_report(connection, 60, now - h * HOUR)["sessions"] for h in (0, 2, 4, 5, 20)]
    assert [one["active_sessions"] for one in sessions] == [2, 2, 1, 2, 0]
    # Two hours ago: four hours of `long`, and the whole hour of the one that ended half an hour ago.
    assert sessions[1]["average_session_duration_s"] == pytest.approx((4 + 1) / 2 * 3_600, abs=2)


def test_the_window_in_the_past_leaves_out_what_came_later(connection: Connection) -> None:
    """Both ends count: from the first moment on, up to but not including the last."""
    day = datetime(2026, 1, 2, tzinfo=UTC)
    for at in (day - timedelta(microseconds=1), day, day + 23 * HOUR, day + 24 * HOUR):
        record(connection, at)
    queries.add_event(connection, "circuit", {"provider": "deepseek", "state": "open"})
    report = check(connection, 86_400, day + 24 * HOUR)
    assert (report["window_s"], report["messages"], report["ai"]["circuit_breaker_trips"]) == (86_400, 2, 0)
