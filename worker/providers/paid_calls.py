"""Paid calls of a model: money reserved before, settled after, booked by who answered, tried again if that helps."""

from __future__ import annotations

import random as _random
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from msgspec import Struct
from tenacity import RetryCallState, Retrying, retry_if_exception

from worker.errors import ProviderError, ProviderRateLimited, ProviderUnavailable, UnreadableAnswer
from worker.providers.budget import Budget
from worker.providers.circuit import Permit
from worker.providers.client import AiClient
from worker.providers.models import ANY_NAME, Model, Provider
from worker.providers.pricing import cost_microusd
from worker.replies.request import AiRequest, Completion
from worker.usage import ModelCalls, Usage

#: With less than this left a second attempt, or one after a wait, would cost money and bring nothing.
LEAST_SECOND_S = 1.0
_DELAY_S = 1.0  # before a second attempt, on average; jitter keeps callers who failed together apart
_JITTER = 0.5
_LONGEST_WAIT_S = 2.0  # a provider that asks for more is left to the next candidate
ANSWERED = "ok"


class Candidate(Struct, frozen=True):
    """A model that may be called now, up to `tries` times where it fails in passing."""

    provider: Provider
    model: Model
    permit: Permit
    tries: int = 1


class SetAside(Exception):
    """The model turned out to be unusable after its permit was given: no call was made."""


class NotPaidFor(Exception):
    """A budget or the customer's limit is used up; no other provider will change that."""


class PaidCalls:
    """Calls of one process; thread safe.

    Args:
        is_stale: whether a permit's model has turned out to be unusable meanwhile.
        rerouted: called with provider, model and name where an answer names another model than was asked.
        clock, sleep, random: seconds, and a number in [0, 1).
        now: the time by which prices hold.
    """

    def __init__(
        self,
        providers: Sequence[Provider],
        client: AiClient,
        budget: Budget | None = None,
        rerouted: Callable[[str, str, str], None] = lambda *_: None,
        is_stale: Callable[[Permit], bool] = lambda _: False,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        random: Callable[[], float] = _random.random,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._providers = tuple(providers)
        self._client = client
        self._budget = budget
        self._rerouted = rerouted
        self._is_stale = is_stale
        self._clock = clock
        self._sleep = sleep
        self._random = random
        self._now = now

    def make(
        self, candidate: Candidate, request: AiRequest, customer: str, deadline: float, calls: list[ModelCalls]
    ) -> tuple[Completion, str]:
        """A completion and the name of the model that made it.

        Args:
            customer: whose hourly limit it counts against.
            deadline: on the monotonic clock.
            calls: each call is added to it, failed ones too.

        Raises ProviderError, NotPaidFor where there is no money, and SetAside.
        """

        def call() -> tuple[Completion, str]:
            return self._call(candidate, request, customer, deadline, calls)

        if candidate.tries == 1:
            return call()

        def stop(state: RetryCallState) -> bool:
            too_late = self._clock() + state.upcoming_sleep + LEAST_SECOND_S > deadline
            return too_late or state.attempt_number >= candidate.tries

        passing = retry_if_exception(_may_pass)
        return Retrying(retry=passing, wait=self._wait_s, stop=stop, sleep=self._sleep, reraise=True)(call)

    def _call(
        self, candidate: Candidate, request: AiRequest, customer: str, deadline: float, calls: list[ModelCalls]
    ) -> tuple[Completion, str]:
        provider, model = candidate.provider, candidate.model
        held = None
        if self._budget is not None:
            held = self._budget.reserve(provider.name, model.price_at(self._now()), request, customer)
            if held is None:
                raise NotPaidFor
        # Others may have asked while this one waited for its money: a gone model is not asked once more.
        if self._is_stale(candidate.permit):
            if self._budget is not None and held is not None:
                self._budget.settle(held, 0)
            raise SetAside
        made = self._booked(provider, model, model.id, Usage(), UnreadableAnswer.kind)
        try:
            completion = self._client.call(provider, model, request, deadline)
            paid, name = self._answered_by(provider, model, completion.answered_by)
            made = self._booked(provider, paid, name, completion.usage, ANSWERED)
        except ProviderError as error:
            made = self._booked(provider, model, model.id, error.usage or Usage(), error.kind)
            raise
        finally:
            calls.append(made)
            if self._budget is not None and held is not None:
                self._budget.settle(held, made.cost_microusd)
        return completion, name

    def _booked(self, provider: Provider, model: Model, name: str, usage: Usage, outcome: str) -> ModelCalls:
        """A call as it is booked. model: by whose price."""
        cost = cost_microusd(model.price_at(self._now()), usage)
        return ModelCalls(provider.name, name, outcome, 1, usage, cost)

    def _answered_by(self, provider: Provider, model: Model, name: str | None) -> tuple[Model, str]:
        """The model by whose price an answer is paid, and its name: the one asked, or another one that the answer names
        (at its own price where it is configured).
        """
        if name is None or model.answers_to(name):
            return model, model.id
        self._rerouted(provider.name, model.id, name)
        known = (*provider.models, *(other for each in self._providers for other in each.models))
        named = (other for other in known if other is not model and ANY_NAME not in other.answers_as)
        other = next((other for other in named if other.answers_to(name)), None)
        return (other, other.id) if other is not None else (model, name)

    def _wait_s(self, state: RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        asked_s = error.retry_after_s if isinstance(error, ProviderUnavailable) else None
        return max(asked_s or 0.0, _DELAY_S + _JITTER * (self._random() - 0.5))


def _may_pass(error: BaseException) -> bool:
    """Whether a second attempt may succeed soon."""
    return (
        isinstance(error, ProviderUnavailable)
        and not isinstance(error, ProviderRateLimited)
        and (error.retry_after_s or 0.0) <= _LONGEST_WAIT_S
    )
