"""Step record_metrics: the commit of costs and times, then a line of log for each turn."""

import time
from collections.abc import Sequence
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from db import queries, requests, retry
from worker.log import logger, warned
from worker.session.turn import Turn
from worker.steps.services import Services
from worker.telemetry.recording import metrics_row, turn_ended, without_figures

log = logger(__name__)


def run(services: Services, batch: Sequence[Turn]) -> None:
    """Records costs and publication times of a batch in one commit, and logs its turns."""
    rows = [
        metrics_row(turn.token, turn.stored_outcome(), len(turn.messages), committed=turn.committed) for turn in batch
    ]
    total_ms = store_metrics(services, rows)
    for turn, row in zip(batch, rows, strict=True):
        # Recorded before: the task was repeated.
        if turn.token in total_ms:
            turn_ended(row, total_ms[turn.token], turn)
    services.asked.add((turn for turn in batch if turn.token in total_ms), time.time())
    count_asked(services)


def count_asked(services: Services) -> None:
    """Writes the counts of what was asked, where they are due: apart from the records, which they could hold up. A
    forecast can do without those that PostgreSQL does not take.
    """
    if counts := services.asked.due():
        with warned(log, "requests_not_counted", SQLAlchemyError), services.engine.connect() as connection:
            requests.count(connection, counts)


def store_metrics(services: Services, rows: list[dict[str, Any]], *, waits_again: bool = True) -> dict[str, int | None]:
    """Records rows in one commit. Where PostgreSQL refuses it for a value, the culprit goes without its figures: a
    reply that stays unrecorded would come back for ever.

    Args:
        waits_again: as `retry.run` takes it; somebody may hold the rows of sums that all replies share.

    Returns:
        Milliseconds from acceptance to now by reply id.
    """

    def record(some: Sequence[dict[str, Any]]) -> dict[str, int | None]:
        return retry.run(
            services.engine, lambda connection: queries.record_metrics(connection, list(some)), waits_again=waits_again
        )

    def record_without_figures(row: dict[str, Any], error: SQLAlchemyError) -> dict[str, int | None]:
        if row == without_figures(row):
            raise error
        log.exception("figures_refused", reply_id=row["reply_id"], error=type(error).__name__)
        return record([without_figures(row)])

    parts = retry.around_refused(rows, record, record_without_figures)
    return {reply_id: took_ms for part in parts for reply_id, took_ms in part.items()}
