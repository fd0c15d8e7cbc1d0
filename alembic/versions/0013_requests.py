"""Requests: how often each form is asked, what follows what, replies that were made ahead, and prices as they were."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from db.migrations import function_sql

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

FUNCTIONS = ("count_requests", "record_reply_ahead", "forget_requests", "note_price")
#: What is counted up stays on its page.
ROOM = {"fillfactor": "70"}


def upgrade() -> None:
    op.create_table(
        "request_forms",
        sa.Column("form_key", sa.Text, primary_key=True, comment="Digest of the form."),
        sa.Column("form", sa.Text, comment="Null until a second customer has asked it."),
        sa.Column("askers", sa.BigInteger, nullable=False, comment="A bit for each of 63 groups of customers."),
        sa.Column("asked_on", sa.Date, nullable=False, server_default=sa.text("current_date")),
        comment="Form that requests for everybody have had: never the words of one customer.",
        postgresql_with=ROOM,
    )
    op.create_table(
        "request_hours",
        sa.Column("hour", sa.DateTime(timezone=True), primary_key=True),
        sa.Column("form_key", sa.Text, primary_key=True),
        sa.Column("asked", sa.Integer, nullable=False),
        comment="How often a form was asked in an hour.",
        postgresql_with=ROOM,
    )
    op.create_table(
        "request_followers",
        sa.Column("after_key", sa.Text, primary_key=True),
        sa.Column("form_key", sa.Text, primary_key=True),
        sa.Column("asked", sa.Integer, nullable=False),
        comment="How often a conversation went on from one form to another; halved every day.",
        postgresql_with=ROOM,
    )
    op.create_table(
        "replies_ahead",
        sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
        sa.Column("form_key", sa.Text, nullable=False),
        sa.Column("reply_key", sa.Text, nullable=False, comment="Key in the reply cache."),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.text("now()")),
        sa.Column("answered", sa.Boolean, nullable=False, comment="False where no call brought a reply."),
        sa.Column("complexity", sa.Text, nullable=False),
        sa.Column("prompt_tokens", sa.Integer, nullable=False),
        sa.Column("completion_tokens", sa.Integer, nullable=False),
        sa.Column("cost_microusd", sa.BigInteger, nullable=False),
        sa.Column("hit_at", sa.DateTime(timezone=True), comment="When a customer first got it."),
        sa.Column("saved_microusd", sa.BigInteger, comment="Price of the same call at that time."),
        comment="Reply that was made, or tried in vain, before anybody asked for it.",
    )
    op.create_index("replies_ahead_made_at_idx", "replies_ahead", ["made_at"])
    op.create_index("replies_ahead_reply_key_idx", "replies_ahead", ["reply_key"])
    op.add_column("products", sa.Column("price_before", postgresql.NUMERIC(12, 2)))
    op.add_column("products", sa.Column("price_changed_at", sa.DateTime(timezone=True)))
    for name in FUNCTIONS:
        run(function_sql(f"{name}_v1"))
    run("""create trigger products_note_price before update of price on products
           for each row when (old.price is distinct from new.price) execute function note_price()""")


def downgrade() -> None:
    op.execute("drop trigger products_note_price on products")
    for name in FUNCTIONS:
        op.execute(f"drop routine {name}")
    for column in ("price_before", "price_changed_at"):
        op.drop_column("products", column)
    for table in ("request_forms", "request_hours", "request_followers", "replies_ahead"):
        op.drop_table(table)


def run(sql: str) -> None:
    """A script with `%` and `:` in it, passed to the server as it is."""
    op.get_bind().exec_driver_sql(sql.replace("%", "%%"))
