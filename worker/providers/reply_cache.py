"""The reply cache: what of an outcome is kept under a request's key, and what a hit is worth."""

from collections.abc import Sequence

from msgspec import Struct
from msgspec.structs import replace

from worker.providers.pricing import baseline_microusd, estimate_tokens
from worker.redisdb.cache import Cache, entries
from worker.redisdb.keys import AI_RESPONSE
from worker.replies.own_words import decided_by_catalog
from worker.replies.prompt import AiRequest
from worker.session.outcome import Decision, Outcome
from worker.session.turn import Plan, Turn
from worker.shop.shop import Shop
from worker.usage import Usage


class CachedReply(Struct, frozen=True):
    """Entry of `ai_response:{sha256}`: the decision, who made it, and the tokens that a repeat saves.

    Args:
        ahead: it was made before anybody had asked for it.
    """

    decision: Decision
    provider: str | None
    model: str | None
    prompt_tokens: int
    completion_tokens: int
    ahead: bool = False

    def __post_init__(self) -> None:
        """Refuses an entry without words, so that it counts as absent."""
        if not self.decision.reply:
            raise ValueError("no reply")

    def outcome(self) -> Outcome:
        """An outcome that costs nothing."""
        usage = Usage(prompt_tokens=self.prompt_tokens, completion_tokens=self.completion_tokens)
        return Outcome(
            source="cache",
            decision=self.decision,
            provider=self.provider,
            model=self.model,
            baseline_microusd=baseline_microusd(usage),
            ahead=self.ahead,
        )


def from_cache(turns: Sequence[Turn], cache: Cache) -> list[Turn]:
    """The turns, with their outcome where the reply cache holds one. A reply that is asked for at least once a day
    stays in it: its key names every fact it was made from, so it is as true as on its first day.
    """
    keys = list(dict.fromkeys(turn.planned().key for turn in turns))
    cached = entries(cache.get_many(AI_RESPONSE, keys, keep=True), CachedReply)
    return [
        replace(turn, outcome=cached[turn.planned().key].outcome()) if turn.planned().key in cached else turn
        for turn in turns
    ]


def in_own_words(shop: Shop, plan: Plan) -> CachedReply | None:
    """The entry of a request that the catalogue answers completely, without a model; None for any other."""
    decision = decided_by_catalog(shop, plan.form, plan.products[: plan.searched])
    if decision is None:
        return None
    tokens = estimate_tokens(AiRequest(plan.system, plan.user).text), estimate_tokens(decision.reply)
    return CachedReply(decision, None, None, *tokens)


def cacheable(outcome: Outcome) -> CachedReply | None:
    """The entry of an outcome in the reply cache. None for what must not be said twice: anything but a model's own
    answer, and a call for a person.
    """
    if outcome.source != "ai" or outcome.decision.requires_human:
        return None
    return CachedReply(
        outcome.decision, outcome.provider, outcome.model, outcome.prompt_tokens, outcome.completion_tokens
    )
