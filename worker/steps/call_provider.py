"""Step call_provider: turns that ask a model, with leases that last as long as a provider may take."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from sqlalchemy import Connection

from db import queries, retry
from worker.log import logger
from worker.session.turn import Turn
from worker.settings import Settings
from worker.steps.attempts import count_attempts, failure, give_back_failed, uncount_attempts
from worker.steps.locked_customers import commit_around_locked
from worker.steps.services import Services

#: A turn on queue `ai` may outlast its deadline by this much before the sweep takes it.
AI_LEASE_MARGIN_S = 15.0
Batch = Sequence[Turn]
log = logger(__name__)


def lease_for_call(services: Services, missed: Batch, has_room: Callable[[], bool]) -> list[Turn]:
    """Leases turns for queue `ai`: those that are still ours, for as long as a call may take. Waiting is no attempt.

    Args:
        has_room: whether more turns may wait there.
    """
    if not missed:
        return []
    waiting = uncount_attempts(services, missed)
    if not has_room():
        log.warning("calls_postponed", turns=len(waiting))
        return []
    lease_s = _lease_s(services.settings)

    def extend(connection: Connection, turns: Batch) -> set[str]:
        return queries.extend_leases(connection, [turn.holder for turn in turns], lease_s)

    extended, _ = commit_around_locked(services, waiting, extend)
    held = set().union(*extended)
    return [turn for turn in waiting if turn.token in held]


def run(services: Services, batch: Batch) -> Iterator[list[Turn]]:
    """Yields answered turns as they become ready. A turn whose lease has passed to another is not asked for; of a swept
    one the attempt is counted first.
    """
    begun = count_attempts(services, batch, _lease_s(services.settings))
    holders = [turn.holder for turn in begun]
    left_s = retry.run(services.engine, lambda connection: queries.lease_left(connection, holders))
    held = [turn for turn in begun if turn.token in left_s]
    for dispatched in services.dispatcher.call(held, left_s, AI_LEASE_MARGIN_S):
        give_back_failed(services, [failure(turn, "CallFailed") for turn in dispatched.failed])
        if dispatched.answered:
            yield list(dispatched.answered)


def _lease_s(settings: Settings) -> float:
    return settings.ai_deadline_s + AI_LEASE_MARGIN_S
