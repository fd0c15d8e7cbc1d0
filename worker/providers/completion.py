"""Completing one request: candidates in order, each answer checked and repaired once, at last the fallback reply."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field

from msgspec import Struct
from msgspec.structs import replace

from worker.errors import (
    GivenUp,
    ModelFault,
    ProviderError,
    ProviderRateLimited,
    ProviderTimeout,
    ProviderUnavailable,
    RequestRefused,
    ThoughtAway,
    UnreadableAnswer,
)
from worker.language.complexity import COMPLEX
from worker.log import logger
from worker.providers.budget import Budget
from worker.providers.circuit import Breaker
from worker.providers.circuit_rules import RATE_LIMITED, RATE_LIMITED_MS, Refusal
from worker.providers.client import AiClient
from worker.providers.clock import SYSTEM_CLOCK, Clock
from worker.providers.models import Provider, candidates
from worker.providers.paid_calls import LEAST_SECOND_S, Candidate, NotPaidFor, PaidCalls, SetAside
from worker.providers.pricing import estimate_tokens, with_costs, yardstick_microusd
from worker.replies.cart_guard import CartRules
from worker.replies.decision import InvalidDecision, RefusedChange
from worker.replies.fallback import fallback_decision
from worker.replies.reply_check import UnfitReply
from worker.replies.request import Completion
from worker.replies.verdict import decide, request_of
from worker.session.cart import CartItem
from worker.session.outcome import Decision, Outcome
from worker.session.turn import Plan
from worker.usage import ModelCalls, Usage

#: A call that could not even begin properly within this time is not worth its money.
LEAST_TIME_S = 0.2
#: Keeps callers who waited together from coming back together.
_JITTER_S = 0.5
log = logger(__name__)


class Ask(Struct, frozen=True):
    """A turn's planned request.

    Args:
        rules: limits of its cart operations.
        caller: token of the turn.
        customer: whose hourly limit it counts against.
        deadline: on the monotonic clock.
        said: the customer's words.
        cart: as it stands, None for a request that is everybody's.
    """

    plan: Plan
    rules: CartRules
    caller: str = ""
    customer: str = ""
    deadline: float = 0.0
    said: str = ""
    cart: tuple[CartItem, ...] | None = None


@dataclass
class Progress:
    """State of one request's completion.

    Args:
        calls: made so far.
        set_aside: models that turned out not to be usable, by provider.
        failed: models that gave an answer nobody can use, this once.
        waits: seconds until a rate-limited provider may be asked again.
        timed_out_probing: a half-open provider has cost its time-out; another one shall not.
        refused: an answer would have changed what nobody asked for.
        out_of_money: a budget or the customer's limit is used up.
    """

    calls: list[ModelCalls] = field(default_factory=list)
    set_aside: set[tuple[str, str]] = field(default_factory=set)
    failed: set[tuple[str, str]] = field(default_factory=set)
    waits: dict[str, float] = field(default_factory=dict)
    timed_out_probing: bool = False
    refused: bool = False
    out_of_money: bool = False

    @property
    def over(self) -> bool:
        """Returns whether no other candidate would fare better."""
        return self.refused or self.out_of_money

    def note(self, candidate: Candidate, error: ProviderError) -> None:
        """Notes what a failure means for the candidates that are left."""
        pair = candidate.provider.name, candidate.model.id
        if isinstance(error, ModelFault | ThoughtAway):
            self.set_aside.add(pair)
        elif isinstance(error, ProviderRateLimited):
            asked_s = error.retry_after_s
            self.waits[candidate.provider.name] = RATE_LIMITED_MS / 1000 if asked_s is None else asked_s
        elif isinstance(error, ProviderTimeout):
            self.timed_out_probing |= candidate.permit.probing
        elif isinstance(error, UnreadableAnswer | RequestRefused | ProviderUnavailable) and not _was_cut(error):
            self.failed.add(pair)


class Completer:
    """Completer of one process: loops over candidates and repairs answers; thread safe. `PaidCalls` retries."""

    def __init__(
        self,
        providers: Sequence[Provider],
        client: AiClient,
        breaker: Breaker,
        budget: Budget | None = None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._providers = tuple(providers)
        self._paid_calls = PaidCalls(providers, client, breaker, budget, clock)
        self._breaker = breaker
        self._clock = clock

    def over_limit(self, customers: Collection[str]) -> frozenset[str]:
        """Customers who have used up their calls of this hour."""
        return self._paid_calls.over_limit(customers)

    def complete(self, ask: Ask) -> Outcome:
        """Completes a planned request. Never raises for a provider's fault or for want of money: the last resort is the
        fallback reply.
        """
        progress = Progress()
        asked = candidates(self._providers, ask.plan.complexity, self._clock.now())
        while asked:
            for candidate in self._candidates(asked, ask, progress):
                outcome = self._try(candidate, ask, progress)
                if outcome is not None:
                    return with_costs(outcome, progress.calls)
                if progress.over:
                    break
            asked = [] if progress.over else self._next_round(asked, ask, progress)
        return self.fallback(ask.plan, ask.said, ask.cart, progress.calls, refused=progress.refused)

    def fallback(
        self,
        plan: Plan,
        said: str,
        cart: Sequence[CartItem] | None,
        calls: Sequence[ModelCalls] = (),
        *,
        refused: bool = False,
    ) -> Outcome:
        """The reply when no model answers, from the customer's words and the cart where it is known.

        The prompt's tokens count in the baseline: the old flow would have paid.

        Args:
            refused: there were answers, but for changes nobody asked for.
        """
        baseline = yardstick_microusd(Usage(estimate_tokens(plan.system + plan.user)))
        # What is hard enough to need the best model, and got none, is worth a person's time.
        hard = plan.complexity == COMPLEX and not refused
        decision = fallback_decision(said, cart, requires_human=hard, refused=refused)
        return with_costs(Outcome("fallback", decision, baseline_microusd=baseline), calls)

    def _next_round(self, asked: Sequence[Provider], ask: Ask, progress: Progress) -> list[Provider]:
        """Providers worth asking once more: the only one there is, for its next model; or those that said when, after
        the shortest wait if the deadline leaves the time.
        """
        if len(asked) == 1 and progress.failed - progress.set_aside:
            progress.set_aside |= progress.failed
            return list(asked)
        if not progress.waits:
            return []
        wait_s = min(progress.waits.values()) + _JITTER_S * self._clock.random()
        if self._clock.monotonic() + wait_s + LEAST_SECOND_S > ask.deadline:
            return []
        self._clock.sleep(wait_s)
        waiting = [provider for provider in asked if provider.name in progress.waits]
        progress.waits.clear()
        return waiting

    def _candidates(self, asked: Sequence[Provider], ask: Ask, progress: Progress) -> Iterator[Candidate]:
        """Models that may be called, one after the other, as long as there is time: after one that cannot be asked the
        same provider's next, else the next provider's first. A permit is taken when its turn comes.
        """
        for provider in asked:
            known = len(progress.set_aside) - 1
            # The first round, and one more after each model that was just found to be unusable.
            while known < len(progress.set_aside) and ask.deadline - self._clock.monotonic() >= LEAST_TIME_S:
                known = len(progress.set_aside)
                candidate = self._candidate(provider, ask, progress, last=provider is asked[-1])
                if candidate is not None:
                    yield candidate

    def _candidate(self, provider: Provider, ask: Ask, progress: Progress, *, last: bool) -> Candidate | None:
        models = {m.id: m for m in provider.models if (provider.name, m.id) not in progress.set_aside}
        if not models:
            return None
        permit = self._breaker.permit(provider.name, ask.caller, tuple(models), probe=not progress.timed_out_probing)
        if isinstance(permit, Refusal):
            if permit.reason == RATE_LIMITED and permit.wait_s is not None:
                progress.waits[provider.name] = permit.wait_s
            return None
        # The next candidate is the better second attempt; a sick provider is not asked twice.
        return Candidate(provider, models[permit.model], permit, tries=2 if permit.healthy and last else 1)

    def _try(self, candidate: Candidate, ask: Ask, progress: Progress) -> Outcome | None:
        """Tries one candidate, and records it once with its circuits. None where it brought no decision."""
        provider, model, permit = candidate.provider.name, candidate.model.id, candidate.permit
        began = self._clock.monotonic()
        try:
            completion, decision, name = self._decided(candidate, ask, progress)
        except ProviderError as error:
            log.warning("provider_failed", provider=provider, model=model, kind=error.kind, detail=error.detail)
            progress.note(candidate, error)
            self._breaker.failed(permit, error, (self._clock.monotonic() - began) * 1000, ask.customer)
            return None
        except (NotPaidFor, SetAside) as exc:
            progress.out_of_money |= isinstance(exc, NotPaidFor)
            if isinstance(exc, SetAside):
                progress.set_aside.add((provider, model))
            self._breaker.released(permit)
            return None
        self._breaker.succeeded(permit, completion.latency_ms)
        return Outcome(
            source="ai",
            decision=decision,
            provider=provider,
            model=name,
            provider_latency_ms=round(completion.latency_ms),
            baseline_microusd=yardstick_microusd(completion.usage),
        )

    def _decided(self, candidate: Candidate, ask: Ask, progress: Progress) -> tuple[Completion, Decision, str]:
        """Asks for a valid decision, and once for the repair of one that is not.

        Returns:
            The completion, its decision, and the name of the model that made it.

        Raises:
            ProviderError, NotPaidFor, SetAside: there is none.
        """
        problem: InvalidDecision | None = None
        for _ in range(2):
            request = request_of(ask.plan, ask.rules, ask.caller, problem)
            completion, model = self._paid_calls.make(candidate, request, ask.customer, ask.deadline, progress.calls)
            try:
                return completion, decide(completion.text, ask, problem), model
            except InvalidDecision as exc:
                problem = exc
                kind = RequestRefused.kind if isinstance(exc, RefusedChange) else UnreadableAnswer.kind
                progress.calls[-1] = replace(progress.calls[-1], outcome=kind)
        # A refused answer is no fault of the provider's: texts that mislead models must not open their circuits, and
        # the next model, which is paid too, would be misled as well.
        progress.refused = isinstance(problem, RefusedChange)
        if progress.refused or isinstance(problem, UnfitReply):
            unclear = not progress.refused
            raise RequestRefused(candidate.provider.name, str(problem), unclear=unclear, answered=True)
        raise UnreadableAnswer(candidate.provider.name, str(problem))


def _was_cut(error: ProviderError) -> bool:
    """Returns whether the connection is at fault, which the provider's other models share."""
    return isinstance(error, GivenUp) and not error.detail.startswith("HTTP ")
