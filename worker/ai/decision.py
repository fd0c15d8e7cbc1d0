"""What a model must answer: the reply schema, and its validation.

Models do not always keep to names and lists they were given. What can be understood without guessing is taken (another
usual name, a missing confidence, a fourth button); a cart operation that does not fit never is.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Annotated, Literal, get_args

from pydantic import AliasChoices, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

Intent = Literal[
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
#: A model may lead to any state but `inactive`, which is not a place in a conversation.
State = Literal[
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
MAX_BUTTONS = 3
#: The largest integer that every JSON reader keeps exactly.
MAX_NUMBER = 2**53
#: Taken for a confidence that was left out: neither sure nor unsure.
NO_CONFIDENCE = 0.5


def _intent(value: object) -> object:
    return value if value in get_args(Intent) else "unknown"


def _state(value: object) -> object:
    return value if value in get_args(State) else None


def _confidence(value: object) -> object:
    if isinstance(value, int | float) and not isinstance(value, bool):
        # NaN comes out as 0, since it is greater than nothing.
        return float(min(max(0, value), 1))
    return NO_CONFIDENCE


def _buttons(value: object) -> object:
    given = value if isinstance(value, list) else []
    buttons = [{"id": item, "title": item} if isinstance(item, str) else item for item in given]
    usable = [b for b in buttons if isinstance(b, dict) and _is_text(b.get("id")) and _is_text(b.get("title"))]
    return usable[:MAX_BUTTONS]


def _entities(value: object) -> object:
    entries = value.items() if isinstance(value, dict) else ()
    return {name: entry for name, entry in entries if isinstance(entry, str | None) or _is_number(entry)}


def _is_number(value: object) -> bool:
    """Whether JSON and PostgreSQL can hold it: no NaN, no infinity, no integer of more than 64 bits."""
    return isinstance(value, int | float) and abs(value) <= MAX_NUMBER


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())


class CartChange(BaseModel):
    """One cart operation; a product id that was not offered is refused."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    op: Literal["add", "set", "remove", "clear"]
    product_id: int | None = Field(None, validation_alias=AliasChoices("product_id", "id"))
    quantity: int | None = Field(None, ge=1, le=99)


class Button(BaseModel):
    """A quick reply under the text."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    id: str = Field(max_length=256)
    title: str


class Decision(BaseModel):
    """What the model decided: the words for the customer and what they change."""

    model_config = ConfigDict(frozen=True, extra="ignore", str_strip_whitespace=True)
    intent: Annotated[Intent, BeforeValidator(_intent)] = "unknown"
    confidence: Annotated[float, BeforeValidator(_confidence)] = NO_CONFIDENCE
    entities: Annotated[dict[str, str | int | float | bool | None], BeforeValidator(_entities)] = Field(
        default_factory=dict
    )
    reply: str = Field(
        min_length=1,
        max_length=4096,
        validation_alias=AliasChoices("reply", "reply_text", "text", "response", "message", "answer"),
    )
    quick_replies: Annotated[tuple[Button, ...], BeforeValidator(_buttons)] = ()
    requires_human: bool = False
    next_state: Annotated[State | None, BeforeValidator(_state)] = None
    cart_operations: tuple[CartChange, ...] = Field(default=(), max_length=20)


class InvalidDecision(ValueError):
    """The text is not a decision; the message names the first field that does not fit, never its value."""


class RefusedChange(InvalidDecision):
    """A decision that would change the cart, or says that it did, in a way the customer did not ask for.

    told: what is refused and why, for the model alone: it may hold numbers that the model was talked into.
    """

    def __init__(self, problem: str, told: str) -> None:
        super().__init__(problem)
        self.told = told


def parse_decision(text: str, offered: Collection[int]) -> Decision:
    """A decision from a model's text, which may stand in a code fence. `offered`: ids of products that stood in the
    request, the only ones a cart operation may name. Raises InvalidDecision, for an operation RefusedChange.
    """
    try:
        # PostgreSQL's jsonb refuses NUL, wherever it stands.
        decision = Decision.model_validate_json(_without_fence(text).replace(r"\u0000", r"\ufffd"))
    except ValidationError as exc:
        place = ".".join(str(part) for part in exc.errors()[0]["loc"])
        raise InvalidDecision(f"{place or 'answer'}: {exc.errors()[0]['type']}") from None
    refuse((change, _unfit(change, offered)) for change in decision.cart_operations)
    return decision


def refuse(judged: Iterable[tuple[CartChange, str | None]]) -> None:
    """Raises RefusedChange for cart operations that come with a reason against them."""
    refused = [(change, reason) for change, reason in judged if reason]
    if refused:
        told = "; ".join(f"{change.model_dump_json(exclude_none=True)}: {reason}" for change, reason in refused)
        raise RefusedChange(f"cart_operations: {refused[0][1]}", told)


def _unfit(change: CartChange, offered: Collection[int]) -> str | None:
    if change.op != "clear" and change.product_id not in offered:
        return "product was not offered"
    if change.op in ("add", "set") and change.quantity is None:
        return "quantity is missing"
    return None


def _without_fence(text: str) -> str:
    stripped: str = text.strip()
    if stripped.startswith("```") and stripped.endswith("```") and "\n" in stripped:
        return stripped.split("\n", 1)[1].rsplit("```", 1)[0]
    return stripped
