"""Who is asked, in which order."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from itertools import permutations

import pytest
from pydantic import SecretStr

from worker.providers.models import Model, Price, Provider, WeekHours, candidates
from worker.providers.providers_file import load_providers
from worker.settings import read_settings

#: A Sunday, when no provider's price is higher than usual.
NOW = datetime(2026, 11, 29, 12, 0, tzinfo=UTC)


def provider(name: str, output_usd: str, *complexities: str, input_usd: str = "0.1", key: str | None = "k") -> Provider:
    """A provider with a key and one model, as far as routing looks at it."""
    price = Price(Decimal(input_usd), Decimal(input_usd), Decimal(output_usd), Decimal(input_usd))
    model = Model("m", (price,))
    secret = SecretStr(key) if key else None
    return Provider(name, "openai", "http://127.0.0.1:9", "", secret, "KEY", None, complexities, 1.0, 1.0, (model,))


CHEAP, MIDDLE, DEAR = (
    provider("cheap", "0.4", "simple"),
    provider("middle", "0.5", "medium"),
    provider("dear", "1.5", "complex"),
)


def names(providers: list[Provider]) -> list[str]:
    """Their names in order."""
    return [each.name for each in providers]


@pytest.mark.parametrize(
    ("complexity", "order"),
    [
        ("simple", ["cheap", "middle", "dear"]),
        ("medium", ["middle", "cheap", "dear"]),
        ("complex", ["dear", "cheap", "middle"]),
        ("unheard of", ["cheap", "middle", "dear"]),
    ],
)
def test_those_made_for_it_first_then_the_cheaper(complexity: str, order: list[str]) -> None:
    """Whatever order they are configured in."""
    for given in permutations((CHEAP, MIDDLE, DEAR)):
        assert names(candidates(given, complexity, NOW)) == order


def test_a_provider_without_a_key_is_not_asked() -> None:
    """Even where it is the only one made for the message; without any key there is nobody."""
    keyless = replace(DEAR, api_key=None)
    assert names(candidates([keyless, MIDDLE, CHEAP], "complex", NOW)) == ["cheap", "middle"]
    assert candidates([keyless], "complex", NOW) == []
    assert candidates([], "simple", NOW) == []


def test_the_price_of_the_answer_counts_before_that_of_the_question() -> None:
    """Among equals in output the cheaper input goes first."""
    one, other = provider("one", "1.0", input_usd="0.3"), provider("other", "1.0", input_usd="0.2")
    dearer = provider("dearer", "1.1", input_usd="0.0")
    assert names(candidates([one, dearer, other], "simple", NOW)) == ["other", "one", "dearer"]


@pytest.mark.parametrize(
    ("complexity", "first"), [("simple", "gemini-flash"), ("medium", "deepseek"), ("complex", "gpt")]
)
def test_the_packaged_providers(complexity: str, first: str) -> None:
    """With all keys set, each complexity has its own first choice, and the others stand behind it."""
    keys = dict.fromkeys(("OPENAI_API_KEY", "GEMINI_API_KEY", "DEEPSEEK_API_KEY"), "k")
    order = names(candidates(load_providers(read_settings(keys)), complexity, NOW))
    assert order[0] == first
    assert len(order) == 3


def test_a_server_that_needs_no_key_is_asked() -> None:
    """One of the shop's own, which names no key in the file."""
    own = replace(CHEAP, api_key=None, key_name=None)
    assert names(candidates([own, DEAR], "simple", NOW)) == ["cheap", "dear"]


def test_the_price_of_the_hour_counts() -> None:
    """Who is the cheaper by day may be the dearer in the evening."""
    (model,) = CHEAP.models
    peak = replace(model.prices[0], output_usd=Decimal(2), hours=(WeekHours(frozenset(range(7)), NOW.time(), None),))
    peaked = replace(CHEAP, models=(replace(model, prices=(*model.prices, peak)),))
    assert names(candidates([peaked, MIDDLE], "complex", NOW)) == ["middle", "cheap"]
    assert names(candidates([peaked, MIDDLE], "complex", NOW.replace(hour=11))) == ["cheap", "middle"]
