"""Rendering the request: the only thing a reply may depend on, and so the reply cache's key. Pure: no I/O."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import orjson
from msgspec import Struct

from worker.catalog.product import PIECES, Product
from worker.session.cart import CartItem
from worker.session.session import Session
from worker.shop.shop import Shop
from worker.usage import Usage

#: Raised by hand with every change of the instructions or the schema; it is part of the text, and so of the key.
PROMPT_VERSION = 4
#: The instructions end here; behind it stands what this shop has told.
FACTS_BEGIN = "Facts of the shop: "
#: What a model is told, with its places to fill.
INSTRUCTIONS = (Path(__file__).parent / "data" / "instructions.txt").read_text("utf-8")


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


def _cart_facts(item: CartItem) -> dict[str, Any]:
    """A line of the cart: its id, which operations name, and what it costs; the unit where it is no piece."""
    return {name: value for name, value in item.row().items() if name != "sku" and (name, value) != ("unit", PIECES)}


def session_facts(session: Session) -> dict[str, Any]:
    """Facts of the conversation. The id makes the request, and so its key, this session's alone."""
    return {
        "id": session.id,
        "name": session.customer_name,
        "state": session.state,
        "cart": [_cart_facts(item) for item in session.cart],
        "history": session.context.history,
    }


def render(
    shop: Shop,
    message: str,
    categories: Sequence[str],
    products: Iterable[Product],
    session: Session | None,
    now: Mapping[str, Any] | None = None,
    refers_to: Sequence[Mapping[str, Any]] = (),
) -> AiRequest:
    """Renders the complete request: first what every customer's has, so that the providers' prompt caches find it.

    Args:
        session: None for a message that means the same in every session.
        now: what depends on the hour (`Shop.now_facts`), for a message whose answer may.
        refers_to: what the message quotes, is about or comes from (`Turn.references`).
    """
    facts: dict[str, Any] = {"products": [product.facts for product in products]}
    if session is not None:
        facts["session"] = session_facts(session)
    if now:
        facts["now"] = now
    if refers_to:
        facts["refers_to"] = refers_to
    facts["message"] = message
    listed = orjson.dumps({"categories": list(categories)}).decode()
    system = INSTRUCTIONS.format(shop=shop.name, version=PROMPT_VERSION, facts=shop.told, categories=listed)
    return AiRequest(system=system, user=orjson.dumps(facts, default=msgspec.to_builtins).decode())


def cache_key(request: AiRequest) -> str:
    """SHA-256 of the complete rendered request (promise P3), as 64 hex digits. The model is not part of it."""
    return hashlib.sha256(f"{request.system}\0{request.user}".encode()).hexdigest()
