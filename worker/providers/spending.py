"""What the calls for one turn have cost. Pure thought."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from worker.providers.pricing import cost_microusd
from worker.providers.providers_file import Provider
from worker.usage import Usage


class Spent(Struct, frozen=True):
    """How many calls, their tokens, and their price in micro-dollars, in all and by provider. Two of them add up."""

    calls: int = 0
    usage: Usage = Usage()
    cost_microusd: int = 0
    by_provider: Mapping[str, int] = {}

    def __add__(self, other: Spent) -> Spent:
        total = Usage(
            self.usage.prompt_tokens + other.usage.prompt_tokens,
            self.usage.cached_tokens + other.usage.cached_tokens,
            self.usage.completion_tokens + other.usage.completion_tokens,
        )
        shares = dict(self.by_provider)
        for name, microusd in other.by_provider.items():
            shares[name] = shares.get(name, 0) + microusd
        return Spent(self.calls + other.calls, total, self.cost_microusd + other.cost_microusd, shares)

    def shares(self, provider: str | None) -> dict[str, int] | None:
        """What each provider was paid, in micro-dollars; None where nobody but `provider` was."""
        return dict(self.by_provider) if self.by_provider.keys() - {provider} else None


NOTHING = Spent()


def spent_on(provider: Provider, usage: Usage | None) -> Spent:
    """One call; an answer that could not be used is paid for too. usage: None where none came with figures."""
    used = usage or Usage()
    cost = cost_microusd(provider.prices, used)
    return Spent(1, used, cost, {provider.name: cost} if cost else {})
