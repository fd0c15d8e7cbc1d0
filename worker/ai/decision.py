"""What a model must answer: the reply schema, and its validation."""

from __future__ import annotations

from collections.abc import Collection
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

INTENTS = Literal[
    "greeting",
    "search_product",
    "browse_category",
    "add_to_cart",
    "modify_cart_quantity",
    "remove_from_cart",
    "view_cart",
    "clear_cart",
    "checkout",
    "support",
    "unknown",
]
STATES = Literal[
    "browsing",
    "searching",
    "viewing_product",
    "adding_to_cart",
    "viewing_cart",
    "checkout",
    "waiting_address",
    "confirming_order",
    "order_completed",
]


class CartChange(BaseModel):
    """One cart operation; a product id that was not offered is refused."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    op: Literal["add", "set", "remove", "clear"]
    product_id: int | None = None
    quantity: int | None = Field(None, ge=1, le=99)


class Button(BaseModel):
    """A quick reply under the text."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    id: str = Field(min_length=1, max_length=256)
    title: str = Field(min_length=1)


class Decision(BaseModel):
    """What the model decided: the words for the customer and what they change."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    intent: INTENTS
    confidence: float = Field(ge=0, le=1)
    entities: dict[str, str | int | float | bool | None] = Field(default_factory=dict)
    reply: str = Field(min_length=1, max_length=4096)
    quick_replies: tuple[Button, ...] = Field(default=(), max_length=3)
    requires_human: bool = False
    next_state: STATES | None = None
    cart_operations: tuple[CartChange, ...] = Field(default=(), max_length=20)


class InvalidDecision(ValueError):
    """The text is not a decision; the message names the first field that does not fit, never its value."""


def parse_decision(text: str, offered: Collection[int]) -> Decision:
    """A decision from a model's text, which may stand in a code fence. `offered`: ids of products that stood in the
    request, the only ones a cart operation may name. Raises InvalidDecision.
    """
    try:
        # PostgreSQL's jsonb refuses NUL, wherever it stands.
        decision = Decision.model_validate_json(_without_fence(text).replace(r"\u0000", r"\ufffd"))
    except ValidationError as exc:
        place = ".".join(str(part) for part in exc.errors()[0]["loc"])
        raise InvalidDecision(f"{place or 'answer'}: {exc.errors()[0]['type']}") from None
    for change in decision.cart_operations:
        if change.op != "clear" and change.product_id not in offered:
            raise InvalidDecision("cart_operations: product was not offered")
        if change.op in ("add", "set") and change.quantity is None:
            raise InvalidDecision("cart_operations: quantity is missing")
    return decision


def _without_fence(text: str) -> str:
    stripped = text.strip()
    if stripped.startswith("```") and stripped.endswith("```") and "\n" in stripped:
        return stripped.split("\n", 1)[1].rsplit("```", 1)[0]
    return stripped
