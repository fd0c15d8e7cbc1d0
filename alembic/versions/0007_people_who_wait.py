"""Customers who wait for a person: found by an index, and kept for a day where nobody came."""

from alembic import op

from db.migrations import function_sql

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        "create index customer_sessions_people_idx on customer_sessions (customer_phone) "
        "where context_data ? 'human_until'"
    )
    replace_function("resume_customer_v2")


def downgrade() -> None:
    replace_function("resume_customer_v1")
    op.execute("drop index customer_sessions_people_idx")


def replace_function(name: str) -> None:
    """`%` and `:` in it pass as they are."""
    op.get_bind().exec_driver_sql(function_sql(name).replace("%", "%%"))
