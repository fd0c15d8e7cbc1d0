"""Asking the candidates in turn until one gives a valid decision, within one deadline."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Sequence

from msgspec.structs import replace

from worker.ai.complexity import COMPLEX
from worker.ai.fallback import fallback_decision
from worker.providers.attempt import Answer, Ask, Attempts, Candidate, Made
from worker.providers.budget import Budget
from worker.providers.candidates import candidates
from worker.providers.circuit import Breaker
from worker.providers.client import AiClient
from worker.providers.hedging import Hedge
from worker.providers.pricing import cost_microusd, estimate_tokens
from worker.providers.providers_file import Provider
from worker.providers.spending import NOTHING, Spent
from worker.session.session import CartItem
from worker.session.turn import Outcome, Plan
from worker.usage import Usage

#: What every message is compared with: the model the shop used for everything before.
BASELINE_PROVIDER = "gpt-3.5"
#: A call that could not even begin properly within this time is not worth its money.
LEAST_TIME_S = 0.2


class Answerer:
    """Candidates, circuits, money and prices of one process; thread safe."""

    def __init__(
        self,
        providers: Sequence[Provider],
        client: AiClient,
        breaker: Breaker,
        budget: Budget | None = None,
        clock: Callable[[], float] = time.monotonic,
        hedge: Hedge | None = None,
    ) -> None:
        """hedge: where slow candidates are hedged against; None: they are waited for."""
        self._providers = tuple(providers)
        self._breaker = breaker
        self._budget = budget
        self._clock = clock
        self._hedge = hedge
        self._attempts = Attempts(client, breaker, budget, clock)
        self._baseline = next((p.prices for p in providers if p.name == BASELINE_PROVIDER), None)

    def over_limit(self, customers: Collection[str]) -> frozenset[str]:
        """Those who have used up their calls of this hour."""
        return self._budget.over_limit(customers) if self._budget else frozenset()

    def answer(self, ask: Ask) -> Outcome:
        """The outcome for a planned request. Never raises for a provider's fault or for want of money: the last resort
        is the fallback reply.
        """
        ended: list[Made] = []
        asking = self._candidates(ask)
        for candidate in asking:
            ended += self._asked(candidate, asking, ask)
            if any(made.answer or made.out_of_money for made in ended):
                break
        spent = sum((made.spent for made in ended), NOTHING)
        answer = next((made.answer for made in ended if made.answer), None)
        if answer is not None:
            return self._success(answer, spent)
        refused = bool(ended) and all(made.refused for made in ended)
        return self.fallback(ask.plan, ask.said, ask.cart, spent, refused=refused)

    def _candidates(self, ask: Ask) -> Iterator[Candidate]:
        """Who may be called, one after the other, as long as there is time; a permit is taken when its turn comes."""
        asked = candidates(self._providers, ask.plan.complexity)
        for provider in asked:
            if ask.deadline - self._clock() < LEAST_TIME_S:
                return
            permit = self._breaker.permit(provider.name, ask.caller)
            if permit is not None:
                # The next candidate is the better second attempt; a sick provider is not asked twice.
                yield Candidate(provider, permit, tries=2 if permit.healthy and provider is asked[-1] else 1)

    def _asked(self, candidate: Candidate, others: Iterator[Candidate], ask: Ask) -> list[Made]:
        if self._hedge is None:
            return [self._attempts.make(candidate, ask)]
        return self._hedge.ask(candidate, others, lambda each: self._attempts.make(each, ask))

    def _success(self, answer: Answer, spent: Spent) -> Outcome:
        completion = answer.completion
        outcome = Outcome(
            source="ai",
            decision=answer.decision.model_dump(mode="json"),
            provider=completion.provider,
            model=completion.model,
            provider_latency_ms=round(completion.latency_ms),
            baseline_microusd=self.baseline_microusd(completion.usage),
        )
        return with_costs(outcome, spent)

    def fallback(
        self,
        plan: Plan,
        said: str,
        cart: Sequence[CartItem] | None,
        spent: Spent = NOTHING,
        *,
        refused: bool = False,
    ) -> Outcome:
        """The reply when no model answers, from what was said and the cart where it is known. The prompt's tokens count
        in the baseline: the old flow would have paid. refused: answers there were, but for changes nobody asked for.
        """
        baseline = self.baseline_microusd(Usage(prompt_tokens=estimate_tokens(plan.system + plan.user)))
        # What is hard enough to need the best model, and got none, is worth a person's time.
        hard = plan.complexity == COMPLEX and not refused
        decision = fallback_decision(said, cart, requires_human=hard, refused=refused)
        return with_costs(Outcome("fallback", decision, baseline_microusd=baseline), spent)

    def baseline_microusd(self, usage: Usage) -> int:
        """What these tokens cost at the baseline's uncached prices; 0 where no such provider is configured."""
        if self._baseline is None:
            return 0
        return cost_microusd(self._baseline, replace(usage, cached_tokens=0))


def late_outcome(made: Made) -> Outcome:
    """What is recorded of a call whose turn another had answered: no reply, but its cost."""
    completion = made.answer.completion if made.answer else None
    latency_ms = round(completion.latency_ms) if completion else None
    outcome = Outcome("ai", {}, made.provider.name, made.provider.model, provider_latency_ms=latency_ms)
    return with_costs(outcome, made.spent)


def with_costs(outcome: Outcome, spent: Spent) -> Outcome:
    """The outcome with what its calls have cost."""
    return replace(
        outcome,
        calls=spent.calls,
        prompt_tokens=spent.usage.prompt_tokens,
        cached_tokens=spent.usage.cached_tokens,
        completion_tokens=spent.usage.completion_tokens,
        cost_microusd=spent.cost_microusd,
        cost_by_provider=spent.shares(outcome.provider),
    )
