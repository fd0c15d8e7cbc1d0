"""Customers who wait for a person: found by an index, and kept for a day where nobody came."""

from alembic import op

from db.migrations import function_sql

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

#: The version that each function had before.
CHANGED = {"cleanup_expired_sessions": 2, "resume_customer": 1}


def upgrade() -> None:
    op.execute(
        "create index customer_sessions_people_idx on customer_sessions (customer_phone) "
        "where context_data ? 'human_until'"
    )
    for name, before in CHANGED.items():
        replace_function(f"{name}_v{before + 1}")


def downgrade() -> None:
    for name, before in CHANGED.items():
        replace_function(f"{name}_v{before}")
    op.execute("drop index customer_sessions_people_idx")


def replace_function(name: str) -> None:
    """`%` and `:` in it pass as they are."""
    op.get_bind().exec_driver_sql(function_sql(name).replace("%", "%%"))
