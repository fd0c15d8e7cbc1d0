"""Step call_provider: turns that ask a model, with leases that are renewed for as long as it may take."""

from collections.abc import Iterator, Sequence

from db import queries, retry
from worker.session.turn import Turn
from worker.steps.attempts import count_attempts, failure, give_back_failed
from worker.steps.call_leases import lease_of_call_s
from worker.steps.services import Services

Batch = Sequence[Turn]


def run(services: Services, batch: Batch) -> Iterator[list[Turn]]:
    """Yields answered turns as they become ready. A turn whose lease has passed to another is not asked for; of a swept
    one the attempt is counted first.
    """
    lease_s = lease_of_call_s(services.settings.ai_deadline_s)
    begun = count_attempts(services, batch, lease_s)
    holders = [turn.holder for turn in begun]
    left_s = retry.run(services.engine, lambda connection: queries.lease_left(connection, holders))
    held = [turn for turn in begun if turn.token in left_s]
    services.leases.renew([turn for turn in held if left_s[turn.token] < lease_s / 2])
    margin_s = lease_s - services.settings.ai_deadline_s
    with services.leases.keeping(held) as let_go:
        for dispatched in services.dispatcher.call(held, left_s, margin_s, lead_s=lease_s / 2):
            let_go([*dispatched.answered, *dispatched.failed])
            give_back_failed(services, [failure(turn, "CallFailed") for turn in dispatched.failed])
            if dispatched.answered:
                yield list(dispatched.answered)
