"""The schema of design section 3.5 as SQLAlchemy tables. All times are `timestamptz`; money is in micro-dollars.

The migrations are what makes a database; a test holds these models against what the migrations make.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Computed,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    Integer,
    Numeric,
    Sequence,
    Text,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, TSVECTOR
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import TypeEngine

SESSION_STATES = (
    "browsing",
    "searching",
    "viewing_product",
    "adding_to_cart",
    "viewing_cart",
    "checkout",
    "waiting_address",
    "confirming_order",
    "order_completed",
    "inactive",
)
MESSAGE_STATES = ("accepted", "answered", "closed", "dead")
NOW = text("now()")


def one_of(column: str, values: tuple[str, ...]) -> str:
    """The SQL condition that a text column holds one of the values."""
    return f"{column} in ({', '.join(repr(value) for value in values)})"


class Base(DeclarativeBase):
    """Shared column types: text, timestamptz, bigint, jsonb."""

    type_annotation_map: ClassVar[dict[Any, type[TypeEngine[Any]] | TypeEngine[Any]]] = {
        str: Text(),
        int: BigInteger(),
        datetime: DateTime(timezone=True),
        dict[str, Any]: JSONB(),
        list[Any]: JSONB(),
        UUID: Uuid(),
        Decimal: Numeric(12, 2),
    }


#: One sequence for all sessions: a version number never comes back, not even for a customer who left and returned.
session_version = Sequence("session_version", metadata=Base.metadata)


class Category(Base):
    """A shelf of the shop."""

    __tablename__ = "categories"
    id: Mapped[int] = mapped_column(Identity(always=False), primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    position: Mapped[int] = mapped_column(Integer, server_default=text("0"))
    search: Mapped[str | None] = mapped_column(
        TSVECTOR, Computed("product_vector(name, ''::text, ''::text)", persisted=True)
    )


class Product(Base):
    """Something the shop sells; `search` is what full-text search looks at (`product_vector_v1.sql`)."""

    __tablename__ = "products"
    __table_args__ = (
        CheckConstraint("price >= 0", name="products_price_check"),
        CheckConstraint("stock >= 0", name="products_stock_check"),
        # Without a list of pending entries, which every search after an import would have to read.
        Index("products_search_idx", "search", postgresql_using="gin", postgresql_with={"fastupdate": "off"}),
        Index("products_category_idx", "category_id"),
    )
    id: Mapped[int] = mapped_column(Identity(always=False), primary_key=True)
    sku: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    brand: Mapped[str] = mapped_column(server_default=text("''"))
    category_id: Mapped[int] = mapped_column(ForeignKey("categories.id"))
    format: Mapped[str] = mapped_column(server_default=text("''"))
    price: Mapped[Decimal]
    currency: Mapped[str] = mapped_column(server_default=text("'ARS'"))
    stock: Mapped[int] = mapped_column(Integer, server_default=text("0"))
    active: Mapped[bool] = mapped_column(server_default=text("true"))
    updated_at: Mapped[datetime] = mapped_column(server_default=NOW)
    search: Mapped[str | None] = mapped_column(
        TSVECTOR, Computed("product_vector(name, brand, format)", persisted=True)
    )


class SearchWord(Base):
    """A word of the catalogue, and the keys under which a misspelt one finds it; filled by triggers."""

    __tablename__ = "search_words"
    __table_args__ = (
        Index("search_words_keys_idx", "keys", postgresql_using="gin", postgresql_with={"fastupdate": "off"}),
    )
    word: Mapped[str] = mapped_column(primary_key=True)
    keys: Mapped[list[str] | None] = mapped_column(ARRAY(Text), Computed("word_keys(word)", persisted=True))


class CatalogVersion(Base):
    """One row; triggers on categories and products add one to `version` for every statement that changes them."""

    __tablename__ = "catalog_version"
    __table_args__ = (CheckConstraint("one_row", name="catalog_version_one_row"),)
    one_row: Mapped[bool] = mapped_column(primary_key=True, server_default=text("true"))
    version: Mapped[int] = mapped_column(server_default=text("1"))
    changed_at: Mapped[datetime] = mapped_column(server_default=NOW)


class Customer(Base):
    """A person who writes; `customer_phone` is WhatsApp's id of them."""

    __tablename__ = "customers"
    customer_phone: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(server_default=NOW)
    last_seen_at: Mapped[datetime] = mapped_column(server_default=NOW)


class CustomerSession(Base):
    """A conversation: at most one per customer, alive for 2 h after its last turn."""

    __tablename__ = "customer_sessions"
    __table_args__ = (
        CheckConstraint(one_of("session_state", SESSION_STATES), name="customer_sessions_state_check"),
        Index("customer_sessions_expires_at_idx", "expires_at"),
    )
    id: Mapped[UUID] = mapped_column(primary_key=True, server_default=text("gen_random_uuid()"))
    customer_phone: Mapped[str] = mapped_column(unique=True)
    session_state: Mapped[str] = mapped_column(server_default=text("'browsing'"))
    cart_data: Mapped[list[Any]] = mapped_column(server_default=text("'[]'::jsonb"))
    context_data: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'::jsonb"))
    version: Mapped[int] = mapped_column(server_default=text("nextval('session_version')"))
    messages: Mapped[int] = mapped_column(Integer, server_default=text("0"))
    created_at: Mapped[datetime] = mapped_column(server_default=NOW)
    updated_at: Mapped[datetime] = mapped_column(server_default=NOW)
    expires_at: Mapped[datetime] = mapped_column(server_default=text("now() + interval '2 hours'"))


class Order(Base):
    """A confirmed purchase. `reply_id` is the turn that made it, so that it is made once."""

    __tablename__ = "orders"
    __table_args__ = (Index("orders_customer_phone_idx", "customer_phone"),)
    id: Mapped[int] = mapped_column(Identity(always=False), primary_key=True)
    customer_phone: Mapped[str]
    reply_id: Mapped[UUID | None] = mapped_column(unique=True)
    status: Mapped[str] = mapped_column(server_default=text("'received'"))
    address: Mapped[str | None]
    total: Mapped[Decimal]
    currency: Mapped[str] = mapped_column(server_default=text("'ARS'"))
    created_at: Mapped[datetime] = mapped_column(server_default=NOW)


class OrderItem(Base):
    """A line of an order, with name and price as they were when it was placed."""

    __tablename__ = "order_items"
    __table_args__ = (
        CheckConstraint("quantity > 0", name="order_items_quantity_check"),
        Index("order_items_order_id_idx", "order_id"),
    )
    id: Mapped[int] = mapped_column(Identity(always=False), primary_key=True)
    order_id: Mapped[int] = mapped_column(ForeignKey("orders.id", ondelete="CASCADE"))
    product_id: Mapped[int | None] = mapped_column(ForeignKey("products.id", ondelete="SET NULL"))
    name: Mapped[str]
    price: Mapped[Decimal]
    quantity: Mapped[int] = mapped_column(Integer)


class Message(Base):
    """Inbox and outbox in one row: what a customer wrote, and on the last message of a turn the reply to it.

    content: type, text, selection_id. reply: the outbound entry (contract 3.2). outcome: the decision and its cost,
    kept so that a session can be replayed. reply_id stands on every message that the reply answers. last_error: the
    kind of the last error while it was being answered; reason: why it is dead, or was closed by hand. Of an erased
    message, whose customer_phone is `erased`, only times, state and reply_id are left.
    """

    __tablename__ = "messages"
    __table_args__ = (
        CheckConstraint(one_of("state", MESSAGE_STATES), name="messages_state_check"),
        Index("messages_customer_phone_idx", "customer_phone", "id"),
        Index("messages_waiting_idx", "customer_phone", "id", postgresql_where=text("state = 'accepted'")),
        Index("messages_reply_id_idx", "reply_id", postgresql_where=text("reply_id is not null")),
        Index(
            "messages_unpublished_idx",
            "customer_phone",
            "id",
            postgresql_where=text("reply is not null and published_at is null"),
        ),
        Index(
            "messages_published_at_idx",
            "published_at",
            postgresql_where=text("reply is not null and published_at is not null"),
        ),
        Index("messages_accepted_at_idx", "accepted_at", postgresql_where=text("customer_phone <> 'erased'")),
        Index("messages_dead_idx", "id", postgresql_where=text("state = 'dead'")),
    )
    id: Mapped[int] = mapped_column(Identity(always=False), primary_key=True)
    message_id: Mapped[str] = mapped_column(unique=True)
    customer_phone: Mapped[str]
    content: Mapped[dict[str, Any]]
    sent_at: Mapped[datetime] = mapped_column(server_default=NOW)
    accepted_at: Mapped[datetime] = mapped_column(server_default=NOW)
    state: Mapped[str] = mapped_column(server_default=text("'accepted'"))
    attempts: Mapped[int] = mapped_column(Integer, server_default=text("0"))
    last_error: Mapped[str | None]
    reason: Mapped[str | None]
    reply_id: Mapped[UUID | None]
    reply: Mapped[dict[str, Any] | None]
    outcome: Mapped[dict[str, Any] | None]
    answered_at: Mapped[datetime | None]
    published_at: Mapped[datetime | None]


class Turn(Base):
    """One row per customer: who is being answered now (token set), under which lease."""

    __tablename__ = "turns"
    __table_args__ = (Index("turns_lease_until_idx", "lease_until", postgresql_where=text("token is not null")),)
    customer_phone: Mapped[str] = mapped_column(primary_key=True)
    token: Mapped[UUID | None]
    lease_until: Mapped[datetime | None]
    swept: Mapped[bool] = mapped_column(server_default=text("false"))


class AiMetric(Base):
    """What one turn cost and how long it took; `committed` is false for a call whose turn was lost.

    cost_by_provider: where others than `provider` were paid too (they had failed), the micro-dollars of each.
    calls_made: all calls, summed by model and outcome (`record_metrics_v2.sql`).
    """

    __tablename__ = "ai_metrics"
    __table_args__ = (Index("ai_metrics_at_idx", "at"),)
    id: Mapped[int] = mapped_column(Identity(always=False), primary_key=True)
    reply_id: Mapped[UUID] = mapped_column(unique=True)
    at: Mapped[datetime] = mapped_column(server_default=NOW)
    committed: Mapped[bool] = mapped_column(server_default=text("true"))
    source: Mapped[str]
    provider: Mapped[str | None]
    model: Mapped[str | None]
    complexity: Mapped[str | None]
    intent: Mapped[str | None]
    messages: Mapped[int] = mapped_column(Integer, server_default=text("1"))
    calls: Mapped[int] = mapped_column(Integer, server_default=text("0"))
    prompt_tokens: Mapped[int] = mapped_column(server_default=text("0"))
    cached_tokens: Mapped[int] = mapped_column(server_default=text("0"))
    completion_tokens: Mapped[int] = mapped_column(server_default=text("0"))
    cost_microusd: Mapped[int] = mapped_column(server_default=text("0"))
    baseline_microusd: Mapped[int] = mapped_column(server_default=text("0"))
    provider_latency_ms: Mapped[int | None] = mapped_column(Integer)
    reply_latency_ms: Mapped[int | None] = mapped_column(BigInteger)
    session_cache: Mapped[str | None]
    cost_by_provider: Mapped[dict[str, Any] | None]
    calls_made: Mapped[dict[str, Any]] = mapped_column(server_default=text("'[]'::jsonb"))


class MetricHour(Base):
    """A whole hour of `ai_metrics` summed up by source and provider, kept by triggers; columns as in
    `metric_sums_v1.sql`.
    """

    __tablename__ = "metric_hours"
    hour: Mapped[datetime] = mapped_column(primary_key=True)
    source: Mapped[str] = mapped_column(primary_key=True)
    provider: Mapped[str] = mapped_column(primary_key=True)
    replies: Mapped[int]
    messages: Mapped[int]
    sessions_wanted: Mapped[int]
    sessions_cached: Mapped[int]
    answers: Mapped[int]
    answer_ms: Mapped[int]
    cost_microusd: Mapped[int]
    baseline_microusd: Mapped[int]


class LatencyHour(Base):
    """How many replies of a whole hour took how long, from acceptance to publication; kept by the same triggers."""

    __tablename__ = "latency_hours"
    hour: Mapped[datetime] = mapped_column(primary_key=True)
    latency_ms: Mapped[int] = mapped_column(primary_key=True)
    replies: Mapped[int]


class CallHour(Base):
    """Calls of a whole hour by model and outcome, kept by the same triggers; columns as in `call_sums_v1.sql`."""

    __tablename__ = "call_hours"
    hour: Mapped[datetime] = mapped_column(primary_key=True)
    provider: Mapped[str] = mapped_column(primary_key=True)
    model: Mapped[str] = mapped_column(primary_key=True)
    outcome: Mapped[str] = mapped_column(primary_key=True)
    calls: Mapped[int]
    prompt_tokens: Mapped[int]
    cached_tokens: Mapped[int]
    completion_tokens: Mapped[int]
    cost_microusd: Mapped[int]


class MetricTotal(Base):
    """What Prometheus counts, summed up since ever by triggers (`count_metrics_v2.sql`, `count_closed_v1.sql`)."""

    __tablename__ = "metric_totals"
    name: Mapped[str] = mapped_column(primary_key=True)
    labels: Mapped[dict[str, Any]] = mapped_column(primary_key=True)
    value: Mapped[int]


class Event(Base):
    """Something that happened and is worth counting later: circuit changes, cleanups, session ends."""

    __tablename__ = "events"
    __table_args__ = (Index("events_kind_at_idx", "kind", "at"),)
    id: Mapped[int] = mapped_column(Identity(always=False), primary_key=True)
    kind: Mapped[str]
    at: Mapped[datetime] = mapped_column(server_default=NOW)
    data: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'::jsonb"))
