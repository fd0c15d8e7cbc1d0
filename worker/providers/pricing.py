"""Prices of calls in whole micro-dollars, so that sums in SQL and Redis stay exact, and their sums by turn.

Pure: no I/O.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from msgspec.structs import replace

from worker.providers.models import Model, Price, Provider
from worker.session.outcome import Outcome
from worker.usage import ModelCalls, Usage

_CHARS_PER_TOKEN = 4  # OpenAI's rule of thumb for English; Spanish comes out a little dearer
#: gpt-3.5-turbo at its last prices, in dollars per million tokens (withdrawn on 2026-10-23): what every message is
#: compared with, whatever is configured.
BASELINE_PRICE = Price(Decimal("0.50"), Decimal("0.50"), Decimal("1.50"), Decimal("0.50"))
BASELINE_MODEL = "gpt-3.5-turbo"


def cost_microusd(price: Price, usage: Usage) -> int:
    """The price of one call in micro-dollars, rounded half up once for the whole call.

    Dollars per million tokens are micro-dollars per token, so nothing is divided.
    """
    plain_tokens = usage.prompt_tokens - usage.cached_tokens - usage.cache_write_tokens
    cost = (
        price.input_usd * plain_tokens
        + price.cached_input_usd * usage.cached_tokens
        + price.cache_write_usd * usage.cache_write_tokens
        + price.output_usd * usage.completion_tokens
    )
    return int(cost.to_integral_value(rounding=ROUND_HALF_UP))


def priced_call(provider: Provider, payee: Model, name: str, usage: Usage, outcome: str, now: datetime) -> ModelCalls:
    """One call as it is recorded: under a model's name, at the price of `payee` now."""
    return ModelCalls(provider.name, name, outcome, 1, usage, cost_microusd(payee.price_at(now), usage))


def baseline_microusd(usage: Usage) -> int:
    """The price of the same tokens by the baseline, nothing cached."""
    return cost_microusd(BASELINE_PRICE, Usage(usage.prompt_tokens, 0, usage.completion_tokens))


def estimate_tokens(text: str) -> int:
    """About how many tokens a text has: a token per four characters, rounded up, at least 1."""
    return max(1, -(-len(text) // _CHARS_PER_TOKEN))


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


def summed(calls: Iterable[ModelCalls]) -> tuple[ModelCalls, ...]:
    """The calls with those of one model and outcome as one."""
    sums: dict[tuple[str, str, str], ModelCalls] = {}
    for call in calls:
        key = (call.provider, call.model, call.outcome)
        known = sums.get(key, replace(call, calls=0, usage=Usage(), cost_microusd=0))
        sums[key] = replace(
            known,
            calls=known.calls + call.calls,
            usage=known.usage + call.usage,
            cost_microusd=known.cost_microusd + call.cost_microusd,
        )
    return tuple(sums.values())


def shares(calls: Iterable[ModelCalls], provider: str | None) -> dict[str, Any] | None:
    """Micro-dollars by provider; None where nobody but `provider` was paid."""
    paid: dict[str, int] = {}
    for call in calls:
        if call.cost_microusd:
            paid[call.provider] = paid.get(call.provider, 0) + call.cost_microusd
    return paid if paid.keys() - {provider} else None
