"""A cart from WhatsApp's catalogue stays a list of items in its message and in its turn."""

from alembic import op

from db.migrations import function_sql

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

CHANGED = ("accept_messages", "claim_turns")


def upgrade() -> None:
    replace_functions(2)


def downgrade() -> None:
    replace_functions(1)


def replace_functions(version: int) -> None:
    """Puts this version of each changed function in the place of another; `%` passes as it is."""
    for name in CHANGED:
        op.get_bind().exec_driver_sql(function_sql(f"{name}_v{version}").replace("%", "%%"))
