"""Prices of calls in whole micro-dollars, so that sums in SQL and Redis stay exact. Pure thought."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal

from worker.providers.models import Price
from worker.usage import Usage

_CHARS_PER_TOKEN = 4  # OpenAI's rule of thumb for English; Spanish comes out a little dearer
#: gpt-3.5-turbo at its last prices, in dollars per million tokens (withdrawn on 2026-10-23): the yardstick that every
#: message is compared with, whatever is configured (contract 3.8).
YARDSTICK = Price(Decimal("0.50"), Decimal("0.50"), Decimal("1.50"), Decimal("0.50"))
YARDSTICK_NAME = "gpt-3.5-turbo"


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


def yardstick_microusd(usage: Usage) -> int:
    """The price of the same tokens by the yardstick, nothing cached."""
    return cost_microusd(YARDSTICK, Usage(usage.prompt_tokens, 0, usage.completion_tokens))


def estimate_tokens(text: str) -> int:
    """About how many tokens a text has: a token per four characters, rounded up, at least 1."""
    return max(1, -(-len(text) // _CHARS_PER_TOKEN))
