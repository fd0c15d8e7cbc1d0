"""Outcome of a turn: the decision about it, and what that cost. Pure: no I/O."""

from __future__ import annotations

from msgspec import Struct

from worker.messages.reply import Choices, QuickReply
from worker.session.cart import Cart, CartOperation
from worker.session.session import Checkout, Order
from worker.usage import ModelCalls

#: Source of a turn that is closed without a reply, because a person answers.
SILENT = "closed"


class Effects(Struct, frozen=True, omit_defaults=True):
    """All that a turn does beside its words, worked out by us from the session as it was; no model writes it.

    Args:
        cart: the cart after it, None where it stays.
        checkout: details of the order to come, None where they stay.
        asking: our question that is open afterwards.
        version: of the cart and details that this reply sums up, so that it can be confirmed.
        orders: to be placed with this commit.
        kept: what is left of the cart of the conversation before, None where it stays.
        proposed, refused: operations on the cart, by a model or a tap, and those of them that could not be done.
        undone: the change before was taken back.
    """

    cart: Cart | None = None
    checkout: Checkout | None = None
    asking: str = ""
    version: str = ""
    orders: tuple[Order, ...] = ()
    kept: Cart | None = None
    proposed: int = 0
    refused: int = 0
    undone: bool = False

    @property
    def counts(self) -> Effects:
        """The counts alone, without what they are about."""
        return Effects(proposed=self.proposed, refused=self.refused, undone=self.undone)


class Decision(Struct, frozen=True):
    """Validated answer to a turn: the words for the customer and what they change.

    Args:
        intent: one of `worker.replies.decision.Intent`, empty where nothing was decided.
        confidence: 0 to 1.
        entities: what was understood, by name: "address", the delivery address.
        next_state: state of the session after it, None to stay.
        choices: a list to tap, None where there is none.
        cart_operations: as they were proposed; what came of them stands in `effects`.
        human_reason: why we hand over to a person (`worker.session.handover`), empty where a model does.
    """

    intent: str = ""
    confidence: float = 0.0
    entities: dict[str, str | int | float | bool | None] = {}
    reply: str = ""
    quick_replies: tuple[QuickReply, ...] = ()
    requires_human: bool = False
    next_state: str | None = None
    cart_operations: tuple[CartOperation, ...] = ()
    choices: Choices | None = None
    effects: Effects = Effects()
    human_reason: str = ""


class Outcome(Struct, frozen=True):
    """Decision about a turn with its costs.

    Args:
        source: ai, cache, fallback, canned, or closed (no reply).
        provider_latency_ms: of the call that brought the answer.
        cost_by_provider: micro-dollars by provider, None where nobody but `provider` was paid.
        calls_made: all calls of models for this turn, summed by model and outcome; the other figures are their sums.
        ahead: it came from a reply that was made before anybody had asked for it.
    """

    source: str
    decision: Decision = Decision()
    provider: str | None = None
    model: str | None = None
    calls: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0
    cost_microusd: int = 0
    baseline_microusd: int = 0
    provider_latency_ms: int | None = None
    cost_by_provider: dict[str, int] | None = None
    calls_made: tuple[ModelCalls, ...] = ()
    ahead: bool = False


class StoredOutcome(Outcome, frozen=True):
    """Outcome as `messages.outcome` keeps it, so that whoever finds a reply unrecorded can record it.

    Args:
        complexity: None where no model was needed.
        terms: product searches of the turn.
        reply_key: key in the reply cache, where no other customer can have it; an erasure removes that entry.
        session_cache: hit, miss or new.
        channel: the business number that was written to, None where none was named.
    """

    complexity: str | None = None
    terms: tuple[str, ...] = ()
    reply_key: str | None = None
    session_cache: str | None = None
    channel: str | None = None
