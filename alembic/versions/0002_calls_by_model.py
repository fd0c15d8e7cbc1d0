"""Calls by model and outcome: with each turn, by hour for the report, and as sums for Prometheus."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from db.migrations import function_sql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

NEW = ("calls_of_v1", "call_sums_v1")
CHANGED = ("record_metrics", "count_metrics", "roll_up_hours", "apply_retention")


def upgrade() -> None:
    op.add_column(
        "ai_metrics",
        sa.Column("calls_made", postgresql.JSONB(), server_default=sa.text("'[]'::jsonb"), nullable=False),
    )
    op.create_table(
        "call_hours",
        sa.Column("hour", sa.DateTime(timezone=True), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in FIGURES),
        sa.PrimaryKeyConstraint("hour", "provider", "model", "outcome"),
    )
    run(*NEW, *(f"{name}_v2" for name in CHANGED))


FIGURES = ("calls", "prompt_tokens", "cached_tokens", "completion_tokens", "cost_microusd")


def downgrade() -> None:
    run(*(f"{name}_v1" for name in CHANGED))
    op.execute("drop routine call_sums")
    op.execute("drop routine calls_of")
    op.execute("delete from metric_totals where name in ('model_tokens', 'model_cost_microusd')")
    op.drop_table("call_hours")
    op.drop_column("ai_metrics", "calls_made")


def run(*names: str) -> None:
    for name in names:
        op.get_bind().exec_driver_sql(function_sql(name).replace("%", "%%"))
