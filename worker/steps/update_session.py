"""Step update_session: one commit of sessions, replies, orders and message states, then the session cache, the outbound
stream and the stream of orders.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from msgspec import Struct
from msgspec.structs import replace
from redis.exceptions import RedisError
from sqlalchemy.exc import SQLAlchemyError

from db import retry
from db.orders import mark_order_events_published
from worker.catalog.product import Product
from worker.errors import RedisNotSwept
from worker.log import logger, warned
from worker.orders.outbox import OutboxEvent, publish_events
from worker.redisdb.keys import REPLY_LIMIT, SESSION
from worker.replies.checkout import summed_up_anew
from worker.replies.closing import Closing, close
from worker.session.turn import Turn
from worker.steps.attempts import give_back_locked, map_turns
from worker.steps.services import Services
from worker.steps.turn_commit import commit_turns

log = logger(__name__)


class Closed(Struct, frozen=True):
    """Turns to record, and turns (of the same customers) claimed in the same commit."""

    turns: tuple[Turn, ...] = ()
    next_turns: tuple[dict[str, Any], ...] = ()


def run(services: Services, batch: Sequence[Turn]) -> Closed:
    """Commits a batch, then fills the session cache and publishes what was committed. A turn that lost its claim
    changes nothing, but what it cost is still recorded.
    """
    closings = _closings(services, batch)
    if not closings:
        return Closed()
    committed = commit_turns(services, list(closings.values()))
    closings = {token: closing for token, closing in closings.items() if token not in committed.changed}
    # Committed before anything is published, which may fail. What is answered anew places no order: it changes no more.
    anew = run(services, _summed_up_anew(services, batch, committed.changed))
    cache_sessions(services, closings, committed.versions)
    services.streams.publish(committed.replies)
    tell_the_shop(services, committed.events)
    give_back_locked(services, [turn for turn in batch if turn.token in committed.locked])
    if lost := len(closings) - len(committed.versions) - len(committed.locked):
        log.warning("turns_lost", turns=lost)
    turns = [replace(turn, committed=turn.token in committed.versions) for turn in batch if turn.token in closings]
    return Closed((*turns, *anew.turns), (*committed.next, *anew.next_turns))


def _closings(services: Services, batch: Sequence[Turn]) -> dict[str, Closing]:
    now, wait_s = datetime.now(UTC), services.settings.human_wait_s
    closed = map_turns(services, batch, lambda turn: close(turn, services.shop, now, wait_s))
    return {closing.token: closing for closing in closed}


def _summed_up_anew(services: Services, batch: Sequence[Turn], changed: Mapping[str, Sequence[Product]]) -> list[Turn]:
    """The turns whose orders were not placed, with new summaries instead. changed: products of their carts as they are
    now, by token.
    """

    def summed_up(turn: Turn) -> Turn:
        decision = summed_up_anew(services.shop, turn.fetched(), turn.version, changed[turn.token])
        return replace(turn, outcome=replace(turn.decided(), decision=decision))

    return map_turns(services, (turn for turn in batch if turn.token in changed), summed_up)


def tell_the_shop(services: Services, events: Sequence[OutboxEvent]) -> None:
    """Publishes what was placed. Where that fails it is the sweep's: no reply, and no next turn, waits for it."""

    def mark(event_ids: Sequence[str]) -> None:
        retry.run(services.engine, lambda connection: mark_order_events_published(connection, event_ids))

    with warned(log, "order_events_left", RedisError, RedisNotSwept, SQLAlchemyError, events=len(events)):
        publish_events(services.streams, mark, events)


def cache_sessions(services: Services, closings: Mapping[str, Closing], versions: Mapping[str, int | None]) -> None:
    """Stores the committed sessions under the version that PostgreSQL gave them, and counts the replies."""
    fresh, replied = {}, []
    for closing in closings.values():
        version = versions.get(closing.token)
        if version is not None and (session := closing.session):
            orders = session.total_orders + len(closing.orders)
            stored = replace(session, version=version, total_orders=orders)
            fresh[closing.customer_phone] = stored.row()
            replied += [closing.customer_phone] if closing.reply else []
    services.cache.set_counted(SESSION, fresh, REPLY_LIMIT, replied)
