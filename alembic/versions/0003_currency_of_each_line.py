"""Lines of orders keep their currency, and a turn places one order of each currency."""

import sqlalchemy as sa
from alembic import op

from db.migrations import function_sql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

#: Only the first order of a turn keeps its turn where there may be no second one; none is lost.
ONE_ORDER_PER_TURN = """
    update orders o set reply_id = null
    where exists (select from orders e where e.reply_id = o.reply_id and e.id < o.id)
"""
#: Until now a line was always in the currency of its order.
FROM_THE_ORDER = """
    update order_items i set currency = o.currency from orders o where o.id = i.order_id and o.currency <> i.currency
"""


def run(name: str) -> None:
    """A function's script with `%` and `:` in it, passed to the server as it is."""
    op.get_bind().exec_driver_sql(function_sql(name).replace("%", "%%"))


def upgrade() -> None:
    op.add_column("order_items", sa.Column("currency", sa.Text(), server_default=sa.text("'ARS'"), nullable=False))
    op.execute(FROM_THE_ORDER)
    op.create_unique_constraint(None, "orders", ["reply_id", "currency"])
    op.drop_constraint("orders_reply_id_key", "orders")
    op.create_index("orders_created_at_idx", "orders", ["created_at"])
    run("place_orders_v1")
    run("update_session_cache_v2")


def downgrade() -> None:
    run("update_session_cache_v1")
    op.execute("drop routine place_orders")
    op.drop_index("orders_created_at_idx")
    op.execute(ONE_ORDER_PER_TURN)
    op.create_unique_constraint(None, "orders", ["reply_id"])
    op.drop_constraint("orders_reply_id_currency_key", "orders")
    op.drop_column("order_items", "currency")
