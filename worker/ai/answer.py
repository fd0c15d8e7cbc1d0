"""Asking the candidates in turn until one gives a valid decision, within one deadline."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from worker.ai.breaker import Breaker
from worker.ai.client import AiClient
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


class Answerer:
    """Candidates, circuits and prices of one process; thread safe."""

    def __init__(
        self,
        providers: Sequence[Provider],
        client: AiClient,
        breaker: Breaker,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._providers = tuple(providers)
        self._client = client
        self._breaker = breaker
        self._clock = clock
        self._baseline = next((p.prices for p in providers if p.name == BASELINE_PROVIDER), None)

    def answer(self, plan: Plan, offered: frozenset[int], caller: str, deadline: float) -> Outcome:
        """The outcome for a planned request; `deadline` on the monotonic clock, `offered` the product ids that cart
        operations may name. Never raises for a provider's fault: the last resort is the fallback reply.
        """
        request = AiRequest(plan.system, plan.user)
        spent = Spent()
        for provider in candidates(self._providers, plan.complexity):
            if deadline - self._clock() < LEAST_TIME_S:
                break
            permit = self._breaker.permit(provider.name, caller)
            if permit is None:
                continue
            try:
                completion, decision = self._ask(provider, request, offered, deadline)
            except ProviderError as error:
                log.warning("provider_failed", provider=provider.name, kind=error.kind, detail=error.detail)
                self._breaker.failed(permit, error)
                spent = spent.plus(provider, error.usage)
                continue
            self._breaker.succeeded(permit)
            if plan.shared:
                # An answer for everybody may not touch anybody's cart.
                decision = decision.model_copy(update={"cart_operations": ()})
            return self._success(completion, decision, spent.plus(provider, completion.usage))
        return self._fallback(plan, spent)

    def _ask(
        self, provider: Provider, request: AiRequest, offered: frozenset[int], deadline: float
    ) -> tuple[Completion, Decision]:
        completion = self._client.call(provider, request, deadline)
        try:
            return completion, parse_decision(completion.text, offered)
        except InvalidDecision as exc:
            raise UnreadableAnswer(provider.name, str(exc), usage=completion.usage) from None

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

    def _fallback(self, plan: Plan, spent: Spent) -> Outcome:
        """The prompt's tokens count in the baseline: the old flow would have paid for them."""
        baseline = self.baseline_microusd(Usage(prompt_tokens=estimate_tokens(plan.system + plan.user)))
        return self._with_costs(Outcome("fallback", fallback_decision(), baseline_microusd=baseline), spent)

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
