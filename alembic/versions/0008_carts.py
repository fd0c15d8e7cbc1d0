"""Carts that outlive their conversation by a day, for customers who come back; operations on carts are counted."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from db.migrations import function_sql

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "kept_carts",
        sa.Column(
            "customer_phone",
            sa.Text,
            sa.ForeignKey("customers.customer_phone", ondelete="CASCADE"),
            primary_key=True,
        ),
        sa.Column("cart_data", postgresql.JSONB, nullable=False),
        sa.Column("kept_until", sa.DateTime(timezone=True), nullable=False),
        comment="Cart of a conversation that has ended, until its customer comes back or a day has passed.",
    )
    op.create_index("kept_carts_kept_until_idx", "kept_carts", ["kept_until"])
    op.add_column(
        "ai_metrics",
        sa.Column("cart_operations", postgresql.JSONB, comment="Operations proposed, refused and undone, if any."),
    )
    op.create_index(
        "ai_metrics_cart_operations_idx", "ai_metrics", ["at"], postgresql_where=sa.text("cart_operations is not null")
    )
    for name in ("left_carts_v1", "cleanup_expired_sessions_v3"):
        run(function_sql(name))


def downgrade() -> None:
    run(function_sql("cleanup_expired_sessions_v2"))
    op.drop_column("ai_metrics", "cart_operations")
    op.execute("drop routine left_carts")
    op.drop_table("kept_carts")


def run(sql: str) -> None:
    """A script with `%` and `:` in it, passed to the server as it is."""
    op.get_bind().exec_driver_sql(sql.replace("%", "%%"))
