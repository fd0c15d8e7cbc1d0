"""The search reads what price lists cut short ("s/", "HIG.") in full, and takes no word that is known for another;
products and categories are read by it anew.
"""

from alembic import op

from db.migrations import function_sql

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

#: Functions with their versions before and after.
CHANGED = {"catalog_words": (2, 3), "similar_words": (1, 2), "word_meanings": (1, 2), "find_products": (1, 2)}


def upgrade() -> None:
    replace_functions(1)


def downgrade() -> None:
    replace_functions(0)


def replace_functions(place: int) -> None:
    """Puts one version of each function in the place of the other, and reads all names by it: generated columns keep
    what they were computed from. `%` passes as it is.
    """
    for name, versions in CHANGED.items():
        op.get_bind().exec_driver_sql(function_sql(f"{name}_v{versions[place]}").replace("%", "%%"))
    op.execute("update categories set name = name")
    op.execute("update products set name = name")
