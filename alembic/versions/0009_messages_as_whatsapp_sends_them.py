"""Business numbers of the shop: a turn, its reply and its figures know to which one the customer has written."""

import sqlalchemy as sa
from alembic import op

from db.migrations import function_sql

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

#: Functions of this version that there were before, with the number that each had.
CHANGED = {
    "accept_messages": 2,
    "claim_turns": 2,
    "count_metrics": 3,
    "record_metrics": 4,
    "roll_up_hours": 2,
}


def upgrade() -> None:
    op.add_column(
        "ai_metrics", sa.Column("channel", sa.Text, comment="Id of the business number, null where none was named.")
    )
    op.create_table(
        "channel_hours",
        sa.Column("hour", sa.DateTime(timezone=True), primary_key=True),
        sa.Column("channel", sa.Text, primary_key=True),
        sa.Column("messages", sa.BigInteger, nullable=False),
        comment="Messages of a whole hour by business number, kept by triggers; columns as in channel_sums_v1.sql.",
    )
    run("channel_sums_v1")
    for name, before in CHANGED.items():
        run(f"{name}_v{before + 1}")


def downgrade() -> None:
    for name, before in CHANGED.items():
        run(f"{name}_v{before}")
    op.execute("drop routine channel_sums")
    op.drop_table("channel_hours")
    op.drop_column("ai_metrics", "channel")


def run(name: str) -> None:
    """`%` and `:` in the function pass as they are."""
    op.get_bind().exec_driver_sql(function_sql(name).replace("%", "%%"))
