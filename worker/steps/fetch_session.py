"""Step fetch_session: the session of each turn, and the limit of replies per customer and hour.

The limit ends a conversation of two machines that answer each other. Beyond `REPLIES_PER_CUSTOMER_HOUR` one last notice
says that a person was told, as for everybody who asks for one; after it turns are closed without a reply until the hour
is over, or `chasqui resume` gives the customer back. Replies are counted beside the sessions in the cache Redis, in the
round trips that sessions take anyway: read when a session is fetched, written when it is stored, which a commit allows
once. Where that Redis does not answer, nobody is limited.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from msgspec.structs import replace
from sqlalchemy import Connection

from db import queries, retry
from worker.log import logger
from worker.redisdb.keys import LIMITED, REPLY_LIMIT, SESSION
from worker.replies.fallback import handover_decision
from worker.session.cart import cart_from_rows
from worker.session.handover import LIMIT, waits_for_person
from worker.session.outcome import SILENT, Outcome
from worker.session.session import new_session, resumed, session_from_row
from worker.session.turn import Turn
from worker.steps.attempts import count_attempts, map_turns
from worker.steps.services import Services

Rows = Mapping[str, Mapping[str, Any]]
log = logger(__name__)


def run(services: Services, batch: Sequence[Turn]) -> list[Turn]:
    """Fetches the session of each turn: from the cache where it holds the very version that was claimed, else from
    PostgreSQL in one query, else new. A swept turn first counts its attempt, and never trusts the cache. Turns of
    customers who have had all replies of an hour come with their outcome.
    """
    held = count_attempts(services, batch, services.settings.flow_lease_s)
    known = [turn for turn in held if turn.session_version is not None]
    trusting = [turn.customer_phone for turn in known if not turn.swept]
    cached, replies = services.cache.get_counted(
        SESSION, trusting, REPLY_LIMIT, [turn.customer_phone for turn in known]
    )
    stored = _rows(services, queries.load_sessions, [t.customer_phone for t in known if not _is_current(t, cached)])
    begun = [_with_session(turn, cached, stored) for turn in held]
    left = _rows(services, queries.left_carts, [turn.customer_phone for turn in begun if not turn.fetched().version])
    now = datetime.now(UTC)
    return map_turns(services, begun, lambda turn: _within_limit(services, _with_cart(turn, left), replies, now))


def _is_current(turn: Turn, cached: Rows) -> bool:
    entry = cached.get(turn.customer_phone)
    return entry is not None and not turn.swept and entry.get("version") == turn.session_version


def _rows(
    services: Services, query: Callable[[Connection, Sequence[str]], list[dict[str, Any]]], phones: Sequence[str]
) -> dict[str, dict[str, Any]]:
    rows = retry.run(services.engine, lambda connection: query(connection, phones)) if phones else []
    return {row["customer_phone"]: row for row in rows}


def _with_cart(turn: Turn, left: Rows) -> Turn:
    """The turn; a new session of a customer who has left a cart in the last conversation keeps it apart."""
    row = left.get(turn.customer_phone)
    return replace(turn, session=resumed(turn.fetched(), cart_from_rows(row["cart_data"]))) if row else turn


def _with_session(turn: Turn, cached: Rows, stored: Rows) -> Turn:
    if turn.session_version is None:
        return replace(turn, session=new_session(turn.customer_phone, turn.customer_name), session_cache="new")
    if _is_current(turn, cached):
        return replace(turn, session=session_from_row(cached[turn.customer_phone]), session_cache="hit")
    row = stored.get(turn.customer_phone)
    session = session_from_row(row) if row else new_session(turn.customer_phone, turn.customer_name)
    return replace(turn, session=session, session_cache="miss")


def _within_limit(services: Services, turn: Turn, replies: Mapping[str, int], now: datetime) -> Turn:
    """The turn, with its outcome where the customer has had all replies of this hour; one who waits for a person gets
    none anyway.
    """
    had, most = replies.get(turn.customer_phone, 0), services.settings.replies_per_customer_hour
    if had < most or waits_for_person(turn.fetched().context, now):
        return turn
    if had == most:
        log.warning("replies_limited", token=turn.token)
        services.cache.count(LIMITED)
    # A turn that is closed in silence lets the wait for a person go on.
    decision = handover_decision(services.shop, "handover.limited", LIMIT)
    return replace(turn, outcome=Outcome("canned" if had == most else SILENT, decision))
