"""A turn's planned request and the progress of its completion: calls made, candidates that are out. Pure: no I/O."""

from dataclasses import dataclass, field

from msgspec import Struct

from worker.errors import (
    ModelFault,
    ProviderError,
    ProviderRateLimited,
    ProviderTimeout,
    ProviderUnavailable,
    RequestRefused,
    ThoughtAway,
    UnreadableAnswer,
)
from worker.providers.circuit_rules import RATE_LIMITED_MS, Permit
from worker.providers.models import Model, Provider
from worker.replies.scene import Scene
from worker.session.turn import Plan
from worker.usage import ModelCalls


class PlannedRequest(Struct, frozen=True):
    """A turn's planned request.

    Args:
        scene: what its answer is told from.
        caller: token of the turn.
        customer: whose hourly limit it counts against, empty for nobody's.
        deadline: on the monotonic clock.
        ahead: nobody waits for it: one provider is asked, and none waited for.
    """

    plan: Plan
    scene: Scene
    caller: str = ""
    customer: str = ""
    deadline: float = 0.0
    ahead: bool = False


class Candidate(Struct, frozen=True):
    """A model that may be called now, up to `tries` times where it fails in passing."""

    provider: Provider
    model: Model
    permit: Permit
    tries: int = 1


@dataclass
class Progress:
    """State of one request's completion.

    Args:
        unusable: models that turned out not to be usable, by provider.
        failed: models that gave an answer nobody can use, this once.
        waits: seconds until a rate-limited provider may be asked again.
        timed_out_probing: a half-open provider has cost its time-out; another one shall not.
        refused: an answer claimed or proposed what cannot be so.
        out_of_money: a budget or the customer's limit is used up.
    """

    planned: PlannedRequest
    calls: list[ModelCalls] = field(default_factory=list)
    unusable: set[tuple[str, str]] = field(default_factory=set)
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
            self.unusable.add(pair)
        elif isinstance(error, ProviderRateLimited):
            asked_s = error.retry_after_s
            self.waits[candidate.provider.name] = RATE_LIMITED_MS / 1000 if asked_s is None else asked_s
        elif isinstance(error, ProviderTimeout):
            self.timed_out_probing |= candidate.permit.probing
        elif isinstance(error, UnreadableAnswer | RequestRefused) or (
            # Where the connection is at fault, the provider's other models share it.
            isinstance(error, ProviderUnavailable) and error.detail.startswith("HTTP ")
        ):
            self.failed.add(pair)
