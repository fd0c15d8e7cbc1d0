"""Orders as a shop handles them: what is sold by weight, stock that goes down, statuses, and an outbox of events."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from db.migrations import function_sql

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

NEW = (
    "find_products_v1",
    "availability_v1",
    "move_stock_v1",
    "orders_of_v1",
    "changed_products_v1",
    "order_entry_v1",
    "add_order_event_v1",
    "place_order_v1",
    "put_back_v1",
    "set_order_status_v1",
    "unpublished_order_events_v1",
    "mark_order_events_v1",
    "erase_orders_v1",
)
#: The version that each function had before.
CHANGED = {
    "search_products": 1,
    "place_orders": 1,
    "update_session_cache": 2,
    "erase_customer": 1,
}
#: What returns something else than before, and so cannot be replaced.
RETURNS_ANOTHER = ("search_products(text, integer)", "place_orders(jsonb)")
STATUSES = ("received", "accepted", "preparing", "ready", "dispatched", "delivered", "cancelled")
#: Triggers of products, with what they run after: a sale is neither a new catalogue nor brings new words.
PRODUCT_TRIGGERS = {
    "products_bump_catalog_version": (
        "after insert or update or delete or truncate on products",
        "bump_catalog_version",
    ),
    "products_search_words_update": ("after update on products referencing new table as come", "add_search_words"),
}
NO_SALE = "when (current_setting('chasqui.sale', true) is distinct from 'on')"


def upgrade() -> None:
    widen_products()
    widen_orders()
    create_events()
    drop_functions(RETURNS_ANOTHER)
    for name in (*NEW, *(f"{name}_v{before + 1}" for name, before in CHANGED.items())):
        run(function_sql(name))
    create_triggers(NO_SALE)


def downgrade() -> None:
    create_triggers("")
    drop_functions(RETURNS_ANOTHER)
    narrow_tables()
    for name, before in CHANGED.items():
        run(function_sql(f"{name}_v{before}"))
    drop_functions(name.rsplit("_v", 1)[0] for name in reversed(NEW))


def run(sql: str) -> None:
    """A script with `%` and `:` in it, passed to the server as it is."""
    op.get_bind().exec_driver_sql(sql.replace("%", "%%"))


def drop_functions(names: object) -> None:
    for name in names:
        op.execute(f"drop routine {name}")


def create_triggers(condition: str) -> None:
    """Makes the triggers of products anew, with this condition."""
    for name, (after, function) in PRODUCT_TRIGGERS.items():
        op.execute(f"drop trigger {name} on products")
        op.execute(f"create trigger {name} {after} for each statement {condition} execute function {function}()")


def widen_products() -> None:
    op.add_column("products", sa.Column("unit", sa.Text(), server_default="u", nullable=False))
    op.add_column("products", sa.Column("step", sa.Numeric(9, 3), server_default="1", nullable=False))
    op.create_check_constraint("products_unit_check", "products", "unit in ('u', 'kg', 'l')")
    op.create_check_constraint("products_step_check", "products", "step > 0")
    op.alter_column("products", "stock", type_=sa.Numeric(12, 3), nullable=True)


def widen_orders() -> None:
    for name in ("name", "channel", "delivery", "payment", "note"):
        op.add_column("orders", sa.Column(name, sa.Text(), nullable=True))
    op.add_column("orders", sa.Column("subtotal", sa.Numeric(12, 2), nullable=True))
    op.add_column("orders", sa.Column("delivery_fee", sa.Numeric(12, 2), server_default="0", nullable=False))
    # Of orders from before there is no knowing since when; nobody is called for them.
    op.add_column("orders", sa.Column("status_at", sa.DateTime(timezone=True), nullable=True))
    op.alter_column("orders", "status_at", server_default=sa.text("now()"))
    # A status of another name was put there by hand, so somebody has seen the order.
    statuses = ", ".join(f"'{name}'" for name in STATUSES)
    op.execute(f"update orders set status = 'accepted' where status not in ({statuses})")  # noqa: S608  constants only
    op.create_check_constraint("orders_status_check", "orders", f"status in ({statuses})")
    op.create_check_constraint("orders_delivery_check", "orders", "delivery in ('delivery', 'pickup')")
    op.create_index(
        "orders_open_idx",
        "orders",
        ["status", "status_at"],
        postgresql_where=sa.text("status not in ('delivered', 'cancelled')"),
    )
    op.add_column("order_items", sa.Column("sku", sa.Text(), nullable=True))
    op.add_column("order_items", sa.Column("unit", sa.Text(), server_default="u", nullable=False))
    op.add_column("order_items", sa.Column("total", sa.Numeric(12, 2), nullable=True))
    op.add_column("order_items", sa.Column("taken", sa.Numeric(12, 3), server_default="0", nullable=False))
    op.alter_column("order_items", "quantity", type_=sa.Numeric(12, 3))
    op.execute("update orders set subtotal = total")
    skus = "(select sku from products p where p.id = i.product_id)"
    op.execute(f"update order_items i set total = price * quantity, sku = {skus}")  # noqa: S608  constants only
    op.alter_column("order_items", "total", nullable=False)


def create_events() -> None:
    op.create_table(
        "order_events",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("event_id", sa.UUID(), nullable=False),
        sa.Column("order_id", sa.BigInteger(), nullable=False),
        sa.Column("customer_phone", sa.Text(), nullable=False),
        sa.Column("event", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("payload", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("reply", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("published_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("event in ('placed', 'status', 'cancelled')", name="order_events_event_check"),
        sa.ForeignKeyConstraint(["order_id"], ["orders.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("event_id"),
    )
    op.create_index("order_events_order_id_idx", "order_events", ["order_id", "id"])
    op.create_index(
        "order_events_unpublished_idx",
        "order_events",
        ["order_id", "id"],
        postgresql_where=sa.text("published_at is null"),
    )
    op.create_index(
        "order_events_published_at_idx",
        "order_events",
        ["published_at"],
        postgresql_where=sa.text("published_at is not null"),
    )


def narrow_tables() -> None:
    op.drop_table("order_events")
    op.drop_index("orders_open_idx", "orders")
    op.drop_constraint("orders_status_check", "orders")
    for name in ("name", "channel", "delivery", "payment", "note", "subtotal", "delivery_fee", "status_at"):
        op.drop_column("orders", name)
    for name in ("sku", "unit", "total", "taken"):
        op.drop_column("order_items", name)
    # A fraction has no place there any more; a line of nothing had never one.
    narrow("order_items", "quantity", "greatest(round(quantity), 1)", "quantity > 0")
    op.execute("update products set stock = 100 where stock is null")
    narrow("products", "stock", "floor(stock)", "stock >= 0")
    op.alter_column("products", "stock", nullable=False)
    for name in ("unit", "step"):
        op.drop_column("products", name)


def narrow(table: str, column: str, whole: str, check: str) -> None:
    """Makes a number whole again, and its check anew: the one that is there would compare it as a fraction."""
    op.drop_constraint(f"{table}_{column}_check", table)
    op.execute(f"alter table {table} alter column {column} type integer using {whole}::integer")
    op.create_check_constraint(f"{table}_{column}_check", table, check)
