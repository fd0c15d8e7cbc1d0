"""Rows that somebody else holds: who is locked, what becomes of their turns, and figures that wait for nobody."""

from alembic import op

from db.migrations import function_sql

revision = "0004"
down_revision = "0001"
branch_labels = None
depends_on = None

NEW = ("locked_for_acceptance_v1", "locked_for_commit_v1", "set_aside_v1", "add_totals_v1")
CHANGED = ("sweep_turns", "record_metrics", "count_metrics", "count_closed", "cleanup_expired_sessions")


def upgrade() -> None:
    for name in (*NEW, *(f"{name}_v2" for name in CHANGED)):
        run(function_sql(name))


def downgrade() -> None:
    for name in CHANGED:
        run(function_sql(f"{name}_v1"))
    for name in reversed(NEW):
        op.execute(f"drop routine {name.rsplit('_v', 1)[0]}")


def run(sql: str) -> None:
    """A script with `%` and `:` in it, passed to the server as it is."""
    op.get_bind().exec_driver_sql(sql.replace("%", "%%"))
