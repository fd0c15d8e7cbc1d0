"""Money is exact: whole micro-dollars, rounded once per call."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.providers.models import Price
from worker.providers.pricing import BASELINE_PRICE, baseline_microusd, cost_microusd, estimate_tokens
from worker.usage import Usage

GPT35 = BASELINE_PRICE
DEEPSEEK = Price(Decimal("0.28"), Decimal("0.028"), Decimal("0.42"), Decimal("0.28"))
LUNA = Price(Decimal("0.10"), Decimal("0.01"), Decimal("0.50"), Decimal("0.125"))
TOKENS = st.integers(min_value=0, max_value=10_000_000)


def test_a_million_tokens_cost_the_list_price() -> None:
    """A million tokens each way cost what the price page says, in micro-dollars."""
    assert cost_microusd(GPT35, Usage(prompt_tokens=1_000_000, completion_tokens=1_000_000)) == 2_000_000


def test_cached_tokens_are_billed_at_their_own_price() -> None:
    """320 of 495 prompt tokens came from the provider's cache: 175 x 0.28 + 320 x 0.028 + 144 x 0.42 = 118.44."""
    assert cost_microusd(DEEPSEEK, Usage(prompt_tokens=495, cached_tokens=320, completion_tokens=144)) == 118


@pytest.mark.parametrize(("prompt_tokens", "microusd"), [(0, 0), (1, 1), (2, 1), (3, 2), (5, 3)])
def test_halves_are_rounded_up_once(prompt_tokens: int, microusd: int) -> None:
    """Half a micro-dollar counts as one, also where Python's own rounding would go to the even neighbour."""
    assert cost_microusd(GPT35, Usage(prompt_tokens=prompt_tokens)) == microusd


def test_the_sum_is_rounded_not_its_parts() -> None:
    """0.5 + 1.5 is 2: rounding each part up first would make it 3."""
    assert cost_microusd(GPT35, Usage(prompt_tokens=1, completion_tokens=1)) == 2


@given(prompt=TOKENS, completion=TOKENS)
def test_cost_is_never_more_than_half_a_microdollar_off(prompt: int, completion: int) -> None:
    """Against fractions of whole numbers: no digit is lost at any size of call."""
    exact_thousandths = 280 * prompt + 420 * completion
    cost = cost_microusd(DEEPSEEK, Usage(prompt_tokens=prompt, completion_tokens=completion))
    assert abs(cost * 1000 - exact_thousandths) <= 500


def test_tokens_written_to_the_prompt_cache_have_a_price_of_their_own() -> None:
    """Of 2,000 prompt tokens 1,000 were written and 500 read: 500 x 0.10 + 500 x 0.01 + 1,000 x 0.125 + 100 x 0.50."""
    assert cost_microusd(LUNA, Usage(2_000, 500, 100, 1_000)) == 230


def test_the_yardstick_is_fixed_and_knows_no_cache() -> None:
    """Half a dollar and one and a half, for all tokens, whatever a provider found in its cache."""
    assert baseline_microusd(Usage(1_000_000, 900_000, 1_000_000, 50_000)) == 2_000_000


@pytest.mark.parametrize(("text", "tokens"), [("", 1), ("hola", 1), ("holas", 2), ("x" * 400, 100)])
def test_tokens_are_estimated_from_characters(text: str, tokens: int) -> None:
    """A token per four characters, rounded up, and never none."""
    assert estimate_tokens(text) == tokens
