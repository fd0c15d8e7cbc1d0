"""Words that belong to no turn close what was asked before them: a told status, the apology of a dead letter."""

from alembic import op

from db.migrations import function_sql

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run("close_questions_v1")
    run("set_order_status_v2")


def downgrade() -> None:
    run("set_order_status_v1")
    op.execute("drop function close_questions")


def run(name: str) -> None:
    """A script with `%` in it, passed to the server as it is."""
    op.get_bind().exec_driver_sql(function_sql(name).replace("%", "%%"))
