"""Commit that ends turns, and in which the next ones of the same customers are claimed."""

from collections.abc import Sequence
from functools import partial
from typing import Any

from msgspec import Struct, convert
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from db import queries, retry
from worker.catalog.product import Product
from worker.log import logger
from worker.orders.outbox import OutboxEvent, outbox_events
from worker.replies.closing import Closing
from worker.session.session import SESSION_TTL_S
from worker.settings import Settings
from worker.steps.attempts import failure, give_back_failed
from worker.steps.locked_customers import commit_around_locked
from worker.steps.services import Services

#: A turn is at most this much of what a customer wrote.
MAX_TURN_MESSAGES = 10
MAX_TURN_CHARS = 4_096
log = logger(__name__)


class Committed(Struct, frozen=True):
    """Result of `update_session_cache` over a batch.

    Args:
        versions: new session versions by token; None where the turn has no session.
        next: turns claimed in the same commit, as the database gives them.
        replies: outbound entries, in the order in which they are published.
        events: of the orders that were placed.
        changed: products as they are now, by token of a turn that was not committed because they are not what its
            customer has agreed to; the turn is still held and can be answered anew.
        locked: tokens of turns whose customers somebody else holds.
    """

    versions: dict[str, int | None] = {}
    next: tuple[dict[str, Any], ...] = ()
    replies: tuple[dict[str, Any], ...] = ()
    events: tuple[OutboxEvent, ...] = ()
    changed: dict[str, tuple[Product, ...]] = {}
    locked: frozenset[str] = frozenset()


def commit_turns(services: Services, closings: Sequence[Closing]) -> Committed:
    """Commits the ends of turns, all in one, without those of locked customers. Where PostgreSQL refuses a value, its
    turn is given back to the sweep.
    """
    limits = claim_limits(services.settings)

    def commit(connection: Connection, some: Sequence[Closing]) -> dict[str, Any]:
        return queries.update_session_cache(connection, limits | {"turns": [closing.row() for closing in some]})

    def give_back(closing: Closing, error: SQLAlchemyError) -> tuple[list[dict[str, Any]], list[Closing]]:
        log.exception("turn_refused", token=closing.token, error=type(error).__name__)
        give_back_failed(services, [failure(closing, type(error).__name__)])
        return [], []

    commit_free = partial(commit_around_locked, services.engine, commit=commit)
    done = retry.around_refused(closings, commit_free, give_back)

    def every(name: str) -> list[dict[str, Any]]:
        return [entry for parts, _ in done for part in parts for entry in part[name]]

    return Committed(
        {entry["token"]: entry["session_version"] for entry in every("committed")},
        tuple(turn | {"waited": True} for turn in every("next")),
        tuple(entry["reply"] for entry in every("replies")),
        outbox_events(every("events")),
        {turn["token"]: convert(turn["products"], tuple[Product, ...]) for turn in every("changed")},
        frozenset(closing.token for _, locked in done for closing in locked),
    )


def claim_limits(settings: Settings) -> dict[str, Any]:
    """Size of a turn, length of its first lease and other times, as the database functions take them."""
    times = {"session_ttl_s": SESSION_TTL_S, "human_wait_s": settings.human_wait_s, "lease_s": settings.flow_lease_s}
    return {"max_messages": MAX_TURN_MESSAGES, "max_chars": MAX_TURN_CHARS, **times}
