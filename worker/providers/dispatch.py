"""Dispatching turns to models: bounded pool, single flight per key, reply cache; each goes on when it is ready."""

import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future
from queue import SimpleQueue

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from worker.log import logger
from worker.providers.budget import Budget
from worker.providers.completion import Completer, fallback_outcome
from worker.providers.progress import PlannedRequest
from worker.providers.reply_cache import CachedReply, cacheable
from worker.providers.single_flight import EndRequest, JoinRequest, SingleFlight
from worker.redisdb.cache import Cache
from worker.redisdb.keys import AI_RESPONSE
from worker.replies.scene import scene_of
from worker.session.outcome import Outcome
from worker.session.turn import Turn, decode_turn, encode_turn
from worker.shop.shop import Shop

log = logger(__name__)


class Dispatched(Struct, frozen=True):
    """Result of some leads: turns with their outcome, and turns that must be started again."""

    answered: tuple[Turn, ...] = ()
    failed: tuple[Turn, ...] = ()


class _LeadResult(Struct, frozen=True):
    """End of one lead.

    Args:
        outcome: None where the lead failed.
        entry: for the reply cache and for those who come later, None where it may not stand there.
    """

    turn: Turn
    outcome: Outcome | None = None
    entry: CachedReply | None = None

    @property
    def outcome_for_others(self) -> Outcome | None:
        """The outcome of those for whom this lead has paid."""
        if self.entry:
            return self.entry.outcome()
        paid = self.outcome
        return paid and Outcome(paid.source, paid.decision, baseline_microusd=paid.baseline_microusd)


class Dispatcher:
    """Dispatcher of a process's turns to the models."""

    def __init__(
        self,
        completer: Completer,
        single_flight: SingleFlight,
        cache: Cache,
        pool: Executor,
        budget: Budget,
        shop: Shop,
    ) -> None:
        self._completer = completer
        self._single_flight = single_flight
        self._cache = cache
        self._pool = pool
        self._budget = budget
        self._shop = shop

    def call(
        self, turns: Sequence[Turn], left_s: dict[str, float], margin_s: float, lead_s: float = 0.0
    ) -> Iterator[Dispatched]:
        """Yields what becomes ready, in the order in which it does. Parked turns do not appear: their leader goes on
        with them.

        Args:
            left_s: rest of each lease by token.
            margin_s: from the deadline of a call to the end of that lease; less than 0 where leases are renewed.
            lead_s: length of a lead where the lease has less left.
        """
        now = time.monotonic()
        over_limit = self._budget.over_limit([turn.customer_phone for turn in turns])
        limited = [turn for turn in turns if turn.customer_phone in over_limit]
        asking = [turn for turn in turns if turn.customer_phone not in over_limit]
        joins = self._single_flight.join(
            [
                JoinRequest(turn.planned().key, turn.token, encode_turn(turn), max(left_s[turn.token], lead_s))
                for turn in asking
            ]
        )
        scenes = {turn.token: scene_of(turn, self._shop) for turn in limited}
        served = [replace(turn, outcome=fallback_outcome(turn.planned(), scenes[turn.token])) for turn in limited]
        leads: list[Future[_LeadResult]] = []
        waiting: set[Future[_LeadResult]] = set()
        try:
            for turn, joined in zip(asking, joins, strict=True):
                if entry := _entry(joined.result):
                    served.append(replace(turn, outcome=entry.outcome()))
                elif joined.role != "parked":
                    leads.append(self._pool.submit(self._lead, turn, now + left_s[turn.token] - margin_s))
                    waiting.add(leads[-1])
            if served:
                yield Dispatched(tuple(served))
            for done in _as_ready(leads):
                waiting.difference_update(done)
                yield self._finish([lead.result() for lead in done])
        finally:
            # Where nobody takes the rest, it is paid for all the same: who asks it again finds it in the cache.
            for lead in waiting:
                lead.add_done_callback(lambda lead: self._finish([lead.result()]))

    def _lead(self, turn: Turn, deadline: float) -> _LeadResult:
        """One turn's calls of providers."""
        try:
            scene = scene_of(turn, self._shop)
            planned = PlannedRequest(turn.planned(), scene, turn.token, turn.customer_phone, deadline)
            outcome = self._completer.complete(planned)
            return _LeadResult(turn, outcome, cacheable(outcome))
        except Exception as exc:
            # A defect of ours: nobody may be left waiting for it.
            log.exception("call_failed", token=turn.token, error=type(exc).__name__)
            return _LeadResult(turn)

    def _finish(self, ended: Sequence[_LeadResult]) -> Dispatched:
        """Ends these leads for everyone who waits for them. The cache comes first: a caller that finds no flight looks
        there.
        """
        kept = {one.turn.planned().key: one.entry for one in ended if one.entry}
        self._cache.set_many(AI_RESPONSE, msgspec.to_builtins(kept))
        endings = [EndRequest(one.turn.planned().key, one.turn.token, _encoded(one.entry)) for one in ended]
        answered: list[Turn] = []
        failed: list[Turn] = []
        for one, parked in zip(ended, self._single_flight.end(endings), strict=True):
            others = decoded_turns(parked)
            if one.outcome is None:
                failed += [one.turn, *others]
                continue
            answered.append(replace(one.turn, outcome=one.outcome))
            answered += [replace(other, outcome=one.outcome_for_others) for other in others]
        return Dispatched(tuple(answered), tuple(failed))


def _encoded(entry: CachedReply | None) -> bytes | None:
    return msgspec.json.encode(entry) if entry else None


def _entry(result: bytes | None) -> CachedReply | None:
    try:
        return msgspec.json.decode(result, type=CachedReply) if result is not None else None
    except msgspec.DecodeError as exc:
        # Left there by another release, say: it counts as absent.
        log.warning("flight_result_unreadable", error=type(exc).__name__)
        return None


def decoded_turns(parked: Iterable[bytes]) -> list[Turn]:
    """Turns that were parked; one that cannot be read is left out."""
    return list(_decoded(parked))


def _decoded(parked: Iterable[bytes]) -> Iterator[Turn]:
    for turn in parked:
        try:
            yield decode_turn(turn)
        except Exception as exc:
            # Left there by another release, say. Its lease ends, and the sweep starts it again.
            log.exception("parked_turn_unreadable", error=type(exc).__name__)


def _as_ready(leads: Sequence[Future[_LeadResult]]) -> Iterator[list[Future[_LeadResult]]]:
    # `concurrent.futures.wait` would look at all that are left each time that one is done.
    ready: SimpleQueue[Future[_LeadResult]] = SimpleQueue()
    for lead in leads:
        lead.add_done_callback(ready.put)
    left = len(leads)
    while left:
        done = [ready.get(), *(ready.get() for _ in range(ready.qsize()))]
        left -= len(done)
        yield done
