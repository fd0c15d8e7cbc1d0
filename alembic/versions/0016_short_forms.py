"""The search reads what price lists cut short ("s/", "HIG.") in full; products and categories are read by it anew."""

from alembic import op

from db.migrations import function_sql

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    replace_function(3)


def downgrade() -> None:
    replace_function(2)


def replace_function(version: int) -> None:
    """Puts this version of the function in the place of the other, and reads all names by it: generated columns keep
    what they were computed from. `%` passes as it is.
    """
    op.get_bind().exec_driver_sql(function_sql(f"catalog_words_v{version}").replace("%", "%%"))
    op.execute("update categories set name = name")
    op.execute("update products set name = name")
