"""Step call_provider: turns that ask a model, with leases that last as long as a provider may take."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from sqlalchemy import Connection

from db import queries, retry
from worker.log import logger
from worker.session.turn import Turn
from worker.settings import Settings
from worker.steps.attempts import begin, failure, release, suspend
from worker.steps.locked_customers import around
from worker.steps.services import Services

#: A turn on queue `ai` may outlast its deadline by this much before the sweep takes it.
AI_LEASE_MARGIN_S = 15.0
Batch = Sequence[Turn]
log = logger(__name__)


def hand_over(services: Services, missed: Batch, has_room: Callable[[], bool]) -> list[Turn]:
    """Hands turns over to queue `ai`: those that are still ours, with longer leases. Waiting is no attempt.

    Args:
        has_room: whether more turns may wait there.
    """
    if not missed:
        return []
    waiting = suspend(services, missed)
    if not has_room():
        log.warning("calls_postponed", turns=len(waiting))
        return []
    lease_s = _lease_s(services.settings)

    def extend(connection: Connection, turns: Batch) -> set[str]:
        return queries.extend_leases(connection, [turn.holder for turn in turns], lease_s)

    extended, _ = around(services, waiting, extend)
    held = set().union(*extended)
    return [turn for turn in waiting if turn.token in held]


def call_provider(services: Services, batch: Batch) -> Iterator[list[Turn]]:
    """Yields answered turns as they become ready. A turn whose lease has passed to another is not asked for; of a swept
    one the attempt is counted first.
    """
    begun = begin(services, batch, _lease_s(services.settings))
    holders = [turn.holder for turn in begun]
    left_s = retry.run(services.engine, lambda connection: queries.lease_left(connection, holders))
    held = [turn for turn in begun if turn.token in left_s]
    for dispatched in services.dispatcher.call(held, left_s, AI_LEASE_MARGIN_S):
        release(services, [failure(turn, "CallFailed") for turn in dispatched.failed])
        if dispatched.answered:
            yield list(dispatched.answered)


def _lease_s(settings: Settings) -> float:
    return settings.ai_deadline_s + AI_LEASE_MARGIN_S
