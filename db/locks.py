"""Advisory locks of PostgreSQL: a number for each thing that only one process may do at a time."""

from sqlalchemy import Connection

#: Migrations (`alembic/env.py`).
MIGRATION_LOCK = 7_243_001
#: The active intake.
INTAKE_LOCK = 7_243_002
#: Sums of hours (`roll_up_hours`, whose SQL repeats the number).
ROLL_UP_LOCK = 7_243_003
#: The one who makes replies ahead.
PRECACHE_LOCK = 7_243_004
#: Advisory locks of this database in `pg_locks`, which shows those of the whole server. A bigint key stands there as
#: two halves; our keys fit into the lower one, `objid`.
ADVISORY = """locktype = 'advisory' and classid = 0
    and database = (select oid from pg_database where datname = current_database())"""


def try_lock(connection: Connection, key: int) -> bool:
    """Takes a session-level lock if it is free, until the connection ends; returns whether it was."""
    return bool(connection.exec_driver_sql("select pg_try_advisory_lock(%(key)s)", {"key": key}).scalar_one())


def unlock(connection: Connection, key: int) -> None:
    """Gives a session-level lock back at once; a connection that only ends may keep it for a moment."""
    connection.exec_driver_sql("select pg_advisory_unlock(%(key)s)", {"key": key})


def is_locked(connection: Connection, key: int) -> bool:
    """Returns whether anybody holds the lock."""
    held = f"select from pg_locks where {ADVISORY} and objid = %(key)s"
    return bool(connection.exec_driver_sql(f"select exists ({held})", {"key": key}).scalar_one())
