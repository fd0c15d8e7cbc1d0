"""What PostgreSQL has kept of a run: messages, the turns that answered them, sessions, orders."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any

from sqlalchemy import Engine, text
from sqlalchemy.exc import SQLAlchemyError as SQLAlchemyError

MESSAGES = text("""
    select id, message_id, customer_phone, content, state, attempts, cast(reply_id as text) as reply_id, reply, outcome,
           extract(epoch from sent_at)::bigint as sent_at_s, answered_at, published_at
    from messages order by id
""")
SESSIONS = text("""
    select customer_phone, cast(id as text) as id, session_state, cart_data, context_data, messages
    from customer_sessions
""")
ORDERS = text("""
    select cast(o.reply_id as text) as reply_id, o.customer_phone, o.total, o.currency, o.address,
           jsonb_agg(jsonb_build_array(i.name, i.quantity) order by i.name, i.quantity) as items
    from orders o join order_items i on i.order_id = o.id group by o.id
""")
ORDER_EVENTS = text("select payload from order_events order by id")
FIGURES = text("""
    select (select count(*) from turns where token is not null) as turns_held,
           (select count(*) from messages where reply is not null and published_at is null)
           + (select count(*) from order_events where published_at is null) as unpublished,
           (select coalesce(sum(calls), 0) from ai_metrics where not committed) as calls_of_lost_turns
""")
ENDED = text("select count(*), count(*) filter (where state = 'accepted') from messages")
#: Messages that ended without a reply of their own, and when.
SILENT = text("""
    select message_id, extract(epoch from coalesce(answered_at, accepted_at)) as at from messages
    where message_id = any (cast(:ids as text[])) and state in ('closed', 'dead')
""")


@dataclass(frozen=True, slots=True)
class Message:
    """A row of `messages`."""

    id: int
    message_id: str
    customer_phone: str
    content: Mapping[str, Any]
    state: str
    attempts: int
    reply_id: str | None
    reply: Mapping[str, Any] | None
    outcome: Mapping[str, Any] | None
    sent_at_s: int
    answered_at: datetime | None
    published_at: datetime | None


@dataclass(frozen=True, slots=True)
class Ended:
    """A turn that was committed: its messages in the order of acceptance, and what was kept with the last of them."""

    reply_id: str
    messages: tuple[Message, ...]

    @property
    def last(self) -> Message:
        """The message that carries reply and outcome."""
        return self.messages[-1]


@dataclass(frozen=True, slots=True)
class Records:
    """Everything at one moment. sessions: rows by customer; orders: rows by reply id and currency; order_events: what
    the shop is to be told, in order.
    """

    messages: tuple[Message, ...]
    sessions: Mapping[str, Mapping[str, Any]]
    orders: Mapping[tuple[str, str], Mapping[str, Any]]
    turns_held: int
    unpublished: int
    calls_of_lost_turns: int
    order_events: tuple[Mapping[str, Any], ...] = ()

    @property
    def turns(self) -> list[Ended]:
        """The turns that were committed, in the order of acceptance."""
        return turns_of(self.messages)


def turns_of(messages: Iterable[Message]) -> list[Ended]:
    """The turns of messages that are sorted by id."""
    ended = sorted((m for m in messages if m.reply_id is not None), key=lambda m: (str(m.reply_id), m.id))
    turns = [Ended(str(reply_id), tuple(group)) for reply_id, group in groupby(ended, key=lambda m: m.reply_id)]
    return sorted(turns, key=lambda turn: turn.last.id)


def read(engine: Engine) -> Records:
    """One look, in one snapshot."""
    with engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection, connection.begin():
        messages = tuple(Message(**row) for row in connection.execute(MESSAGES).mappings())
        sessions = {row["customer_phone"]: dict(row) for row in connection.execute(SESSIONS).mappings()}
        orders = {(row["reply_id"], row["currency"]): dict(row) for row in connection.execute(ORDERS).mappings()}
        figures = connection.execute(FIGURES).mappings().one()
        events = tuple(connection.execute(ORDER_EVENTS).scalars())
        return Records(
            messages, sessions, orders, **{name: int(figures[name]) for name in figures}, order_events=events
        )


def silent(engine: Engine, message_ids: Iterable[str]) -> dict[str, float]:
    """Those of the messages that ended without a reply of their own (closed, dead), with seconds since 1970."""
    with engine.connect() as connection:
        return {row[0]: float(row[1]) for row in connection.execute(SILENT, {"ids": list(message_ids)})}


def at_rest(engine: Engine, sent: int) -> bool:
    """Whether nothing is under way: as many messages as were sent have ended, turns are free, replies and
    orders are marked published.
    """
    with engine.connect() as connection:
        figures = connection.execute(FIGURES).one()
        accepted, waiting = connection.execute(ENDED).one()
        return accepted >= sent and not (waiting or figures.turns_held or figures.unpublished)
