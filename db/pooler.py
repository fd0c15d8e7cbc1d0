"""Detection of poolers in transaction or statement mode, behind which a connection does not keep its session."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import psycopg2  # type: ignore[import-untyped]  # it ships none

from db.engine import connection_arguments
from db.servers import normalised

#: Two looks suffice at a pooler that is idle; the others are for one that is busy, or hands out its servers in turns.
LOOKS = 5


def keeps_session(url: str) -> bool:
    """Returns whether a client's connection stays with one server process for as long as it is open.

    If it does not, there are no advisory locks and no settings that last.

    Raises:
        psycopg2.Error: the server does not answer.
    """
    with _opened(url) as idle, _opened(url) as busy:
        return _may_begin(url, busy) and _is_kept(idle, busy)


@contextmanager
def _opened(url: str) -> Iterator[Any]:
    """Opens a cursor on a connection of its own, as libpq makes it: SQLAlchemy would begin a transaction at once."""
    where = normalised(url)
    _, given = where.get_dialect()().create_connect_args(where)
    with closing(psycopg2.connect(**{**given, **connection_arguments()})) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            yield cursor


def _may_begin(url: str, cursor: Any, *, again: bool = True) -> bool:
    """Returns whether there are transactions. A pooler in statement mode ends a connection that begins one; so does a
    server that is just going away, and therefore it is tried again.
    """
    try:
        cursor.execute("begin")
        cursor.execute("rollback")
    except psycopg2.OperationalError:
        if not again:
            return False
        with _opened(url) as another:
            _process(another)
            return _may_begin(url, another, again=False)
    return True


def _is_kept(idle: Any, busy: Any) -> bool:
    """Asks on both connections again and again which process serves them. A pooler hands on the one that `idle` leaves
    between two statements, to `busy` or to somebody else; `busy` holds its own in a transaction meanwhile, so that
    `idle` cannot get it back. Two processes seen by one connection, or one seen by both, give the pooler away.
    """
    seen_idle, seen_busy = set(), set()
    for _ in range(LOOKS):
        seen_idle.add(_process(idle))
        busy.execute("begin")
        seen_busy.add(_process(busy))
        if seen_idle & seen_busy:
            return False
        seen_idle.add(_process(idle))
        busy.execute("commit")
    return len(seen_idle) == len(seen_busy) == 1


def _process(cursor: Any) -> int:
    cursor.execute("select pg_backend_pid()")
    return int(cursor.fetchone()[0])
