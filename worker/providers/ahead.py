"""Replies made ahead: one call for a request that nobody waits for, in the single flight of those who may come to."""

import time
from uuid import uuid4

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from worker.log import logger
from worker.providers.completion import Completer
from worker.providers.dispatch import decoded_turns
from worker.providers.progress import PlannedRequest
from worker.providers.reply_cache import CachedReply, cacheable
from worker.providers.single_flight import EndRequest, JoinRequest, SingleFlight
from worker.redisdb.cache import Cache
from worker.redisdb.keys import AI_RESPONSE
from worker.replies.scene import NOBODY, Scene
from worker.session.outcome import Outcome
from worker.session.turn import VERSION_CHARS, Plan, Turn
from worker.shop.shop import Shop

#: A lead outlasts the deadline of its call by this much.
LEAD_MARGIN_S = 5.0
log = logger(__name__)


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


class AheadCaller:
    """Caller of models for requests that nobody has made yet, as those of customers are called for: under the circuits
    and budgets, the answer judged, and in the single flight of its key.
    """

    def __init__(self, completer: Completer, single_flight: SingleFlight, cache: Cache, shop: Shop) -> None:
        self._completer = completer
        self._single_flight = single_flight
        self._cache = cache
        self._shop = shop

    def make(self, plan: Plan, deadline_s: float) -> MadeAhead | None:
        """Makes the reply to a shared request; None where somebody else is at it, or has just been.

        Args:
            deadline_s: seconds that the call may take.
        """
        token = str(uuid4())
        (joined,) = self._single_flight.join([JoinRequest(plan.key, token, b"", deadline_s + LEAD_MARGIN_S)])
        if joined.role != "lead":
            return None
        outcome = self._completed(plan, token, time.monotonic() + deadline_s)
        reply = cacheable(outcome) if outcome else None
        entry = replace(reply, ahead=True) if reply else None
        # The cache comes first: a caller that finds no flight looks there.
        self._cache.set_many(AI_RESPONSE, {plan.key: msgspec.to_builtins(entry)} if entry else {})
        ending = EndRequest(plan.key, token, msgspec.json.encode(entry) if entry else None)
        parked = [turn for raw in self._single_flight.end([ending]) for turn in decoded_turns(raw)]
        if entry is None:
            return MadeAhead(outcome, None, asking=tuple(parked))
        return MadeAhead(outcome, entry, answered=tuple(replace(turn, outcome=entry.outcome()) for turn in parked))

    def _completed(self, plan: Plan, token: str, deadline: float) -> Outcome | None:
        scene = Scene(
            self._shop, NOBODY, token.replace("-", "")[:VERSION_CHARS], plan.products, plan.searched, plan.form
        )
        try:
            return self._completer.complete(PlannedRequest(plan, scene, token, "", deadline, ahead=True))
        except Exception as exc:
            # A defect of ours: customers who came meanwhile may not be left waiting for it.
            log.exception("call_failed", token=token, error=type(exc).__name__)
            return None
