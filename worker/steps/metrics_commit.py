"""The commit of what turns cost and how long they took."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from db import queries, retry
from worker.log import logger
from worker.steps.services import Services
from worker.telemetry.recording import without_figures

log = logger(__name__)


def store_metrics(services: Services, rows: list[dict[str, Any]], *, waits_again: bool = True) -> dict[str, int | None]:
    """One commit for the batch; milliseconds from acceptance to now by reply id. Where PostgreSQL refuses it for a
    value, one by one, and the culprit without its figures: a reply that stays unrecorded would come back for ever.
    waits_again: as `retry.run` takes it; somebody may hold the rows of sums that all replies share.
    """

    def record(connection: Connection) -> dict[str, int | None]:
        return queries.record_metrics(connection, rows)

    try:
        return retry.run(services.engine, record, waits_again=waits_again)
    except SQLAlchemyError as exc:
        if not retry.blames_a_value(exc) or (len(rows) == 1 and rows[0] == without_figures(rows[0])):
            raise
        if len(rows) == 1:
            log.exception("figures_refused", reply_id=rows[0]["reply_id"], error=type(exc).__name__)
            return store_metrics(services, [without_figures(rows[0])], waits_again=waits_again)
    parts = [store_metrics(services, [row], waits_again=waits_again) for row in rows]
    return {reply_id: took_ms for part in parts for reply_id, took_ms in part.items()}
