"""Asking providers for a batch of turns side by side, one caller per key, each going on as soon as it is answered."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass, replace
from queue import SimpleQueue

import orjson

from worker.ai.answer import Answerer
from worker.ai.attempt import Ask
from worker.ai.consent import rules_for
from worker.ai.flight import Flights, Joining
from worker.ai.planning import cacheable, cached_outcome, is_entry
from worker.cache import AI_RESPONSE, Cache
from worker.log import logger
from worker.session.session import CartItem
from worker.session.turn import Outcome, Turn, turn_from_dict, turn_to_dict

log = logger(__name__)


@dataclass(frozen=True, slots=True)
class Landed:
    """What one lead brought: turns with their outcome, and turns that must be started again."""

    answered: tuple[Turn, ...] = ()
    failed: tuple[Turn, ...] = ()


class Caller:
    """The provider side of one process."""

    def __init__(
        self,
        answerer: Answerer,
        flights: Flights,
        cache: Cache,
        pool: Executor,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._answerer = answerer
        self._flights = flights
        self._cache = cache
        self._pool = pool
        self._clock = clock

    def call(self, turns: Sequence[Turn], left_s: dict[str, float], margin_s: float) -> Iterator[Landed]:
        """What becomes ready, in the order in which it does. left_s: what is left of each lease by token; the deadline
        is `margin_s` before its end, on this process's monotonic clock. Parked turns do not appear: their leader goes
        on with them.
        """
        now = self._clock()
        over_limit = self._answerer.over_limit([turn.customer_phone for turn in turns])
        limited = [turn for turn in turns if turn.customer_phone in over_limit]
        asking = [turn for turn in turns if turn.customer_phone not in over_limit]
        boardings = self._flights.join([self._joining(turn, left_s[turn.token]) for turn in asking])
        served = [replace(turn, outcome=self._limited(turn)) for turn in limited]
        leads = []
        for turn, boarding in zip(asking, boardings, strict=True):
            entry = orjson.loads(boarding.result) if boarding.result is not None else None
            if is_entry(entry):
                served.append(replace(turn, outcome=cached_outcome(entry, self._answerer)))
            elif boarding.role != "parked":
                leads.append(self._pool.submit(self._lead, turn, now + left_s[turn.token] - margin_s))
        if served:
            yield Landed(tuple(served))
        yield from _as_ready(leads)

    def _joining(self, turn: Turn, left_s: float) -> Joining:
        return Joining(turn.planned().key, turn.token, orjson.dumps(turn_to_dict(turn)), left_s)

    def _limited(self, turn: Turn) -> Outcome:
        return self._answerer.fallback(turn.planned(), turn.text, cart_of(turn))

    def _lead(self, turn: Turn, deadline: float) -> Landed:
        """One provider call, and what it means for everyone who waits for it."""
        plan = turn.planned()
        try:
            rules = rules_for(turn.text, turn.fetched(), plan.products)
            ask = Ask(plan, rules, turn.token, turn.customer_phone, deadline, turn.text, cart_of(turn))
            return self._land(turn, self._answerer.answer(ask))
        except Exception as exc:
            # A defect of ours: nobody may be left waiting for it.
            log.exception("call_failed", token=turn.token, error=type(exc).__name__)
            return Landed(failed=(turn, *_decoded(self._flights.give_up(plan.key, turn.token))))

    def _land(self, turn: Turn, outcome: Outcome) -> Landed:
        key = turn.planned().key
        if outcome.source != "ai":
            parked = self._flights.give_up(key, turn.token)
            free = Outcome(outcome.source, outcome.decision, baseline_microusd=outcome.baseline_microusd)
        else:
            entry = cacheable(outcome)
            self._cache.set_many(AI_RESPONSE, {key: entry})
            parked = self._flights.land(key, orjson.dumps(entry))
            free = cached_outcome(entry, self._answerer)
        others = (replace(other, outcome=free) for other in _decoded(parked))
        return Landed((replace(turn, outcome=outcome), *others))


def cart_of(turn: Turn) -> tuple[CartItem, ...] | None:
    """The cart that a reply may show; none where others may get the same reply."""
    return None if turn.planned().shared else turn.fetched().cart


def _decoded(parked: Iterable[bytes]) -> tuple[Turn, ...]:
    return tuple(turn_from_dict(orjson.loads(turn)) for turn in parked)


def _as_ready(leads: Sequence[Future[Landed]]) -> Iterator[Landed]:
    # `concurrent.futures.wait` would look at all that are left each time that one is done.
    done: SimpleQueue[Future[Landed]] = SimpleQueue()
    for lead in leads:
        lead.add_done_callback(done.put)
    left = len(leads)
    while left:
        landed = [done.get().result()]
        landed += (done.get().result() for _ in range(done.qsize()))
        left -= len(landed)
        yield Landed(
            tuple(turn for one in landed for turn in one.answered), tuple(turn for one in landed for turn in one.failed)
        )
