"""Sessions and carts of customers who write, and what ends with its time."""

from collections.abc import Iterable

from sqlalchemy import Connection

from db.queries.statement import Json, rows, run

#: Rows of one call of the retention: while they are erased, new messages of their customers wait.
RETENTION_ROWS = 500


def load_sessions(connection: Connection, phones: Iterable[str]) -> list[Json]:
    """Returns the live sessions of these customers, as rows of `get_session_optimized`."""
    sql = "select s.* from unnest(%(phones)s::text[]) phone cross join lateral get_session_optimized(phone) s"
    return rows(run(connection, sql, phones=list(phones)))


def left_carts(connection: Connection, phones: Iterable[str]) -> list[Json]:
    """Returns carts of conversations that ended within a day, of these customers: customer_phone, cart_data."""
    return rows(run(connection, "select * from left_carts(%(phones)s::text[])", phones=list(phones)))


def cleanup_expired_sessions(connection: Connection) -> int:
    """Deletes at most 10,000 expired sessions; returns how many."""
    return int(run(connection, "select cleanup_expired_sessions()").scalar_one())


def apply_retention(connection: Connection, keep_days: int, max_rows: int = RETENTION_ROWS) -> int:
    """Erases at most `max_rows` rows that are older than `keep_days`; returns how many."""
    sql = "select apply_retention(%(keep_days)s, %(max_rows)s)"
    return int(run(connection, sql, keep_days=keep_days, max_rows=max_rows).scalar_one())
