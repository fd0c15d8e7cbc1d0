"""Replies per customer and hour: two machines that answer each other come to an end.

Beyond `REPLIES_PER_CUSTOMER_HOUR` one last notice says that a person was told, as for everybody who asks for one; after
it turns are closed without a reply until the hour is over, or `chasqui resume` gives the customer back. Replies are
counted beside the sessions in the cache Redis, in the round trips that sessions take anyway: read when a session is
fetched, written when it is stored, which a commit allows once. Where that Redis does not answer, nobody is limited.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from msgspec.structs import replace

from worker.log import logger
from worker.redisdb.cache import Cache
from worker.redisdb.keys import LIMITED
from worker.replies.fallback import handover_decision
from worker.session.handover import waits_for_person
from worker.session.turn import SILENT, Outcome, Turn

NOTICE_TEXT = (
    "Recibimos muchísimos mensajes tuyos en poco tiempo. Le avisé a una persona del equipo: te va a responder por acá"
    " lo antes posible. Mientras tanto no te contesto yo."
)
log = logger(__name__)


def within_limit(turn: Turn, replies: Mapping[str, int], most: int, now: datetime, cache: Cache) -> Turn:
    """The turn, with its outcome where the customer has had `most` replies in this hour. replies: how many there were,
    by customer. Who waits for a person gets none anyway.
    """
    had = replies.get(turn.customer_phone, 0)
    if had < most or waits_for_person(turn.fetched().context, now):
        return turn
    if had == most:
        log.warning("replies_limited", token=turn.token)
        cache.count(LIMITED)
    # A turn that is closed in silence lets the wait for a person go on.
    source = "canned" if had == most else SILENT
    return replace(turn, outcome=Outcome(source, handover_decision() | {"reply": NOTICE_TEXT}))
