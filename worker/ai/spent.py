"""What the calls for one turn have cost. Pure thought."""

from __future__ import annotations

from dataclasses import dataclass, field

from worker.ai.pricing import cost_microusd
from worker.ai.providers import Provider
from worker.ai.usage import Usage


@dataclass(frozen=True, slots=True)
class Spent:
    """How many calls, their tokens, and their price in micro-dollars. Two of them add up."""

    calls: int = 0
    usage: Usage = field(default_factory=Usage)
    cost_microusd: int = 0

    def __add__(self, other: Spent) -> Spent:
        total = Usage(
            self.usage.prompt_tokens + other.usage.prompt_tokens,
            self.usage.cached_tokens + other.usage.cached_tokens,
            self.usage.completion_tokens + other.usage.completion_tokens,
        )
        return Spent(self.calls + other.calls, total, self.cost_microusd + other.cost_microusd)


NOTHING = Spent()


def spent_on(provider: Provider, usage: Usage | None) -> Spent:
    """One call; an answer that could not be used is paid for too. usage: None where none came with figures."""
    used = usage or Usage()
    return Spent(1, used, cost_microusd(provider.prices, used))
