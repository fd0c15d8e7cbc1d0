"""Paid calls of one model: money reserved before, settled after, booked by the model that answered, and retried."""

from collections.abc import Sequence
from dataclasses import dataclass

from worker.errors import ProviderError, ProviderRateLimited, ProviderUnavailable
from worker.providers.budget import Budget
from worker.providers.circuit import CircuitBreaker
from worker.providers.client import AiClient
from worker.providers.clock import SYSTEM_CLOCK, Clock
from worker.providers.models import ANY_NAME, Model, Provider
from worker.providers.pricing import priced_call
from worker.providers.progress import Candidate, Progress
from worker.replies.prompt import AiRequest, Completion
from worker.telemetry.recording import ANSWERED
from worker.usage import Usage

#: With less than this left a second attempt, or one after a wait, would cost money and bring nothing.
LEAST_SECOND_S = 1.0
_DELAY_S = 1.0  # before a second attempt, on average; jitter keeps callers who failed together apart
_JITTER = 0.5
_LONGEST_WAIT_S = 2.0  # a provider that asks for more is left to the next candidate


class ModelSetAside(Exception):
    """The model turned out to be unusable after its permit was given: no call was made."""


class NotPaidFor(Exception):
    """A budget or the customer's limit is used up; no other provider will change that."""


@dataclass(frozen=True, slots=True)
class PaidCalls:
    """Paid calls of one process; thread safe.

    Args:
        providers: all whose prices are known.
    """

    providers: Sequence[Provider]
    client: AiClient
    breaker: CircuitBreaker
    budget: Budget
    clock: Clock = SYSTEM_CLOCK

    def make(self, candidate: Candidate, request: AiRequest, progress: Progress) -> tuple[Completion, str]:
        """Calls the candidate's model, and once more where a failure may pass and the deadline leaves the time.

        Args:
            progress: each call is added to its calls, failed ones too.

        Returns:
            The completion, and the name of the model that made it.

        Raises:
            ProviderError: of the last call. NotPaidFor, ModelSetAside: no call was made.
        """
        attempt = 1
        while True:
            try:
                return self._call(candidate, request, progress)
            except ProviderUnavailable as error:
                asked_s = error.retry_after_s or 0.0
                may_pass = not isinstance(error, ProviderRateLimited) and asked_s <= _LONGEST_WAIT_S
                wait_s = max(asked_s, _DELAY_S + _JITTER * (self.clock.random() - 0.5))
                left_s = progress.planned.deadline - self.clock.monotonic()
                if attempt == candidate.tries or not may_pass or wait_s + LEAST_SECOND_S > left_s:
                    raise
            self.clock.sleep(wait_s)
            attempt += 1

    def _call(self, candidate: Candidate, request: AiRequest, progress: Progress) -> tuple[Completion, str]:
        provider, model = candidate.provider, candidate.model
        planned, calls = progress.planned, progress.calls
        held = self.budget.reserve(provider.name, model.price_at(self.clock.now()), request, planned.customer)
        if held is None:
            raise NotPaidFor
        made_before = len(calls)
        try:
            # Others may have asked while this one waited for its money: a gone model is not asked once more.
            if self.breaker.is_stale(candidate.permit):
                raise ModelSetAside
            completion = self.client.call(provider, model, request, planned.deadline)
            payee, name = self._answered_by(provider, model, completion.answered_by)
            calls.append(priced_call(provider, payee, name, completion.usage, ANSWERED, self.clock.now()))
        except ProviderError as error:
            calls.append(priced_call(provider, model, model.id, error.usage or Usage(), error.kind, self.clock.now()))
            raise
        finally:
            self.budget.settle(held, sum(call.cost_microusd for call in calls[made_before:]))
        return completion, name

    def _answered_by(self, provider: Provider, model: Model, name: str | None) -> tuple[Model, str]:
        """The model by whose price an answer is paid, and its name: the one asked, or another one that the answer names
        (at its own price where it is configured, the same provider's first).
        """
        if name is None or model.answers_to(name):
            return model, model.id
        self.breaker.rerouted(provider.name, model.id, name)
        own_first = sorted(self.providers, key=lambda each: each.name != provider.name)
        known = (other for each in own_first for other in each.models)
        named = (other for other in known if other is not model and ANY_NAME not in other.answers_as)
        other = next((other for other in named if other.answers_to(name)), None)
        return (other, other.id) if other is not None else (model, name)
