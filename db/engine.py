"""Engines and connections. The URL comes from outside; every socket and every statement has a time limit."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.pool import NullPool

from db.servers import follow_primary, normalised

#: For each server that the URL names, one after the other.
CONNECT_TIMEOUT_S = 5
POOL_TIMEOUT_S = 5
STATEMENT_TIMEOUT_MS = 10_000
#: How long a commit of the road may wait for a row that another transaction holds before the batch goes on without that
#: customer. Ours hold rows for milliseconds, or some hundred while a disk is slow; who holds one for longer is somebody
#: else. Everybody in the batch waits for so long, once.
LOCK_TIMEOUT_MS = 500
#: How long the kernel tries to get bytes to a silent server before the connection counts as lost. When a machine is
#: gone, replies stop for so long, and for the time that its standby needs to take its place.
TCP_USER_TIMEOUT_MS = 6_000
#: After how many seconds of silence the kernel asks whether the other side is there, how many seconds it waits for an
#: answer, and how often.
KEEPALIVES = {"idle": 5, "interval": 3, "count": 3}
#: What each session asks of the server. The time limits of its own end of the connection are among it: by default it
#: would keep the locks of a machine that is gone, the active intake's among them, for two hours and more. Where there
#: is no TCP, they change nothing.
SESSION = {
    "timezone": "UTC",
    "tcp_user_timeout": str(TCP_USER_TIMEOUT_MS),
    **{f"tcp_keepalives_{name}": str(value) for name, value in KEEPALIVES.items()},
}


def connection_arguments() -> dict[str, Any]:
    """Returns libpq's settings: time limits, and a name that operators see in pg_stat_activity. No `options`: poolers
    refuse a connection that asks for them.
    """
    return {
        "connect_timeout": CONNECT_TIMEOUT_S,
        "tcp_user_timeout": TCP_USER_TIMEOUT_MS,
        **{f"keepalives_{name}": value for name, value in KEEPALIVES.items()},
        "application_name": "chasqui",
    }


def _settle(engine: Engine, statement_timeout_ms: int, lock_timeout_ms: int) -> Engine:
    """Sets time limits and UTC on each connection of the engine as soon as it is made, and follows the primary."""
    limits = {"statement_timeout": str(statement_timeout_ms), "lock_timeout": str(lock_timeout_ms)}
    asked = SESSION | limits
    statement = f"select {', '.join(['set_config(%s, %s, false)'] * len(asked))}"

    @event.listens_for(engine, "connect")
    def settle(made: Any, _record: object) -> None:
        # In a transaction it would be undone by the first rollback.
        before, made.autocommit = made.autocommit, True
        with made.cursor() as cursor:
            cursor.execute(statement, [part for setting in asked.items() for part in setting])
        made.autocommit = before

    return follow_primary(engine)


def make_engine(
    url: str, *, pool_size: int = 5, statement_timeout_ms: int = STATEMENT_TIMEOUT_MS, lock_timeout_ms: int = 0
) -> Engine:
    """Returns an engine for one process, to be made after any fork.

    Every statement commits by itself: each of ours is one call of a database function. Errors never show parameters,
    which hold what customers wrote.

    Args:
        lock_timeout_ms: longest wait of a statement for a lock; 0: as long as it may take at all.
    """
    engine = create_engine(
        normalised(url),
        isolation_level="AUTOCOMMIT",
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=POOL_TIMEOUT_S,
        pool_recycle=1_800,
        hide_parameters=True,
        connect_args=connection_arguments(),
    )
    return _settle(engine, statement_timeout_ms, lock_timeout_ms)


@contextmanager
def connect(url: str, *, statement_timeout_ms: int = STATEMENT_TIMEOUT_MS) -> Iterator[Connection]:
    """Opens a connection of its own, with transactions, for the length of the block."""
    engine = create_engine(
        normalised(url), poolclass=NullPool, hide_parameters=True, connect_args=connection_arguments()
    )
    with _settle(engine, statement_timeout_ms, lock_timeout_ms=0).connect() as connection:
        yield connection
    engine.dispose()
