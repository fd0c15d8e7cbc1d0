"""Asking the candidates in turn until one gives a valid decision, within one deadline."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace

from worker.ai.breaker import Breaker, Permit
from worker.ai.budget import Budget
from worker.ai.client import AiClient
from worker.ai.complexity import COMPLEX
from worker.ai.consent import CartRules, check_cart
from worker.ai.decision import Decision, InvalidDecision, parse_decision
from worker.ai.fallback import fallback_decision
from worker.ai.pricing import cost_microusd, estimate_tokens
from worker.ai.providers import Provider
from worker.ai.routing import candidates
from worker.ai.types import AiRequest, Completion
from worker.ai.usage import Usage
from worker.errors import ProviderError, UnreadableAnswer
from worker.log import logger
from worker.session.turn import Outcome, Plan

#: What every message is compared with: the model the shop used for everything before.
BASELINE_PROVIDER = "gpt-3.5"
#: A call that could not even begin properly within this time is not worth its money.
LEAST_TIME_S = 0.2
#: Added to the instructions when the first answer could not be used.
REPAIR = "Your last answer could not be used ({problem}). Answer again: one JSON object that fits, and nothing else."
log = logger(__name__)


@dataclass(frozen=True, slots=True)
class Spent:
    """What the attempts of one turn cost so far."""

    calls: int = 0
    usage: Usage = field(default_factory=Usage)
    cost_microusd: int = 0

    def plus(self, provider: Provider, usage: Usage | None) -> Spent:
        """One more call; an answer that could not be used is paid for too."""
        used = usage or Usage()
        total = Usage(
            self.usage.prompt_tokens + used.prompt_tokens,
            self.usage.cached_tokens + used.cached_tokens,
            self.usage.completion_tokens + used.completion_tokens,
        )
        return Spent(self.calls + 1, total, self.cost_microusd + cost_microusd(provider.prices, used))


@dataclass(frozen=True, slots=True)
class Ask:
    """What one turn asks for. rules: what a cart operation may do. caller: token of the turn.
    customer: whose hourly limit it counts against. deadline: on the monotonic clock.
    """

    plan: Plan
    rules: CartRules
    caller: str
    customer: str
    deadline: float


@dataclass(frozen=True, slots=True)
class Made:
    """What came of one provider: an answer with its decision, or neither. out_of_money: nobody else need be asked."""

    spent: Spent
    completion: Completion | None = None
    decision: Decision | None = None
    out_of_money: bool = False


class NotPaidFor(Exception):
    """A budget or the customer's limit is used up; no other provider will change that."""


class Answerer:
    """Candidates, circuits, money and prices of one process; thread safe."""

    def __init__(
        self,
        providers: Sequence[Provider],
        client: AiClient,
        breaker: Breaker,
        budget: Budget | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._providers = tuple(providers)
        self._client = client
        self._breaker = breaker
        self._budget = budget
        self._clock = clock
        self._baseline = next((p.prices for p in providers if p.name == BASELINE_PROVIDER), None)

    def over_limit(self, customers: Collection[str]) -> frozenset[str]:
        """Those who have used up their calls of this hour."""
        return self._budget.over_limit(customers) if self._budget else frozenset()

    def answer(self, ask: Ask) -> Outcome:
        """The outcome for a planned request. Never raises for a provider's fault or for want of money: the last resort
        is the fallback reply.
        """
        spent = Spent()
        asked = candidates(self._providers, ask.plan.complexity)
        for provider in asked:
            if ask.deadline - self._clock() < LEAST_TIME_S:
                break
            permit = self._breaker.permit(provider.name, ask.caller)
            if permit is None:
                continue
            # The next candidate is the better second attempt; a sick provider is not asked twice.
            attempts = 2 if permit.healthy and provider is asked[-1] else 1
            made = self._attempt(provider, permit, ask, spent, attempts)
            spent = made.spent
            if made.completion is not None and made.decision is not None:
                return self._success(made.completion, made.decision, spent)
            if made.out_of_money:
                break
        return self.fallback(ask.plan, spent)

    def _attempt(self, provider: Provider, permit: Permit, ask: Ask, spent: Spent, attempts: int) -> Made:
        """One provider: its answer, repaired once where it is no decision; the circuit hears of it once."""
        began = self._clock()
        request = AiRequest(ask.plan.system, ask.plan.user)
        problem = ""
        try:
            for _ in range(2):
                completion = self._paid_call(provider, request, ask, attempts)
                try:
                    decision = self._decision(completion.text, ask)
                except InvalidDecision as exc:
                    problem, spent = str(exc), spent.plus(provider, completion.usage)
                    request = AiRequest(f"{ask.plan.system}\n{REPAIR.format(problem=problem)}", ask.plan.user)
                    continue
                self._breaker.succeeded(permit, completion.latency_ms)
                return Made(spent.plus(provider, completion.usage), completion, decision)
            raise UnreadableAnswer(provider.name, problem)
        except NotPaidFor:
            self._breaker.released(permit)
            return Made(spent, out_of_money=True)
        except ProviderError as error:
            log.warning("provider_failed", provider=provider.name, kind=error.kind, detail=error.detail)
            self._breaker.failed(permit, error, (self._clock() - began) * 1000)
            return Made(spent if problem and error.usage is None else spent.plus(provider, error.usage))

    def _decision(self, text: str, ask: Ask) -> Decision:
        """A valid decision whose cart operations the customer asked for. An answer for everybody has none at all: it
        may not touch anybody's cart.
        """
        decision = parse_decision(text, ask.rules.offered)
        if ask.plan.shared:
            return decision.model_copy(update={"cart_operations": ()})
        check_cart(decision, ask.rules)
        return decision

    def _paid_call(self, provider: Provider, request: AiRequest, ask: Ask, attempts: int) -> Completion:
        """A call whose money is reserved before and settled after, whatever comes of it."""
        if self._budget is None:
            return self._client.call(provider, request, ask.deadline, attempts)
        held = self._budget.reserve(provider, request, ask.customer)
        if held is None:
            raise NotPaidFor
        used: Usage | None = None
        try:
            completion = self._client.call(provider, request, ask.deadline, attempts)
            used = completion.usage
        except ProviderError as error:
            used = error.usage
            raise
        finally:
            self._budget.settle(held, cost_microusd(provider.prices, used) if used else 0)
        return completion

    def _success(self, completion: Completion, decision: Decision, spent: Spent) -> Outcome:
        return self._with_costs(
            Outcome(
                source="ai",
                decision=decision.model_dump(mode="json"),
                provider=completion.provider,
                model=completion.model,
                provider_latency_ms=round(completion.latency_ms),
                baseline_microusd=self.baseline_microusd(completion.usage),
            ),
            spent,
        )

    def fallback(self, plan: Plan, spent: Spent) -> Outcome:
        """The reply when no model answers. The prompt's tokens count in the baseline: the old flow would have paid."""
        baseline = self.baseline_microusd(Usage(prompt_tokens=estimate_tokens(plan.system + plan.user)))
        # What is hard enough to need the best model, and got none, is worth a person's time.
        decision = fallback_decision() | {"requires_human": plan.complexity == COMPLEX}
        return self._with_costs(Outcome("fallback", decision, baseline_microusd=baseline), spent)

    def _with_costs(self, outcome: Outcome, spent: Spent) -> Outcome:
        return replace(
            outcome,
            calls=spent.calls,
            prompt_tokens=spent.usage.prompt_tokens,
            cached_tokens=spent.usage.cached_tokens,
            completion_tokens=spent.usage.completion_tokens,
            cost_microusd=spent.cost_microusd,
        )

    def baseline_microusd(self, usage: Usage) -> int:
        """What these tokens cost at the baseline's uncached prices; 0 where no such provider is configured."""
        if self._baseline is None:
            return 0
        return cost_microusd(self._baseline, replace(usage, cached_tokens=0))
