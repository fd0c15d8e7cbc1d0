"""Rows that somebody else holds: who is locked, what becomes of their turns, and figures that wait for nobody."""

from alembic import op

from db.migrations import function_sql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

NEW = ("locked_for_acceptance_v1", "locked_for_commit_v1", "set_aside_v1", "add_totals_v1")
#: The version that each function had before.
CHANGED = {"sweep_turns": 1, "record_metrics": 2, "count_metrics": 2, "count_closed": 1, "cleanup_expired_sessions": 1}


def upgrade() -> None:
    for name in (*NEW, *(f"{name}_v{before + 1}" for name, before in CHANGED.items())):
        run(function_sql(name))


def downgrade() -> None:
    # Sums that somebody had to leave for later: nobody else would add them any more.
    op.execute("lock table metric_totals in exclusive mode")
    op.execute("select add_totals('[]')")
    for name, before in CHANGED.items():
        run(function_sql(f"{name}_v{before}"))
    for name in reversed(NEW):
        op.execute(f"drop routine {name.rsplit('_v', 1)[0]}")


def run(sql: str) -> None:
    """A script with `%` and `:` in it, passed to the server as it is."""
    op.get_bind().exec_driver_sql(sql.replace("%", "%%"))
