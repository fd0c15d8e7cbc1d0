"""What a call costs. Money is counted in whole micro-dollars, so that sums in SQL and Redis stay exact."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal

from worker.providers.providers_file import Prices
from worker.usage import Usage

_MICRO = Decimal("0.000001")
_CHARS_PER_TOKEN = 4  # OpenAI's rule of thumb for English; Spanish comes out a little dearer


def cost_microusd(prices: Prices, usage: Usage) -> int:
    """The price of one call in micro-dollars, rounded half up once for the whole call.

    Dollars per million tokens are micro-dollars per token, so nothing is divided.
    """
    uncached_tokens = usage.prompt_tokens - usage.cached_tokens
    cost = (
        prices.input_usd * uncached_tokens
        + prices.cached_input_usd * usage.cached_tokens
        + prices.output_usd * usage.completion_tokens
    )
    return int(cost.to_integral_value(rounding=ROUND_HALF_UP))


def usd(microusd: int) -> Decimal:
    """Micro-dollars as dollars, exactly, with six decimals."""
    return microusd * _MICRO


def estimate_tokens(text: str) -> int:
    """About how many tokens a text has: a token per four characters, rounded up, at least 1."""
    return max(1, -(-len(text) // _CHARS_PER_TOKEN))
