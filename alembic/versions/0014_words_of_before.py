"""Words of before: the shop edits and deletes too, an edit may come first, and searches hold what was said."""

from alembic import op

from db.migrations import function_sql

revision = "0014"
down_revision = "0012"
branch_labels = None
depends_on = None

#: Functions of this version that there were before, with the number that each had.
CHANGED = {"edit_message": 1, "revoke_message": 1, "apply_acts": 1}


def upgrade() -> None:
    run("change_echo_v1")
    run("forget_words_v2")
    for name, before in CHANGED.items():
        run(f"{name}_v{before + 1}")
    op.execute("drop routine forget_words(text, text, text)")


def downgrade() -> None:
    run("forget_words_v1")
    for name, before in CHANGED.items():
        run(f"{name}_v{before}")
    op.execute("drop routine forget_words(text, text, text, jsonb)")
    op.execute("drop routine change_echo")


def run(name: str) -> None:
    """`%` and `:` in the function pass as they are."""
    op.get_bind().exec_driver_sql(function_sql(name).replace("%", "%%"))
