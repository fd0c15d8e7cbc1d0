"""Way of turns to queue `ai`: while it has room, with leases that last for a call."""

from collections.abc import Callable, Sequence

from sqlalchemy import Connection

from db import queries
from worker.log import logger
from worker.session.turn import Turn
from worker.steps.attempts import uncount_attempts
from worker.steps.call_leases import lease_of_call_s
from worker.steps.locked_customers import commit_around_locked
from worker.steps.services import Services

log = logger(__name__)


def lease_for_call(services: Services, missed: Sequence[Turn], has_room: Callable[[], bool]) -> list[Turn]:
    """Leases turns for queue `ai`: those that are still ours. Waiting is no attempt.

    Args:
        has_room: whether more turns may wait there.
    """
    if not missed:
        return []
    waiting = uncount_attempts(services, missed)
    if not has_room():
        log.warning("calls_postponed", turns=len(waiting))
        return []
    lease_s = lease_of_call_s(services.settings.ai_deadline_s)

    def extend(connection: Connection, turns: Sequence[Turn]) -> set[str]:
        return queries.extend_leases(connection, [turn.holder for turn in turns], lease_s)

    extended, _ = commit_around_locked(services.engine, waiting, extend)
    held = set().union(*extended)
    return [turn for turn in waiting if turn.token in held]
