"""The first schema: tables, functions, and the triggers that keep the catalogue's version."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from db.migrations import function_sql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

FUNCTIONS = (
    "bump_catalog_version_v1",
    "claim_turns_v1",
    "erased_id_v1",
    "accept_messages_v1",
    "get_session_optimized_v1",
    "update_session_cache_v1",
    "extend_leases_v1",
    "lease_left_v1",
    "sweep_turns_v1",
    "held_messages_v1",
    "begin_attempts_v1",
    "suspend_attempts_v1",
    "release_turns_v1",
    "unpublished_replies_v1",
    "record_metrics_v1",
    "count_metrics_v1",
    "count_closed_v1",
    "metric_sums_v1",
    "roll_up_hours_v1",
    "cleanup_expired_sessions_v1",
    "resume_customer_v1",
    "replay_dead_letters_v1",
    "erase_messages_v1",
    "erase_customer_v1",
    "idle_customers_v1",
    "apply_retention_v1",
    "add_search_words_v1",
    "similar_words_v1",
    "joined_words_v1",
    "term_words_v1",
    "word_meanings_v1",
    "has_products_v1",
    "all_of_v1",
    "any_of_v1",
    "search_products_v1",
)
#: What generated columns are computed with, and so exists before the tables.
COLUMN_FUNCTIONS = (
    "catalog_words_v1",
    "word_stem_v1",
    "word_sound_v1",
    "word_keys_v1",
    "product_vector_v1",
)

TABLES = (
    "order_items",
    "orders",
    "products",
    "categories",
    "search_words",
    "catalog_version",
    "customer_sessions",
    "customers",
    "messages",
    "turns",
    "ai_metrics",
    "metric_totals",
    "metric_hours",
    "latency_hours",
    "events",
)


def upgrade() -> None:
    op.execute(sa.schema.CreateSequence(sa.Sequence("session_version")))
    for name in COLUMN_FUNCTIONS:
        run(function_sql(name))
    create_tables()
    for name in FUNCTIONS:
        run(function_sql(name))
    create_triggers()
    op.execute("insert into catalog_version default values")


def run(sql: str) -> None:
    """A script with `%` and `:` in it, passed to the server as it is."""
    op.get_bind().exec_driver_sql(sql.replace("%", "%%"))


def create_triggers() -> None:
    for table, count in (("ai_metrics", "count_metrics"), ("messages", "count_closed")):
        op.execute(
            f"create trigger {table}_{count} after insert on {table} referencing new table as fresh"
            f" for each statement execute function {count}()"
        )
    for event, side in (("insert", "new"), ("update", "old"), ("update", "new"), ("delete", "old")):
        op.execute(
            f"create trigger ai_metrics_roll_up_hours_{event}_{side} after {event} on ai_metrics"
            f" referencing {side} table as changed for each statement execute function roll_up_hours()"
        )
    op.execute(
        "create trigger ai_metrics_roll_up_hours_truncate after truncate on ai_metrics"
        " for each statement execute function roll_up_hours()"
    )
    for table in ("categories", "products"):
        op.execute(
            f"create trigger {table}_bump_catalog_version after insert or update or delete or truncate on {table}"
            " for each statement execute function bump_catalog_version()"
        )
        for change in ("insert", "update"):
            op.execute(
                f"create trigger {table}_search_words_{change} after {change} on {table} referencing new table as come"
                " for each statement execute function add_search_words()"
            )


def create_tables() -> None:
    op.create_table(
        "ai_metrics",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("reply_id", sa.UUID(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("committed", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=True),
        sa.Column("model", sa.Text(), nullable=True),
        sa.Column("complexity", sa.Text(), nullable=True),
        sa.Column("intent", sa.Text(), nullable=True),
        sa.Column("messages", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("calls", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("prompt_tokens", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("cached_tokens", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("completion_tokens", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("cost_microusd", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("baseline_microusd", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("provider_latency_ms", sa.Integer(), nullable=True),
        sa.Column("reply_latency_ms", sa.BigInteger(), nullable=True),
        sa.Column("session_cache", sa.Text(), nullable=True),
        sa.Column("cost_by_provider", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("reply_id"),
    )
    op.create_index("ai_metrics_at_idx", "ai_metrics", ["at"], unique=False)
    op.create_table(
        "catalog_version",
        sa.Column("one_row", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("version", sa.BigInteger(), server_default=sa.text("1"), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("one_row", name="catalog_version_one_row"),
        sa.PrimaryKeyConstraint("one_row"),
    )
    op.create_table(
        "categories",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("position", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column(
            "search",
            postgresql.TSVECTOR(),
            sa.Computed("product_vector(name, ''::text, ''::text)", persisted=True),
            nullable=True,
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("name"),
    )
    op.create_table(
        "customer_sessions",
        sa.Column("id", sa.UUID(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("customer_phone", sa.Text(), nullable=False),
        sa.Column("session_state", sa.Text(), server_default=sa.text("'browsing'"), nullable=False),
        sa.Column(
            "cart_data", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'[]'::jsonb"), nullable=False
        ),
        sa.Column(
            "context_data",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'::jsonb"),
            nullable=False,
        ),
        sa.Column("version", sa.BigInteger(), server_default=sa.text("nextval('session_version')"), nullable=False),
        sa.Column("messages", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column(
            "expires_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now() + interval '2 hours'"),
            nullable=False,
        ),
        sa.CheckConstraint(
            "session_state in ('browsing', 'searching', 'viewing_product', 'adding_to_cart', 'viewing_cart',"
            " 'checkout', 'waiting_address', 'confirming_order', 'order_completed', 'inactive')",
            name="customer_sessions_state_check",
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("customer_phone"),
    )
    op.create_index("customer_sessions_expires_at_idx", "customer_sessions", ["expires_at"], unique=False)
    op.create_table(
        "customers",
        sa.Column("customer_phone", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("last_seen_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("customer_phone"),
    )
    op.create_table(
        "events",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column(
            "data", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'::jsonb"), nullable=False
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("events_kind_at_idx", "events", ["kind", "at"], unique=False)
    op.create_table(
        "messages",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("message_id", sa.Text(), nullable=False),
        sa.Column("customer_phone", sa.Text(), nullable=False),
        sa.Column("content", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("accepted_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("state", sa.Text(), server_default=sa.text("'accepted'"), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("reply_id", sa.UUID(), nullable=True),
        sa.Column("reply", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("outcome", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("answered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("published_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("state in ('accepted', 'answered', 'closed', 'dead')", name="messages_state_check"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("message_id"),
    )
    op.create_index(
        "messages_accepted_at_idx",
        "messages",
        ["accepted_at"],
        unique=False,
        postgresql_where=sa.text("customer_phone <> 'erased'"),
    )
    op.create_index("messages_customer_phone_idx", "messages", ["customer_phone", "id"], unique=False)
    op.create_index("messages_dead_idx", "messages", ["id"], unique=False, postgresql_where=sa.text("state = 'dead'"))
    op.create_index(
        "messages_published_at_idx",
        "messages",
        ["published_at"],
        unique=False,
        postgresql_where=sa.text("reply is not null and published_at is not null"),
    )
    op.create_index(
        "messages_reply_id_idx",
        "messages",
        ["reply_id"],
        unique=False,
        postgresql_where=sa.text("reply_id is not null"),
    )
    op.create_index(
        "messages_unpublished_idx",
        "messages",
        ["customer_phone", "id"],
        unique=False,
        postgresql_where=sa.text("reply is not null and published_at is null"),
    )
    op.create_index(
        "messages_waiting_idx",
        "messages",
        ["customer_phone", "id"],
        unique=False,
        postgresql_where=sa.text("state = 'accepted'"),
    )
    op.create_table(
        "metric_hours",
        sa.Column("hour", sa.DateTime(timezone=True), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("replies", sa.BigInteger(), nullable=False),
        sa.Column("messages", sa.BigInteger(), nullable=False),
        sa.Column("sessions_wanted", sa.BigInteger(), nullable=False),
        sa.Column("sessions_cached", sa.BigInteger(), nullable=False),
        sa.Column("answers", sa.BigInteger(), nullable=False),
        sa.Column("answer_ms", sa.BigInteger(), nullable=False),
        sa.Column("cost_microusd", sa.BigInteger(), nullable=False),
        sa.Column("baseline_microusd", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("hour", "source", "provider"),
    )
    op.create_table(
        "latency_hours",
        sa.Column("hour", sa.DateTime(timezone=True), nullable=False),
        sa.Column("latency_ms", sa.BigInteger(), nullable=False),
        sa.Column("replies", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("hour", "latency_ms"),
    )
    op.create_table(
        "metric_totals",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("labels", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("value", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", "labels"),
    )
    op.create_table(
        "orders",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("customer_phone", sa.Text(), nullable=False),
        sa.Column("reply_id", sa.UUID(), nullable=True),
        sa.Column("status", sa.Text(), server_default=sa.text("'received'"), nullable=False),
        sa.Column("address", sa.Text(), nullable=True),
        sa.Column("total", sa.Numeric(precision=12, scale=2), nullable=False),
        sa.Column("currency", sa.Text(), server_default=sa.text("'ARS'"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("reply_id"),
    )
    op.create_index("orders_customer_phone_idx", "orders", ["customer_phone"], unique=False)
    op.create_table(
        "turns",
        sa.Column("customer_phone", sa.Text(), nullable=False),
        sa.Column("token", sa.UUID(), nullable=True),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("swept", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.PrimaryKeyConstraint("customer_phone"),
    )
    op.create_index(
        "turns_lease_until_idx", "turns", ["lease_until"], unique=False, postgresql_where=sa.text("token is not null")
    )
    op.create_table(
        "products",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("sku", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("brand", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("category_id", sa.BigInteger(), nullable=False),
        sa.Column("format", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("price", sa.Numeric(precision=12, scale=2), nullable=False),
        sa.Column("currency", sa.Text(), server_default=sa.text("'ARS'"), nullable=False),
        sa.Column("stock", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("active", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column(
            "search",
            postgresql.TSVECTOR(),
            sa.Computed("product_vector(name, brand, format)", persisted=True),
            nullable=True,
        ),
        sa.CheckConstraint("price >= 0", name="products_price_check"),
        sa.CheckConstraint("stock >= 0", name="products_stock_check"),
        sa.ForeignKeyConstraint(
            ["category_id"],
            ["categories.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("sku"),
    )
    op.create_index("products_category_idx", "products", ["category_id"], unique=False)
    op.create_index(
        "products_search_idx",
        "products",
        ["search"],
        unique=False,
        postgresql_using="gin",
        postgresql_with={"fastupdate": "off"},
    )
    op.create_table(
        "search_words",
        sa.Column("word", sa.Text(), nullable=False),
        sa.Column("keys", postgresql.ARRAY(sa.Text()), sa.Computed("word_keys(word)", persisted=True), nullable=True),
        sa.PrimaryKeyConstraint("word"),
    )
    op.create_index(
        "search_words_keys_idx",
        "search_words",
        ["keys"],
        unique=False,
        postgresql_using="gin",
        postgresql_with={"fastupdate": "off"},
    )
    op.create_table(
        "order_items",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("order_id", sa.BigInteger(), nullable=False),
        sa.Column("product_id", sa.BigInteger(), nullable=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("price", sa.Numeric(precision=12, scale=2), nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.CheckConstraint("quantity > 0", name="order_items_quantity_check"),
        sa.ForeignKeyConstraint(["order_id"], ["orders.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["product_id"], ["products.id"], ondelete="SET NULL"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("order_items_order_id_idx", "order_items", ["order_id"], unique=False)


def downgrade() -> None:
    for table in TABLES:
        op.drop_table(table)
    for name in reversed(COLUMN_FUNCTIONS + FUNCTIONS):
        op.execute(f"drop routine {name.rsplit('_v', 1)[0]}")
    op.execute("drop sequence session_version")
