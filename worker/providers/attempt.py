"""One candidate's attempt at an answer: calls that are paid for, and the answer read, checked and repaired once."""

from __future__ import annotations

import time
from collections.abc import Callable

from msgspec import Struct

from worker.ai.consent import CartRules, check_cart, check_claim
from worker.ai.decision import Decision, InvalidDecision, RefusedChange, parse_decision
from worker.errors import ProviderError, RequestRefused, UnreadableAnswer
from worker.log import logger
from worker.providers.budget import Budget
from worker.providers.circuit import Breaker, Permit
from worker.providers.client import AiClient
from worker.providers.pricing import cost_microusd
from worker.providers.providers_file import Provider
from worker.providers.request import AiRequest, Completion
from worker.providers.spending import NOTHING, Spent, spent_on
from worker.session.session import CartItem
from worker.session.turn import Plan
from worker.usage import Usage

#: Added to the instructions when the first answer could not be used.
REPAIR = "Your last answer could not be used ({problem}). Answer again: one JSON object that fits, and nothing else."
#: The same when it would have done to the cart what nobody asked for.
REFUSED = (
    "Your last answer was refused because of this: {told}. It will not be done. Answer again without it: one JSON "
    "object that fits, and nothing else. The reply must not say that it was done or will be; if the customer wanted a "
    "change, ask which product and how many."
)
log = logger(__name__)


class Ask(Struct, frozen=True):
    """What one turn asks for. rules: what a cart operation may do. caller: token of the turn.
    customer: whose hourly limit it counts against. deadline: on the monotonic clock.
    said: what the customer wrote. cart: as it stands, None for a request that is everybody's.
    """

    plan: Plan
    rules: CartRules
    caller: str
    customer: str
    deadline: float
    said: str = ""
    cart: tuple[CartItem, ...] | None = None


class Candidate(Struct, frozen=True):
    """A provider that may be called now, up to `tries` times where it fails in passing."""

    provider: Provider
    permit: Permit
    tries: int = 1


class Answer(Struct, frozen=True):
    """A completion and the valid decision in it."""

    completion: Completion
    decision: Decision


class Made(Struct, frozen=True):
    """What came of one candidate: an answer or an error, or neither where there was no money for a call.

    refused: it had an answer, but one that would not leave the cart alone. out_of_money: nobody else need be asked.
    """

    provider: Provider
    spent: Spent
    answer: Answer | None = None
    error: ProviderError | None = None
    refused: bool = False
    out_of_money: bool = False


class NotPaidFor(Exception):
    """A budget or the customer's limit is used up; no other provider will change that."""


class Attempts:
    """Makes attempts; thread safe."""

    def __init__(
        self,
        client: AiClient,
        breaker: Breaker,
        budget: Budget | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._breaker = breaker
        self._budget = budget
        self._clock = clock

    def make(self, candidate: Candidate, ask: Ask) -> Made:
        """What came of one candidate; its circuit hears of it once. Never raises a ProviderError."""
        began = self._clock()
        made = self._made(candidate, ask)
        if made.answer is not None:
            self._breaker.succeeded(candidate.permit, made.answer.completion.latency_ms)
        elif made.error is not None:
            log.warning("provider_failed", provider=made.provider.name, kind=made.error.kind, detail=made.error.detail)
            self._breaker.failed(candidate.permit, made.error, (self._clock() - began) * 1000)
        else:
            self._breaker.released(candidate.permit)
        return made

    def _made(self, candidate: Candidate, ask: Ask) -> Made:
        provider, spent = candidate.provider, NOTHING
        problem: InvalidDecision | None = None
        for _ in range(2):
            try:
                completion = self._paid_call(candidate, request_of(ask, problem), ask)
            except NotPaidFor:
                return Made(provider, spent, out_of_money=True)
            except ProviderError as error:
                return Made(provider, spent + spent_on(provider, error.usage), error=error)
            spent += spent_on(provider, completion.usage)
            try:
                return Made(provider, spent, Answer(completion, decide(completion.text, ask, problem)))
            except InvalidDecision as exc:
                problem = exc
        refused = isinstance(problem, RefusedChange)
        # A refused answer is no fault of the provider's: texts that mislead models must not open their circuits.
        kind = RequestRefused if refused else UnreadableAnswer
        return Made(provider, spent, error=kind(provider.name, str(problem)), refused=refused)

    def _paid_call(self, candidate: Candidate, request: AiRequest, ask: Ask) -> Completion:
        """A call whose money is reserved before and settled after, whatever comes of it."""
        provider = candidate.provider
        if self._budget is None:
            return self._client.call(provider, request, ask.deadline, candidate.tries)
        held = self._budget.reserve(provider, request, ask.customer)
        if held is None:
            raise NotPaidFor
        used: Usage | None = None
        try:
            completion = self._client.call(provider, request, ask.deadline, candidate.tries)
            used = completion.usage
        except ProviderError as error:
            used = error.usage
            raise
        finally:
            self._budget.settle(held, cost_microusd(provider.prices, used) if used else 0)
        return completion


def decide(text: str, ask: Ask, problem: InvalidDecision | None = None) -> Decision:
    """A valid decision whose cart operations the customer asked for. An answer for everybody has none at all: it may
    not touch anybody's cart. problem: of the answer that this one repairs. Raises InvalidDecision.
    """
    decision = parse_decision(text, ask.rules.offered)
    wanted = decision.cart_operations
    if ask.plan.shared:
        decision = decision.model_copy(update={"cart_operations": ()})
    check_cart(decision, ask.rules)
    if not decision.cart_operations and (wanted or isinstance(problem, RefusedChange)):
        check_claim(decision)
    return decision


def request_of(ask: Ask, problem: InvalidDecision | None) -> AiRequest:
    """The planned request, with what was wrong with the last answer, if there was one."""
    if problem is None:
        return AiRequest(ask.plan.system, ask.plan.user, caller=ask.caller)
    told = problem.told if isinstance(problem, RefusedChange) else None
    advice = REFUSED.format(told=told) if told else REPAIR.format(problem=problem)
    return AiRequest(f"{ask.plan.system}\n{advice}", ask.plan.user, caller=ask.caller)
