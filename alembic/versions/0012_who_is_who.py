"""Who is who: ids of one person are linked, and two customers who turn out to be one are joined."""

import sqlalchemy as sa
from alembic import op

from db.migrations import function_sql

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

#: Functions of this version that there were before, with the number that each had. What revisions since 0006 need of
#: them is in here too.
CHANGED = {"accept_messages": 2, "apply_retention": 2, "claim_turns": 2, "locked_for_acceptance": 1}
#: New ones, each after those that it calls in SQL.
ADDED = ("customer_of", "linked_ids", "customer_links", "join_sessions", "join_customers", "link_customers")


def upgrade() -> None:
    op.create_table(
        "customer_ids",
        sa.Column("alias", sa.Text, primary_key=True),
        sa.Column("customer_phone", sa.Text, nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), comment="Null while it is theirs."),
        comment="Other ids of customers: a business-scoped one beside a phone, and those that they had before.",
    )
    op.create_index("customer_ids_customer_phone_idx", "customer_ids", ["customer_phone"])
    for name in ADDED:
        run(f"{name}_v1")
    for name, before in CHANGED.items():
        run(f"{name}_v{before + 1}")


def downgrade() -> None:
    for name, before in CHANGED.items():
        run(f"{name}_v{before}")
    for name in reversed(ADDED):
        op.execute(f"drop routine {name}")
    op.drop_table("customer_ids")


def run(name: str) -> None:
    """`%` and `:` in the function pass as they are."""
    op.get_bind().exec_driver_sql(function_sql(name).replace("%", "%%"))
