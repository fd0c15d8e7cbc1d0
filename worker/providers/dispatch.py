"""Dispatching turns to models: bounded pool, single flight per key, reply cache; each goes on when it is ready."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from queue import SimpleQueue
from uuid import uuid4

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from worker.log import logger
from worker.providers.budget import Budget
from worker.providers.completion import Completer, fallback_outcome
from worker.providers.progress import PlannedRequest
from worker.providers.reply_cache import CachedReply, cacheable
from worker.providers.single_flight import EndRequest, JoinRequest, JoinResult, SingleFlight
from worker.redisdb.cache import Cache
from worker.redisdb.keys import AI_RESPONSE
from worker.replies.scene import NOBODY, Scene, scene_of
from worker.session.outcome import Outcome
from worker.session.turn import VERSION_CHARS, Plan, Turn, decode_turn, encode_turn
from worker.shop.shop import Shop

#: The lead of a call that nobody waits for outlasts its deadline by this much.
LEAD_MARGIN_S = 5.0
log = logger(__name__)


class Dispatched(Struct, frozen=True):
    """Result of some leads: turns with their outcome, and turns that must be started again."""

    answered: tuple[Turn, ...] = ()
    failed: tuple[Turn, ...] = ()


class MadeAhead(Struct, frozen=True):
    """Result of a call that nobody waited for.

    Args:
        outcome: with its costs, None where the call failed by a defect of ours.
        entry: the reply that stands in the cache now, None where there is none.
        answered: turns of customers who came meanwhile, with their outcome.
        asking: such turns that got none, and must ask themselves.
    """

    outcome: Outcome | None
    entry: CachedReply | None
    answered: tuple[Turn, ...] = ()
    asking: tuple[Turn, ...] = ()


class _LeadEnd(Struct, frozen=True):
    """End of one lead for `key` by `token`.

    Args:
        outcome: None where the lead failed.
        entry: for the reply cache and for those who come later, None where it may not stand there.
    """

    key: str
    token: str
    outcome: Outcome | None = None
    entry: CachedReply | None = None

    @property
    def outcome_for_others(self) -> Outcome | None:
        """The outcome of those for whom this lead has paid."""
        if self.entry:
            return self.entry.outcome()
        paid = self.outcome
        return paid and Outcome(paid.source, paid.decision, baseline_microusd=paid.baseline_microusd)


@dataclass(frozen=True, slots=True)
class Dispatcher:
    """Dispatcher of a process's turns to the models."""

    completer: Completer
    single_flight: SingleFlight
    cache: Cache
    pool: Executor
    budget: Budget
    shop: Shop

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
        over_limit = self.budget.over_limit([turn.customer_phone for turn in turns])
        limited = [turn for turn in turns if turn.customer_phone in over_limit]
        asking = [turn for turn in turns if turn.customer_phone not in over_limit]
        joins = self._join(asking, left_s, lead_s)
        served = [
            replace(turn, outcome=fallback_outcome(turn.planned(), scene_of(turn, self.shop))) for turn in limited
        ]
        leads: dict[Future[_LeadEnd], Turn] = {}
        try:
            for turn, joined in zip(asking, joins, strict=True):
                if entry := _entry(joined.result):
                    served.append(replace(turn, outcome=entry.outcome()))
                elif joined.role != "parked":
                    leads[self.pool.submit(self._lead, turn, now + left_s[turn.token] - margin_s)] = turn
            if served:
                yield Dispatched(tuple(served))
            for done in _as_ready(leads):
                yield self._finish([(leads.pop(lead), lead.result()) for lead in done])
        finally:
            # Where nobody takes the rest, it is paid for all the same: who asks it again finds it in the cache.
            for lead in leads:
                lead.add_done_callback(lambda lead: self._end([lead.result()]))

    def _join(self, asking: Sequence[Turn], left_s: Mapping[str, float], lead_s: float) -> list[JoinResult]:
        """Joins the single flight of each turn."""
        return self.single_flight.join(
            [
                JoinRequest(turn.planned().key, turn.token, encode_turn(turn), max(left_s[turn.token], lead_s))
                for turn in asking
            ]
        )

    def make_ahead(self, plan: Plan, deadline_s: float) -> MadeAhead | None:
        """Makes the reply to a shared request that nobody has made yet, as those of customers are made; None where
        somebody else is at it, or has just been.

        Args:
            deadline_s: seconds that the call may take.
        """
        token = str(uuid4())
        (joined,) = self.single_flight.join([JoinRequest(plan.key, token, b"", deadline_s + LEAD_MARGIN_S)])
        if joined.role != "lead":
            return None
        version, deadline = token.replace("-", "")[:VERSION_CHARS], time.monotonic() + deadline_s
        scene = Scene(self.shop, NOBODY, version, plan.products, plan.searched, plan.form)
        lead = self._completed(plan, token, lambda: PlannedRequest(plan, scene, token, "", deadline, ahead=True))
        entry = replace(lead.entry, ahead=True) if lead.entry else None
        (parked,) = self._end([replace(lead, entry=entry)])
        if entry is None:
            return MadeAhead(lead.outcome, None, asking=tuple(parked))
        answered = tuple(replace(turn, outcome=entry.outcome()) for turn in parked)
        return MadeAhead(lead.outcome, entry, answered=answered)

    def _lead(self, turn: Turn, deadline: float) -> _LeadEnd:
        plan, token = turn.planned(), turn.token
        return self._completed(
            plan, token, lambda: PlannedRequest(plan, scene_of(turn, self.shop), token, turn.customer_phone, deadline)
        )

    def _completed(self, plan: Plan, token: str, make: Callable[[], PlannedRequest]) -> _LeadEnd:
        """One request's calls of providers."""
        try:
            outcome = self.completer.complete(make())
            return _LeadEnd(plan.key, token, outcome, cacheable(outcome))
        except Exception as exc:
            # A defect of ours: nobody may be left waiting for it.
            log.exception("call_failed", token=token, error=type(exc).__name__)
            return _LeadEnd(plan.key, token)

    def _finish(self, ended: Sequence[tuple[Turn, _LeadEnd]]) -> Dispatched:
        """Ends these leads for everyone who waits for them."""
        answered: list[Turn] = []
        failed: list[Turn] = []
        for (turn, lead), others in zip(ended, self._end([lead for _, lead in ended]), strict=True):
            if lead.outcome is None:
                failed += [turn, *others]
                continue
            answered.append(replace(turn, outcome=lead.outcome))
            answered += [replace(other, outcome=lead.outcome_for_others) for other in others]
        return Dispatched(tuple(answered), tuple(failed))

    def _end(self, leads: Sequence[_LeadEnd]) -> list[list[Turn]]:
        """Ends leads, and returns the turns that were parked for each. The cache comes first: a caller that finds no
        flight looks there.
        """
        self.cache.set_many(AI_RESPONSE, msgspec.to_builtins({lead.key: lead.entry for lead in leads if lead.entry}))
        results = [msgspec.json.encode(lead.entry) if lead.entry else None for lead in leads]
        endings = [EndRequest(lead.key, lead.token, result) for lead, result in zip(leads, results, strict=True)]
        return [list(_decoded(parked)) for parked in self.single_flight.end(endings)]


def _entry(result: bytes | None) -> CachedReply | None:
    try:
        return msgspec.json.decode(result, type=CachedReply) if result is not None else None
    except msgspec.DecodeError as exc:
        # Left there by another release, say: it counts as absent.
        log.warning("flight_result_unreadable", error=type(exc).__name__)
        return None


def _decoded(parked: Iterable[bytes]) -> Iterator[Turn]:
    """Turns that were parked; one that cannot be read is left out."""
    for turn in parked:
        try:
            yield decode_turn(turn)
        except Exception as exc:
            # Left there by another release, say. Its lease ends, and the sweep starts it again.
            log.exception("parked_turn_unreadable", error=type(exc).__name__)


def _as_ready(leads: Iterable[Future[_LeadEnd]]) -> Iterator[list[Future[_LeadEnd]]]:
    # `concurrent.futures.wait` would look at all that are left each time that one is done.
    ready: SimpleQueue[Future[_LeadEnd]] = SimpleQueue()
    left = 0
    for lead in leads:
        lead.add_done_callback(ready.put)
        left += 1
    while left:
        done = [ready.get(), *(ready.get() for _ in range(ready.qsize()))]
        left -= len(done)
        yield done
