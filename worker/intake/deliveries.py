"""Marking our replies as WhatsApp reports them, for a whole batch of the inbound stream in one statement."""

from collections.abc import Sequence

from msgspec import to_builtins
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from db import queries, retry
from worker.log import logger
from worker.messages.delivery import label
from worker.messages.message import DeliveryStatus

log = logger(__name__)


def mark_deliveries(connection: Connection, statuses: Sequence[DeliveryStatus]) -> None:
    """Commits what is reported; doing it again changes nothing. A batch that PostgreSQL refuses for a value is left
    out: no customer waits for it.
    """
    if not statuses:
        return
    rows = [to_builtins(one) | ({} if one.code is None else {"label": label(one.code)}) for one in statuses]
    try:
        ours = retry.again_on_conflict(lambda: queries.mark_deliveries(connection, rows))
    except SQLAlchemyError as exc:
        if not retry.blames_a_value(exc):
            raise
        log.exception("statuses_refused_by_database", error=type(exc).__name__, statuses=len(statuses))
        return
    log.info("deliveries_marked", statuses=len(statuses), replies=ours)
