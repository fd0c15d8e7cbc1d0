"""One run: replies to likely requests are made, one after the other, as long as no customer's call waits and the money
reaches.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from uuid import uuid4

from msgspec.structs import asdict, replace
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from db import requests as asked
from db import retry
from db.locks import PRECACHE_LOCK, try_lock, unlock
from worker.log import logger
from worker.precache.allowance import Allowance, day_microusd
from worker.precache.price_hours import price_of
from worker.precache.requests import missing
from worker.providers.pricing import cost_microusd, estimate_tokens
from worker.replies.prompt import AiRequest
from worker.session.outcome import Outcome, StoredOutcome
from worker.session.turn import Plan, Turn
from worker.steps.services import Services
from worker.telemetry.recording import metrics_row
from worker.telemetry.report import AHEAD
from worker.usage import Usage

#: A run ends before beat starts the next one.
RUN_S = 240.0
log = logger(__name__)
#: Takes turns of customers who came meanwhile: those that have their outcome, and those that must ask themselves.
SendOn = Callable[[Sequence[Turn], Sequence[Turn]], None]


def run(services: Services, idle: Callable[[], bool], send_on: SendOn) -> int:
    """Makes replies ahead; of a fleet one process at a time does. Returns how many were made.

    Args:
        idle: whether no customer's call waits; asked before each call.
    """
    if not idle():
        return 0
    with alone(services) as connection:
        if connection is None:
            return 0
        allowance = Allowance(services.redis, day_microusd(connection, services.settings))
        if not allowance.any:
            return 0
        value_hits(services, connection)
        return _make_all(services, connection, allowance, idle, send_on)


@contextmanager
def alone(services: Services) -> Iterator[Connection | None]:
    """Yields a connection that holds the lock; None where another process is at it."""
    with services.engine.connect() as connection:
        if not try_lock(connection, PRECACHE_LOCK):
            yield None
            return
        try:
            yield connection
        finally:
            try:
                unlock(connection, PRECACHE_LOCK)
            except SQLAlchemyError:
                # It ends with the connection, which the pool must not keep.
                connection.invalidate()


def value_hits(services: Services, connection: Connection) -> None:
    """Notes what replies made ahead have saved: the price of the same call when the customer asked."""
    saved = {
        id_: cost_microusd(price, Usage(prompt, 0, completion))
        for id_, complexity, prompt, completion, hit_at in asked.unvalued_hits(connection)
        if (price := price_of(services.providers, complexity, hit_at))
    }
    if saved:
        asked.value_hits(connection, saved)


def _make_all(
    services: Services, connection: Connection, allowance: Allowance, idle: Callable[[], bool], send_on: SendOn
) -> int:
    """Makes what is missing until time, money, providers or quiet are at their end; returns how many."""
    made = calls = 0
    until = time.monotonic() + RUN_S
    for form_key, plan in missing(services, connection):
        most = _most_microusd(services, plan)
        if time.monotonic() >= until or not idle() or not allowance.reserve(most):
            break
        reply = services.dispatcher.make_ahead(plan, services.settings.ai_deadline_s)
        outcome = reply.outcome if reply else None
        allowance.settle(most, outcome.cost_microusd if outcome else 0)
        if reply is None:
            # Somebody else is at it.
            continue
        send_on(reply.answered, reply.asking)
        calls += 1
        made += reply.entry is not None
        if outcome is None or not outcome.calls:
            # Circuits are open, or a budget is used up: another request would fare no better.
            break
        _record(services, form_key, plan, outcome, answered=reply.entry is not None)
    if calls:
        log.info("replies_made_ahead", replies=made, asked=calls)
    return made


def _most_microusd(services: Services, plan: Plan) -> int:
    """The highest likely price of a call."""
    price = price_of(services.providers, plan.complexity, datetime.now(UTC))
    request = AiRequest(plan.system, plan.user)
    usage = Usage(estimate_tokens(request.text), 0, request.max_output_tokens)
    return cost_microusd(price, usage) if price else 0


def _record(services: Services, form_key: str, plan: Plan, outcome: Outcome, *, answered: bool) -> None:
    """Records what the calls have cost, and for what. Without PostgreSQL it is known to Redis' budgets alone."""
    made = {
        "form_key": form_key,
        "reply_key": plan.key,
        "answered": answered,
        "complexity": plan.complexity,
        "prompt_tokens": outcome.prompt_tokens,
        "completion_tokens": outcome.completion_tokens,
        "cost_microusd": outcome.cost_microusd,
    }
    # Nobody was answered by it, and nothing would have been paid for nobody.
    nobodys = replace(outcome, source=AHEAD, baseline_microusd=0)
    stored = StoredOutcome(**asdict(nobodys), complexity=plan.complexity)
    row = metrics_row(str(uuid4()), stored, messages=0, committed=False)
    try:
        retry.run(services.engine, lambda connection: asked.record_reply_ahead(connection, [row], made))
    except SQLAlchemyError as exc:
        log.warning("cost_not_recorded", cost_microusd=outcome.cost_microusd, error=type(exc).__name__)
