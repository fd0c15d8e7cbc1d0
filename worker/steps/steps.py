"""The steps of the chain, each over a batch of turns of different customers. Sees no Celery.

A step is handed turns and hands turns on. What fails for one turn takes only that turn out of the batch: it is given
back to the sweep, which starts it again alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

from msgspec.structs import replace
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from db import queries, retry
from worker.log import logger
from worker.providers.reply_cache import from_cache
from worker.redisdb.keys import REPLY_LIMIT, SESSION
from worker.replies.closing import closing_row
from worker.session.session import SESSION_TTL_S, new_session, session_from_row, session_row
from worker.session.turn import Plan, Turn
from worker.settings import Settings
from worker.steps import planning
from worker.steps.attempts import begin, leave_locked, suspend
from worker.steps.locked_customers import around, phone_of_row, phone_of_turn
from worker.steps.metrics_commit import store_metrics
from worker.steps.reply_limit import within_limit
from worker.steps.services import Services
from worker.telemetry.recording import metrics_row, stored_outcome
from worker.telemetry.turn_log import turn_ended

#: A turn is at most this much of what a customer wrote (design section 1, step 3).
MAX_TURN_MESSAGES = 10
MAX_TURN_CHARS = 4_096
#: A turn on queue `ai` may outlast its deadline by this much before the sweep takes it.
AI_LEASE_MARGIN_S = 15.0
#: What `update_session_cache` returns, and the tokens of those who are locked.
COMMITTED = ("committed", "next", "replies", "locked")
Batch = Sequence[Turn]
Made = TypeVar("Made")
log = logger(__name__)


@dataclass(frozen=True, slots=True)
class Closed:
    """What update_session did: turns to record, and turns (of the same customers) claimed in the same commit."""

    turns: tuple[Turn, ...] = ()
    next_turns: tuple[dict[str, Any], ...] = ()


def each(services: Services, batch: Iterable[Turn], make: Callable[[Turn], Made]) -> list[Made]:
    """`make` of every turn; one that fails is released to the sweep with the kind of its error and left out."""
    made: list[Made] = []
    failures: list[dict[str, Any]] = []
    for turn in batch:
        try:
            made.append(make(turn))
        except Exception as exc:
            log.exception("turn_failed", token=turn.token, error=type(exc).__name__)
            failures.append(failure(turn, type(exc).__name__))
    release(services, failures)
    return made


def release(services: Services, failures: list[dict[str, Any]]) -> None:
    """Gives failed turns back to the sweep at once; locked ones are left to it when their leases end."""
    if failures:
        around(services, failures, lambda c, some: queries.release_turns(c, list(some)), phone_of_row)


def failure(turn: Turn, error: str) -> dict[str, Any]:
    """A turn as `release_turns` takes it."""
    ids = [message.id for message in turn.messages]
    return {"customer_phone": turn.customer_phone, "token": turn.token, "message_ids": ids, "error": error}


def fetch_session(services: Services, batch: Batch) -> list[Turn]:
    """Turns with their sessions: from the cache where it holds the very version that was claimed, else from
    PostgreSQL in one query, else new. A swept turn first counts its attempt, and never trusts the cache. Those whose
    customers have had all replies of an hour come with their outcome.
    """
    held = begin(services, batch, services.settings.flow_lease_s)
    cacheable = [turn.customer_phone for turn in held if turn.session_version is not None and not turn.swept]
    known = [turn.customer_phone for turn in held if turn.session_version is not None]
    cached, replies = services.cache.get_counted(SESSION, cacheable, REPLY_LIMIT, known)
    most, now = services.settings.replies_per_customer_hour, datetime.now(UTC)
    stale = [turn for turn in held if turn.session_version is not None and not _is_current(turn, cached)]
    stored = load_sessions(services, [turn.customer_phone for turn in stale])

    def with_session(turn: Turn) -> Turn:
        if turn.session_version is None:
            return replace(turn, session=new_session(turn.customer_phone, turn.customer_name), session_cache="new")
        if _is_current(turn, cached):
            return replace(turn, session=session_from_row(cached[turn.customer_phone]), session_cache="hit")
        row = stored.get(turn.customer_phone)
        session = session_from_row(row) if row else new_session(turn.customer_phone, turn.customer_name)
        return replace(turn, session=session, session_cache="miss")

    def limited(turn: Turn) -> Turn:
        return within_limit(with_session(turn), replies, most, now, services.cache)

    return each(services, held, limited)


def _is_current(turn: Turn, cached: dict[str, Any]) -> bool:
    entry = cached.get(turn.customer_phone)
    return entry is not None and not turn.swept and entry.get("version") == turn.session_version


def load_sessions(services: Services, phones: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Rows of the live sessions of these customers, by customer."""
    if not phones:
        return {}
    rows = retry.run(services.engine, lambda connection: queries.load_sessions(connection, phones))
    return {row["customer_phone"]: row for row in rows}


def route_ai(services: Services, batch: Batch, has_room: Callable[[], bool]) -> tuple[list[Turn], list[Turn]]:
    """Turns that have their outcome (from the reply cache, or needing no model), and turns that must ask a provider.
    The leases of the latter are lengthened to the deadline and a margin. has_room: whether more turns may wait for a
    provider; where not, those that would stay with their leases, and the sweep brings them again.
    """
    now = datetime.now(UTC)
    limited = [turn for turn in batch if turn.outcome is not None]
    others = [turn for turn in batch if turn.outcome is None]
    checked = limited + each(services, others, lambda turn: planning.without_model(turn, now))
    canned = [turn for turn in checked if turn.outcome is not None]
    planned = plan(services, [turn for turn in checked if turn.outcome is None])
    routed = from_cache(planned, services.cache)
    answered = [turn for turn in routed if turn.outcome is not None]
    return canned + answered, hand_over(services, [turn for turn in routed if turn.outcome is None], has_room)


def plan(services: Services, turns: Batch) -> list[Turn]:
    """The turns with their rendered requests: categories once, all product searches of the batch together."""
    if not turns:
        return []
    categories = services.catalog.categories(max(turn.catalog_version for turn in turns))
    goods = services.catalog.goods()
    found = planning.search_all(services.catalog, turns, goods)
    shop, made = services.settings.shop_name, dict[str, Plan]()
    return each(services, turns, lambda turn: planning.with_plan(turn, shop, categories, found, goods, made))


def hand_over(services: Services, missed: Batch, has_room: Callable[[], bool]) -> list[Turn]:
    """The turns that are still ours, with leases that last as long as a provider may take. Waiting is no attempt."""
    if not missed:
        return []
    waiting = suspend(services, missed)
    if not has_room():
        log.warning("calls_postponed", turns=len(waiting))
        return []
    lease_s = _ai_lease_s(services)

    def extend(connection: Connection, turns: Batch) -> set[str]:
        return queries.extend_leases(connection, [turn.holder for turn in turns], lease_s)

    extended, _ = around(services, waiting, extend, phone_of_turn)
    held = set().union(*extended)
    return [turn for turn in waiting if turn.token in held]


def _ai_lease_s(services: Services) -> float:
    return services.settings.ai_deadline_s + AI_LEASE_MARGIN_S


def call_provider(services: Services, batch: Batch) -> Iterator[list[Turn]]:
    """Answered turns, as they become ready. A turn whose lease has passed to another is not asked for; of a swept one
    the attempt is counted first.
    """
    begun = begin(services, batch, _ai_lease_s(services))
    holders = [turn.holder for turn in begun]
    left_s = retry.run(services.engine, lambda connection: queries.lease_left(connection, holders))
    held = [turn for turn in begun if turn.token in left_s]
    for landed in services.dispatcher.call(held, left_s, AI_LEASE_MARGIN_S):
        if landed.failed:
            release(services, [failure(turn, "CallFailed") for turn in landed.failed])
        if landed.answered:
            yield list(landed.answered)


def update_session(services: Services, batch: Batch) -> Closed:
    """Commits sessions, replies and message states of the batch, then fills the session cache and publishes what was
    committed. A turn that lost its claim changes nothing, but what it cost is still recorded.
    """
    now = datetime.now(UTC)
    rows = {row["token"]: row for row in each(services, batch, lambda t: closing_row(t, stored_outcome(t), now))}
    if not rows:
        return Closed()
    result = commit_turns(services, list(rows.values()))
    versions = {entry["token"]: entry["session_version"] for entry in result["committed"]}
    cache_sessions(services, batch, rows, versions)
    services.streams.publish([entry["reply"] for entry in result["replies"]])
    leave_locked(services, [turn for turn in batch if turn.token in result["locked"]])
    if lost := len(rows) - len(versions) - len(result["locked"]):
        log.warning("turns_lost", turns=lost)
    turns = tuple(replace(t, committed=t.token in versions) for t in batch if t.token in rows)
    return Closed(turns, tuple(result["next"]))


def commit_turns(services: Services, rows: list[dict[str, Any]]) -> dict[str, Any]:
    """One commit for the batch, without those of whose customers somebody else holds rows: their tokens are `locked`.
    Where PostgreSQL refuses it for a value, one by one, and the culprit is released.
    """
    limits = claim_limits(services.settings) | {"session_ttl_s": SESSION_TTL_S}

    def commit(connection: Connection, some: Sequence[dict[str, Any]]) -> dict[str, Any]:
        return queries.update_session_cache(connection, limits | {"turns": list(some)})

    try:
        parts, locked = around(services, rows, commit, phone_of_row)
        return together(parts) | {"locked": [row["token"] for row in locked]}
    except SQLAlchemyError as exc:
        if not retry.blames_a_value(exc):
            raise
        if len(rows) == 1:
            log.exception("turn_refused", token=rows[0]["token"], error=type(exc).__name__)
            release(services, [rows[0] | {"error": type(exc).__name__}])
            return together([])
    return together([commit_turns(services, [row]) for row in rows])


def together(parts: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """What several commits have returned, as one would."""
    return {name: [item for part in parts for item in part.get(name, ())] for name in COMMITTED}


def claim_limits(settings: Settings) -> dict[str, Any]:
    """How large a turn may be and how long its first lease is, as the database functions take them."""
    return {"max_messages": MAX_TURN_MESSAGES, "max_chars": MAX_TURN_CHARS, "lease_s": settings.flow_lease_s}


def cache_sessions(
    services: Services, turns: Batch, rows: dict[str, dict[str, Any]], versions: dict[str, int | None]
) -> None:
    """Stores the committed sessions under the version that PostgreSQL gave them, and counts the replies."""
    fresh = {}
    for turn in turns:
        if (version := versions.get(turn.token)) is not None:
            ended = rows[turn.token]
            session = session_row(turn.fetched()) | ended["session"] | {"version": version}
            session["total_orders"] += len(ended["orders"])
            fresh[turn.customer_phone] = session
    replied = [turn.customer_phone for turn in turns if turn.customer_phone in fresh and rows[turn.token]["reply"]]
    services.cache.set_counted(SESSION, fresh, REPLY_LIMIT, replied)


def record_metrics(services: Services, batch: Batch) -> None:
    """Costs and publication times in one commit, then a line of log for each turn."""
    rows = [
        metrics_row(turn.token, stored_outcome(turn), len(turn.messages), committed=turn.committed) for turn in batch
    ]
    total_ms = store_metrics(services, rows)
    for turn, row in zip(batch, rows, strict=True):
        # Recorded before: the task was repeated.
        if turn.token in total_ms:
            turn_ended(row, total_ms[turn.token], turn)
