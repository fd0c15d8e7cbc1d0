"""Sums of the calls made for one turn, for its outcome and the books. Pure thought."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from msgspec.structs import replace

from worker.session.turn import Outcome
from worker.usage import ModelCalls, Usage


def summed(calls: Iterable[ModelCalls]) -> tuple[ModelCalls, ...]:
    """The calls with those of one model and outcome as one."""
    sums: dict[tuple[str, str, str], ModelCalls] = {}
    for call in calls:
        key = (call.provider, call.model, call.outcome)
        known = sums.get(key)
        sums[key] = call if known is None else _together(known, call)
    return tuple(sums.values())


def _together(one: ModelCalls, other: ModelCalls) -> ModelCalls:
    return ModelCalls(
        one.provider,
        one.model,
        one.outcome,
        one.calls + other.calls,
        one.usage + other.usage,
        one.cost_microusd + other.cost_microusd,
    )


def with_costs(outcome: Outcome, calls: Sequence[ModelCalls]) -> Outcome:
    """The outcome with all that its calls have cost."""
    usage = sum((call.usage for call in calls), Usage())
    return replace(
        outcome,
        calls=sum(call.calls for call in calls),
        prompt_tokens=usage.prompt_tokens,
        cached_tokens=usage.cached_tokens,
        completion_tokens=usage.completion_tokens,
        cost_microusd=sum(call.cost_microusd for call in calls),
        cost_by_provider=shares(calls, outcome.provider),
        calls_made=summed(calls),
    )


def shares(calls: Iterable[ModelCalls], provider: str | None) -> dict[str, Any] | None:
    """Micro-dollars by provider; None where nobody but `provider` was paid."""
    paid: dict[str, int] = {}
    for call in calls:
        if call.cost_microusd:
            paid[call.provider] = paid.get(call.provider, 0) + call.cost_microusd
    return paid if paid.keys() - {provider} else None
