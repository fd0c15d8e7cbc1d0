"""What came of a conversation: exchanges with the state of the customer's session before and after."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Shot:
    """A customer at one moment. cart: quantity by name; waits: for a person; orders: items of each so far, by name."""

    state: str = "browsing"
    cart: Mapping[str, float] | None = None
    waits: bool = False
    address: str | None = None
    orders: Sequence[Mapping[str, float]] = ()

    @property
    def quantities(self) -> Mapping[str, float]:
        """The cart, empty where there is none."""
        return self.cart or {}


@dataclass(frozen=True, slots=True)
class Exchange:
    """What a customer wrote at once and what he got for it.

    replies: outbound payloads that answer one of the messages, each once. states: of each message in PostgreSQL.
    shared: the request held nothing of the session. took_s: from sending to the last reply.
    """

    customer: str
    message_ids: Sequence[str]
    said: str
    replies: Sequence[Mapping[str, Any]]
    states: Sequence[str]
    before: Shot
    after: Shot
    shared: bool = False
    took_s: float = 0.0

    @property
    def source(self) -> str:
        """Of the last reply; empty where there was none."""
        return str(self.replies[-1]["source"]) if self.replies else ""

    @property
    def told(self) -> str:
        """The words of all replies."""
        return "\n".join(str(reply["text"]) for reply in self.replies)


@dataclass(frozen=True, slots=True)
class Booked:
    """What the service has recorded of all calls."""

    calls: int
    prompt_tokens: int
    completion_tokens: int


@dataclass(frozen=True, slots=True)
class Outage:
    """What came of the act in which the provider hangs. timeout_s: of one call; opened, closed: whether circuits were
    seen so. while_open: exchanges while it hung after the circuit had opened.
    """

    timeout_s: float
    opened: bool
    closed: bool
    hung: Sequence[Exchange]
    while_open: Sequence[Exchange]


@dataclass(frozen=True, slots=True)
class Examined:
    """What the doctor said of a provider, and what the model had answered him."""

    fit: bool
    answers: Sequence[str]
