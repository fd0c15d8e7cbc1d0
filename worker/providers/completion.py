"""Completing one request: candidates in order, each answer checked and repaired once, at last the fallback reply."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from msgspec.structs import replace

from worker.errors import ProviderError, RequestRefused, UnreadableAnswer
from worker.language.classifier import COMPLEX
from worker.log import logger
from worker.providers.circuit_rules import RATE_LIMITED, PermitRefusal
from worker.providers.models import Provider, candidates
from worker.providers.paid_calls import LEAST_SECOND_S, ModelSetAside, NotPaidFor, PaidCalls
from worker.providers.pricing import baseline_microusd, estimate_tokens, with_costs
from worker.providers.progress import Candidate, PlannedRequest, Progress
from worker.replies.decision import InvalidDecision, RefusedChange
from worker.replies.fallback import fallback_decision
from worker.replies.prompt import Completion
from worker.replies.reply_check import UnfitReply
from worker.replies.scene import Scene
from worker.replies.verdict import decide, request_of
from worker.session.outcome import Decision, Outcome
from worker.session.turn import Plan
from worker.usage import ModelCalls, Usage

#: A call that could not even begin properly within this time is not worth its money.
LEAST_TIME_S = 0.2
#: Keeps callers who waited together from coming back together.
_JITTER_S = 0.5
log = logger(__name__)


@dataclass(frozen=True, slots=True)
class Completer:
    """Completer of one process: loops over candidates and repairs answers; thread safe. `PaidCalls` retries."""

    paid: PaidCalls

    def complete(self, planned: PlannedRequest) -> Outcome:
        """Completes a planned request. Never raises for a provider's fault or for want of money: the last resort is the
        fallback reply.
        """
        progress = Progress(planned)
        providers = candidates(self.paid.providers, planned.plan.complexity, self.paid.clock.now())
        if planned.ahead:
            del providers[1:]
        while providers:
            for candidate in self._candidates(providers, progress):
                if outcome := self._try(candidate, progress):
                    return with_costs(outcome, progress.calls)
                if progress.over:
                    break
            providers = [] if progress.over or planned.ahead else self._next_round(providers, progress)
        return fallback_outcome(planned.plan, planned.scene, progress.calls, refused=progress.refused)

    def _next_round(self, providers: Sequence[Provider], progress: Progress) -> list[Provider]:
        """Providers worth asking once more: the only one there is, for its next model; or those that said when, after
        the shortest wait if the deadline leaves the time.
        """
        if len(providers) == 1 and progress.failed - progress.unusable:
            progress.unusable |= progress.failed
            return list(providers)
        if not progress.waits:
            return []
        wait_s = min(progress.waits.values()) + _JITTER_S * self.paid.clock.random()
        if wait_s + LEAST_SECOND_S > self._left_s(progress):
            return []
        self.paid.clock.sleep(wait_s)
        waiting = [provider for provider in providers if provider.name in progress.waits]
        progress.waits.clear()
        return waiting

    def _left_s(self, progress: Progress) -> float:
        return progress.planned.deadline - self.paid.clock.monotonic()

    def _candidates(self, providers: Sequence[Provider], progress: Progress) -> Iterator[Candidate]:
        """Models that may be called, one after the other, as long as there is time: after one that cannot be asked the
        same provider's next, else the next provider's first. A permit is taken when its turn comes.
        """
        for provider in providers:
            known = len(progress.unusable) - 1
            # The first round, and one more after each model that was just found to be unusable.
            while known < len(progress.unusable) and self._left_s(progress) >= LEAST_TIME_S:
                known = len(progress.unusable)
                if candidate := self._candidate(provider, progress, last=provider is providers[-1]):
                    yield candidate

    def _candidate(self, provider: Provider, progress: Progress, *, last: bool) -> Candidate | None:
        models = {m.id: m for m in provider.models if (provider.name, m.id) not in progress.unusable}
        if not models:
            return None
        permit = self.paid.breaker.permit(
            provider.name, progress.planned.caller, tuple(models), probe=not progress.timed_out_probing
        )
        if isinstance(permit, PermitRefusal):
            if permit.reason == RATE_LIMITED and permit.wait_s is not None:
                progress.waits[provider.name] = permit.wait_s
            return None
        # The next candidate is the better second attempt; a sick provider is not asked twice.
        return Candidate(provider, models[permit.model], permit, tries=2 if permit.healthy and last else 1)

    def _try(self, candidate: Candidate, progress: Progress) -> Outcome | None:
        """Tries one candidate, and records it once with its circuits. None where it brought no decision."""
        provider, model, permit = candidate.provider.name, candidate.model.id, candidate.permit
        began = self.paid.clock.monotonic()
        try:
            completion, decision, name = self._decided(candidate, progress)
        except ProviderError as error:
            log.warning("provider_failed", provider=provider, model=model, kind=error.kind, detail=error.detail)
            progress.note(candidate, error)
            self.paid.breaker.failed(
                permit, error, (self.paid.clock.monotonic() - began) * 1000, progress.planned.customer
            )
            return None
        except (NotPaidFor, ModelSetAside) as exc:
            progress.out_of_money |= isinstance(exc, NotPaidFor)
            if isinstance(exc, ModelSetAside):
                progress.unusable.add((provider, model))
            self.paid.breaker.released(permit)
            return None
        self.paid.breaker.succeeded(permit, completion.latency_ms)
        return Outcome(
            source="ai",
            decision=decision,
            provider=provider,
            model=name,
            provider_latency_ms=round(completion.latency_ms),
            baseline_microusd=baseline_microusd(completion.usage),
        )

    def _decided(self, candidate: Candidate, progress: Progress) -> tuple[Completion, Decision, str]:
        """Asks for a valid decision, and once for the repair of one that is not.

        Returns:
            The completion, its decision, and the name of the model that made it.

        Raises:
            ProviderError, NotPaidFor, ModelSetAside: there is none.
        """
        planned = progress.planned
        problem: InvalidDecision | None = None
        for _ in range(2):
            request = request_of(planned.plan, planned.scene, planned.caller, problem)
            completion, model = self.paid.make(candidate, request, progress)
            try:
                return completion, decide(completion.text, planned.plan, planned.scene), model
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


def fallback_outcome(plan: Plan, scene: Scene, calls: Sequence[ModelCalls] = (), *, refused: bool = False) -> Outcome:
    """The outcome where no model answers: a reply from what we know ourselves.

    The prompt's tokens count in the baseline: the old flow would have paid.

    Args:
        refused: there were answers, but none that could be sent.
    """
    baseline = baseline_microusd(Usage(estimate_tokens(plan.system + plan.user)))
    # What is hard enough to need the best model, and got none, is worth a person's time.
    hard = plan.complexity == COMPLEX and not refused
    decision = fallback_decision(scene, requires_human=hard, refused=refused)
    return with_costs(Outcome("fallback", decision, baseline_microusd=baseline), calls)
