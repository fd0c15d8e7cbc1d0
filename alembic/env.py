"""Runs the migrations: one migrator at a time, and never waiting behind a busy table for long.

The database is the connection that the caller put into `config.attributes["connection"]`, or else `DATABASE_URL`.
"""

from alembic import context
from alembic.util import CommandError
from sqlalchemy import Connection, text

from db.engine import connect
from db.locks import MIGRATION_LOCK
from worker.errors import ConfigurationError
from worker.settings import settings

LOCK_TIMEOUT = "10s"
STATEMENT_TIMEOUT = "10min"


def migrate(connection: Connection) -> None:
    """Runs all pending steps in one transaction under the advisory lock."""
    context.configure(connection=connection)
    with context.begin_transaction():
        connection.execute(text(f"set local lock_timeout = '{LOCK_TIMEOUT}'"))
        connection.execute(text(f"set local statement_timeout = '{STATEMENT_TIMEOUT}'"))
        connection.execute(text("select pg_advisory_xact_lock(:key)"), {"key": MIGRATION_LOCK})
        context.run_migrations()


def database_url() -> str:
    """`DATABASE_URL`, or alembic's own one-line failure where it is unset."""
    try:
        return settings().required("database_url")
    except ConfigurationError as exc:
        raise CommandError(str(exc)) from exc


if context.is_offline_mode():
    context.configure(dialect_name="postgresql")
    with context.begin_transaction():
        context.run_migrations()
elif (given := context.config.attributes.get("connection")) is not None:
    migrate(given)
else:
    with connect(database_url()) as own:
        migrate(own)
