"""Units and containers of the search are those of the lexicon; products and categories are read by them anew."""

from alembic import op

from db.migrations import function_sql

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

CHANGED = ("catalog_words", "term_words")


def upgrade() -> None:
    replace_functions(2)


def downgrade() -> None:
    replace_functions(1)


def replace_functions(version: int) -> None:
    """Puts this version of each function in the place of the other, and reads all names by it: generated columns keep
    what they were computed from. `%` passes as it is.
    """
    for name in CHANGED:
        op.get_bind().exec_driver_sql(function_sql(f"{name}_v{version}").replace("%", "%%"))
    op.execute("update categories set name = name")
    op.execute("update products set name = name")
