"""Delivery of replies as WhatsApp reports it, in a table of its own: an answered message is not written to again."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from db.migrations import function_sql

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

#: The version that each function had before.
CHANGED = {"erase_messages": 1, "erase_orders": 1}


def upgrade() -> None:
    op.create_table(
        "deliveries",
        sa.Column("reply_id", postgresql.UUID, primary_key=True),
        sa.Column("wamid", sa.Text),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False, server_default=sa.text("now()")),
        *(sa.Column(f"{state}_at", sa.DateTime(timezone=True)) for state in ("sent", "delivered", "read", "failed")),
        sa.Column("code", sa.Integer),
        # Room for the states to come, so that they stay on the page.
        postgresql_with={"fillfactor": "70"},
    )
    op.create_index("deliveries_at_idx", "deliveries", ["at"])
    op.create_index("deliveries_wamid_idx", "deliveries", ["wamid"], postgresql_where=sa.text("wamid is not null"))
    run(function_sql("mark_deliveries_v1"))
    for name, before in CHANGED.items():
        run(function_sql(f"{name}_v{before + 1}"))


def downgrade() -> None:
    for name, before in CHANGED.items():
        run(function_sql(f"{name}_v{before}"))
    op.execute("drop routine mark_deliveries")
    op.drop_table("deliveries")


def run(sql: str) -> None:
    """A script with `%` and `:` in it, passed to the server as it is."""
    op.get_bind().exec_driver_sql(sql.replace("%", "%%"))
