"""Step fetch_session: the session of each turn, and the limit of replies per customer and hour.

The limit ends a conversation of two machines that answer each other. Beyond `REPLIES_PER_CUSTOMER_HOUR` one last notice
says that a person was told, as for everybody who asks for one; after it turns are closed without a reply until the hour
is over, or `chasqui resume` gives the customer back. Replies are counted beside the sessions in the cache Redis, in the
round trips that sessions take anyway: read when a session is fetched, written when it is stored, which a commit allows
once. Where that Redis does not answer, nobody is limited.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from msgspec.structs import replace

from db import queries, retry
from worker.log import logger
from worker.redisdb.cache import Cache
from worker.redisdb.keys import LIMITED, REPLY_LIMIT, SESSION
from worker.replies.fallback import handover_decision
from worker.session.handover import waits_for_person
from worker.session.outcome import SILENT, Outcome
from worker.session.session import new_session, session_from_row
from worker.session.turn import Turn
from worker.steps.attempts import count_attempts, map_turns
from worker.steps.services import Services

NOTICE_TEXT = (
    "Recibimos muchísimos mensajes tuyos en poco tiempo. Le avisé a una persona del equipo: te va a responder por acá"
    " lo antes posible. Mientras tanto no te contesto yo."
)
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
    stored = _load(services, [turn.customer_phone for turn in known if not _is_current(turn, cached)])
    most, now = services.settings.replies_per_customer_hour, datetime.now(UTC)

    def fetched(turn: Turn) -> Turn:
        return _within_limit(_with_session(turn, cached, stored), replies, most, now, services.cache)

    return map_turns(services, held, fetched)


def _is_current(turn: Turn, cached: Rows) -> bool:
    entry = cached.get(turn.customer_phone)
    return entry is not None and not turn.swept and entry.get("version") == turn.session_version


def _load(services: Services, phones: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Rows of the live sessions of these customers, by customer."""
    if not phones:
        return {}
    rows = retry.run(services.engine, lambda connection: queries.load_sessions(connection, phones))
    return {row["customer_phone"]: row for row in rows}


def _with_session(turn: Turn, cached: Rows, stored: Rows) -> Turn:
    if turn.session_version is None:
        return replace(turn, session=new_session(turn.customer_phone, turn.customer_name), session_cache="new")
    if _is_current(turn, cached):
        return replace(turn, session=session_from_row(cached[turn.customer_phone]), session_cache="hit")
    row = stored.get(turn.customer_phone)
    session = session_from_row(row) if row else new_session(turn.customer_phone, turn.customer_name)
    return replace(turn, session=session, session_cache="miss")


def _within_limit(turn: Turn, replies: Mapping[str, int], most: int, now: datetime, cache: Cache) -> Turn:
    """The turn, with its outcome where the customer has had `most` replies in this hour; one who waits for a person
    gets none anyway.
    """
    had = replies.get(turn.customer_phone, 0)
    if had < most or waits_for_person(turn.fetched().context, now):
        return turn
    if had == most:
        log.warning("replies_limited", token=turn.token)
        cache.count(LIMITED)
    # A turn that is closed in silence lets the wait for a person go on.
    return replace(turn, outcome=Outcome("canned" if had == most else SILENT, handover_decision(NOTICE_TEXT)))
