"""The values that travel between routing, providers and the reply cache."""

from __future__ import annotations

from msgspec import Struct

from worker.usage import Usage


class AiRequest(Struct, frozen=True):
    """A complete rendered request. Both texts together are what a reply may depend on, and so its cache key.

    system: instructions and reply schema. user: one JSON text with catalogue context, session (only where the message
    needs it) and the customer's message. caller: token of the turn whose trace the call belongs to, if any.
    """

    system: str
    user: str
    max_output_tokens: int = 700
    caller: str | None = None


class Completion(Struct, frozen=True):
    """One complete answer of a provider: its text, what it is billed for, and how long it took."""

    provider: str
    model: str
    text: str
    usage: Usage
    latency_ms: float
