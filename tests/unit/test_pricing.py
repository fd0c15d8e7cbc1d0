"""Money is exact: whole micro-dollars, rounded once per call."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.providers.pricing import cost_microusd, estimate_tokens, usd
from worker.providers.providers_file import Prices
from worker.usage import Usage

GPT35 = Prices(Decimal("0.50"), Decimal("0.50"), Decimal("1.50"))
DEEPSEEK = Prices(Decimal("0.28"), Decimal("0.028"), Decimal("0.42"))
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


def test_microdollars_become_dollars_exactly() -> None:
    """A cent and a bit is not a binary fraction."""
    assert usd(10_001) == Decimal("0.010001")


@pytest.mark.parametrize(("text", "tokens"), [("", 1), ("hola", 1), ("holas", 2), ("x" * 400, 100)])
def test_tokens_are_estimated_from_characters(text: str, tokens: int) -> None:
    """A token per four characters, rounded up, and never none."""
    assert estimate_tokens(text) == tokens
