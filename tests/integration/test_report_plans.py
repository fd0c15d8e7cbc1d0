"""How PostgreSQL answers the report with a year of turns in the database: by indexes and sums, never row by row."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from helpers.basics import MIGRATED, Servers, new_database
from sqlalchemy import Connection, TextClause, text

from db import report
from db.engine import connect
from worker.session.session import SESSION_TTL_S

DAY_S = 86_400.0
TURNS = 40_000
#: A turn every 13 minutes for a year, each with its message; as many events and sessions as go with them.
YEAR = (
    """
    insert into ai_metrics (reply_id, at, source, provider, provider_latency_ms, reply_latency_ms, session_cache)
    select gen_random_uuid(), now() - n * make_interval(secs => 31536000.0 / :turns),
           (array['ai', 'cache', 'cache', 'canned'])[1 + n % 4], 'deepseek', 200, 50 + n % 900, 'hit'
    from generate_series(1, :turns) n
    """,
    """
    insert into messages (message_id, customer_phone, content, accepted_at, state, reply_id)
    select reply_id::text, id % 5000, '{}', at, 'answered', reply_id from ai_metrics
    """,
    """
    insert into events (kind, at, data)
    select (array['circuit', 'session_end', 'cleanup', 'other'])[1 + id % 4], at, '{"duration_s": 60, "deleted": 1}'
    from ai_metrics
    """,
    "insert into orders (customer_phone, total, created_at) select id % 5000, 10, at from ai_metrics",
    """
    insert into customer_sessions (customer_phone, created_at, updated_at, expires_at)
    select n, now() - interval '1 day', now() - interval '1 day', now() + make_interval(mins => n - 4000)
    from generate_series(1, 5000) n
    """,
    "vacuum analyze",
)


@pytest.fixture(scope="module")
def year(servers: Servers) -> Iterator[Connection]:
    """A connection to a database of its own with a year of turns, ended by the one that sums up the last hour."""
    with new_database(servers, MIGRATED) as url, connect(url, statement_timeout_ms=60_000) as opened:
        connection = opened.execution_options(isolation_level="AUTOCOMMIT")
        for statement in YEAR:
            connection.execute(text(statement), {"turns": TURNS} if ":turns" in statement else {})
        yield connection


def plan(connection: Connection, statement: TextClause, values: dict[str, object]) -> str:
    """How PostgreSQL would answer a statement."""
    return "\n".join(connection.execute(text(f"explain {statement.text}"), values).scalars())


@pytest.mark.parametrize("days", [1, 7])
@pytest.mark.parametrize("name", ["SUMS", "LATENCIES", "EVENTS", "SESSIONS"])
def test_a_window_is_found_by_indexes(year: Connection, name: str, days: int) -> None:
    """Whatever the year holds, a short window reads no table from its beginning to its end."""
    window = report.window(year, days * DAY_S)
    values = {"moment": window.moment, "ttl_s": SESSION_TTL_S} if name == "SESSIONS" else window.values
    found = plan(year, getattr(report, name), values)
    assert re.findall(r"Seq Scan on (\w+)", found) == [], found
    assert "Index" in found


def test_orders_of_a_window_are_found_by_index(year: Connection) -> None:
    """Those of a day, not of the year."""
    found = plan(year, report.ORDERS, report.window(year, DAY_S).values)
    assert "orders_created_at_idx" in found
    assert "Seq Scan" not in found


def test_a_whole_year_is_read_from_its_sums(year: Connection) -> None:
    """Of a year only the hours at both ends are read turn by turn, and those by the index."""
    window = report.window(year, 365 * DAY_S)
    assert (window.hours_until - window.hours_since).days == 364
    for statement in (report.SUMS, report.LATENCIES):
        found = plan(year, statement, window.values)
        assert "Seq Scan on ai_metrics" not in found
        assert "ai_metrics_at_idx" in found
        assert re.search(r"(metric|latency)_hours", found)
