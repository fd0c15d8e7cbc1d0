"""Turns that need a model wait until their customers have been quiet for a moment."""

import sqlalchemy as sa
from alembic import op

from db.migrations import function_sql

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

#: In this order: a function in SQL must find what it calls.
FUNCTIONS = ("quiet_at", "wait_for_quiet", "claim_quiet")


def upgrade() -> None:
    op.add_column("turns", sa.Column("quiet_until", sa.DateTime(timezone=True)))
    op.add_column("turns", sa.Column("quiet_token", sa.UUID()))
    op.add_column("turns", sa.Column("quiet_waited", sa.Boolean))
    op.create_index(
        "turns_quiet_until_idx", "turns", ["quiet_until"], postgresql_where=sa.text("quiet_until is not null")
    )
    for name in FUNCTIONS:
        op.get_bind().exec_driver_sql(function_sql(f"{name}_v1").replace("%", "%%"))


def downgrade() -> None:
    for name in reversed(FUNCTIONS):
        op.execute(f"drop routine {name}")
    op.drop_index("turns_quiet_until_idx", "turns")
    op.drop_column("turns", "quiet_waited")
    op.drop_column("turns", "quiet_token")
    op.drop_column("turns", "quiet_until")
