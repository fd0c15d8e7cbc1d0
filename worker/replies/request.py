"""A rendered request and a completion: what goes to a model and what comes back."""

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from worker.usage import Usage


class AiRequest(Struct, frozen=True):
    """A complete rendered request. Both texts together are what a reply may depend on, and so its cache key.

    Args:
        system: instructions, the shop's facts and the reply's form, the same in every request of a shop.
        user: one JSON text with products, session (only where the message needs it) and the customer's message.
        schema: JSON schema of this request's answers, for models that take one; it follows from the plan.
        max_output_tokens: limit of the answer.
        caller: token of the turn whose trace the call belongs to, if any.
    """

    system: str
    user: str
    schema: Mapping[str, Any] | None = None
    max_output_tokens: int = 700
    caller: str | None = None

    @property
    def text(self) -> str:
        """All that a provider counts as input."""
        return self.system + self.user


class Completion(Struct, frozen=True):
    """One complete answer of a provider: its text, what it is billed for, and how long it took.

    `model` is the one that was asked; `answered_by` the one that the answer names, None where it names none.
    """

    provider: str
    model: str
    text: str
    usage: Usage
    latency_ms: float
    answered_by: str | None = None
