"""The reply cache: what of an outcome is kept under a request's key, and what a hit is worth."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeGuard

from msgspec.structs import replace

from worker.providers.pricing import yardstick_microusd
from worker.redisdb.cache import Cache
from worker.redisdb.keys import AI_RESPONSE
from worker.session.turn import Outcome, Turn
from worker.usage import Usage

ENTRY_FIELDS = frozenset({"decision", "provider", "model", "prompt_tokens", "completion_tokens"})
DECISION_FIELDS = frozenset({"reply", "intent", "confidence", "cart_operations"})


def from_cache(turns: Sequence[Turn], cache: Cache) -> list[Turn]:
    """The turns, with their outcome where the reply cache holds one. What is asked at least once a day stays in it: its
    key names every fact it was made from, so it is as true as on its first day.
    """
    found = cache.get_many(AI_RESPONSE, list(dict.fromkeys(turn.planned().key for turn in turns)), keep=True)
    usable = {key: entry for key, entry in found.items() if is_entry(entry)}
    return [
        replace(turn, outcome=cached_outcome(usable[turn.planned().key])) if turn.planned().key in usable else turn
        for turn in turns
    ]


def is_entry(entry: object) -> TypeGuard[dict[str, Any]]:
    """Whether a stored value has the form that `cacheable` gives; another version's counts as absent."""
    if not isinstance(entry, dict) or not isinstance(entry.get("decision"), dict):
        return False
    return entry.keys() >= ENTRY_FIELDS and entry["decision"].keys() >= DECISION_FIELDS


def cacheable(outcome: Outcome) -> dict[str, Any] | None:
    """The entry of an outcome in the reply cache: the decision, who made it, and the tokens a repeat saves. None for
    what must not be said twice: anything but a model's own answer, and a call for a person.
    """
    if outcome.source != "ai" or outcome.decision.get("requires_human"):
        return None
    return {
        "decision": outcome.decision,
        "provider": outcome.provider,
        "model": outcome.model,
        "prompt_tokens": outcome.prompt_tokens,
        "completion_tokens": outcome.completion_tokens,
    }


def cached_outcome(entry: dict[str, Any]) -> Outcome:
    """An outcome that costs nothing, from what `cacheable` kept."""
    usage = Usage(prompt_tokens=entry["prompt_tokens"], completion_tokens=entry["completion_tokens"])
    return Outcome(
        source="cache",
        decision=entry["decision"],
        provider=entry["provider"],
        model=entry["model"],
        baseline_microusd=yardstick_microusd(usage),
    )
