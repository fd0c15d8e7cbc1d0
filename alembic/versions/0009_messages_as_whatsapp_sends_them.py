"""Messages as WhatsApp sends them: business numbers, and what tells of other messages (echoes, edits, revocations)."""

import sqlalchemy as sa
from alembic import op

from db.migrations import function_sql

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

#: Functions of this version that there were before, with the number that each had.
CHANGED = {
    "count_closed": 2,
    "count_metrics": 3,
    "record_metrics": 3,
    "roll_up_hours": 2,
}

#: New ones, each after those that it calls in SQL.
ADDED = (
    "channel_sums",
    "free_turn",
    "close_messages",
    "note_echo",
    "change_echo",
    "edit_message",
    "forget_words",
    "revoke_message",
    "apply_acts",
    "quoted_message",
)
#: Reasons of messages that were closed; the report counts them.
CLOSED = "state = 'closed' and reason is not null"


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
    op.create_index("messages_closed_idx", "messages", ["accepted_at"], postgresql_where=sa.text(CLOSED))
    for name in ADDED:
        run(f"{name}_v1")
    for name, before in CHANGED.items():
        run(f"{name}_v{before + 1}")


def downgrade() -> None:
    for name, before in CHANGED.items():
        run(f"{name}_v{before}")
    for name in reversed(ADDED):
        op.execute(f"drop routine {name}")
    op.drop_index("messages_closed_idx", "messages")
    op.drop_table("channel_hours")
    op.drop_column("ai_metrics", "channel")


def run(name: str) -> None:
    """`%` and `:` in the function pass as they are."""
    op.get_bind().exec_driver_sql(function_sql(name).replace("%", "%%"))
