"""Parser of a model's text: finds the JSON object in it, validates it, and makes it a Decision. Pure: no I/O.

Models do not always keep to names and lists they were given. What can be understood without guessing is taken (another
usual name, a missing confidence, a fourth button); a cart operation that does not fit never is.
"""

import json
import re
from collections.abc import Collection, Iterable, Iterator
from decimal import Decimal
from typing import Annotated, Any, Literal, get_args

import msgspec
from msgspec.structs import asdict
from pydantic import AfterValidator, AliasChoices, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from db.states import ConversationState
from worker.messages.formatting import plain_title
from worker.messages.text import MAX_BUTTON_ID_CHARS, MAX_TEXT_CHARS, clip_at_sentence, mend, stream_safe
from worker.replies.buttons import may_offer
from worker.session.cart import CartOperation
from worker.session.outcome import Decision

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
#: Any state but `inactive`, which is not a place in a conversation.
State = ConversationState
MAX_BUTTONS = 3
#: An address is shorter; it goes into the session and the order as it is.
MAX_ENTITIES, MAX_ENTITY_CHARS = 20, 300
#: The largest integer that every JSON reader keeps exactly.
MAX_NUMBER = 2**53
#: Taken for a confidence that was left out: neither sure nor unsure.
NO_CONFIDENCE = 0.5
#: A decision is a few kilobytes; what stands further behind is not looked at.
MAX_CHARS = 65_536
#: Braces at which an object is looked for; prose has few.
MAX_TRIES = 32
_THOUGHTS = re.compile(r"<think(?:ing)?>.*?(?:</think(?:ing)?>|\Z)", re.DOTALL | re.IGNORECASE)
_DECODER = json.JSONDecoder(strict=False)


def _lowered(value: object) -> object:
    return value.strip().lower() if isinstance(value, str) else value


def _one_of(names: tuple[str, ...], default: str | None) -> BeforeValidator:
    """Reader of one of these names, however it is written; anything else is taken for the default."""
    return BeforeValidator(lambda value: _lowered(value) if _lowered(value) in names else default)


def _given(default: object) -> BeforeValidator:
    """Reader of a value, with this in the place of null."""
    return BeforeValidator(lambda value: default if value is None else value)


def _cut(value: object) -> object:
    """A reply that is too long is cut at the end of a sentence: asking again would cost another call."""
    return clip_at_sentence(stream_safe(value.strip()), MAX_TEXT_CHARS) if isinstance(value, str) else value


def _confidence(value: object) -> object:
    if isinstance(value, int | float) and not isinstance(value, bool):
        # NaN comes out as 0, since it is greater than nothing.
        return float(min(max(0, value), 1))
    return NO_CONFIDENCE


def _buttons(value: object) -> object:
    given = value if isinstance(value, list) else []
    buttons = ({"id": item, "title": item} if isinstance(item, str) else item for item in given)
    return [button for button in buttons if isinstance(button, dict) and _is_usable(button)][:MAX_BUTTONS]


def _is_usable(button: dict[str, Any]) -> bool:
    given = (button.get("id"), button.get("title"))
    is_whole = all(isinstance(text, str) and text.strip() for text in given)
    return is_whole and len(button["id"]) <= MAX_BUTTON_ID_CHARS and may_offer(button["id"])


def _entities(value: object) -> object:
    """Reads what was understood, by name; also a list of {"name", "value"}, which a strict schema can describe."""
    entries = list(value.items() if isinstance(value, dict) else _pairs(value))
    kept = [(name, entry) for name, entry in entries if isinstance(entry, str | None) or _is_number(entry)]
    return {
        name[:MAX_ENTITY_CHARS]: entry[:MAX_ENTITY_CHARS] if isinstance(entry, str) else entry
        for name, entry in kept[:MAX_ENTITIES]
    }


def _pairs(value: object) -> Iterator[tuple[str, Any]]:
    for entry in value if isinstance(value, list) else ():
        if isinstance(entry, dict) and isinstance(entry.get("name"), str):
            yield entry["name"], entry.get("value")


def _is_number(value: object) -> bool:
    """Returns whether JSON and PostgreSQL can hold it: no NaN, no infinity, no integer of more than 64 bits."""
    return isinstance(value, int | float) and abs(value) <= MAX_NUMBER


class _Operation(BaseModel):
    """Cart operation as a model writes it."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    op: Annotated[Literal["add", "set", "remove", "clear"], BeforeValidator(_lowered)]
    product_id: int | None = Field(
        None, ge=-MAX_NUMBER, le=MAX_NUMBER, validation_alias=AliasChoices("product_id", "id")
    )
    #: More than a cart may hold is no mistake of the model's where a customer wants it: `cart_changes` says so.
    quantity: Decimal | None = Field(None, gt=0, le=MAX_NUMBER, decimal_places=3)


class _Button(BaseModel):
    """Quick reply as a model writes it."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    id: str
    title: Annotated[str, AfterValidator(plain_title)]


class _Answer(BaseModel):
    """Decision as a model writes it."""

    model_config = ConfigDict(frozen=True, extra="ignore", str_strip_whitespace=True)
    intent: Annotated[Intent, _one_of(get_args(Intent), "unknown")] = "unknown"
    confidence: Annotated[float, BeforeValidator(_confidence)] = NO_CONFIDENCE
    entities: Annotated[dict[str, str | int | float | bool | None], BeforeValidator(_entities)] = Field(
        default_factory=dict
    )
    #: `message` is none of its names: a request that is echoed back has one.
    reply: Annotated[str, BeforeValidator(_cut)] = Field(
        min_length=1, validation_alias=AliasChoices("reply", "reply_text", "text", "response", "answer")
    )
    quick_replies: Annotated[tuple[_Button, ...], BeforeValidator(_buttons)] = ()
    requires_human: Annotated[bool, _given(default=False)] = False
    next_state: Annotated[State | None, _one_of(get_args(State), None)] = None
    cart_operations: Annotated[tuple[_Operation, ...], _given(default=())] = Field(default=(), max_length=20)


class InvalidDecision(ValueError):
    """The text is not a decision; the message names the first field that does not fit, never its value."""


class RefusedChange(InvalidDecision):
    """A decision that would change the cart, or says that it did, in a way the customer did not ask for.

    Args:
        told: what is refused and why, for the model alone: it may hold numbers that the model was talked into.
    """

    def __init__(self, problem: str, told: str) -> None:
        super().__init__(problem)
        self.told = told


def parse_decision(text: str, offered: Collection[int] | None) -> Decision:
    """Validates a model's text, in which other words and thoughts may stand around the JSON object.

    Args:
        offered: ids of products that stood in the request, the only ones a cart operation may name; None where no
            operation counts.

    Raises:
        RefusedChange: a cart operation does not fit.
        InvalidDecision: the text holds no decision.
    """
    decision = _validated(text)
    if offered is not None:
        refuse((change, _unfit(change, offered)) for change in decision.cart_operations)
    return decision


def _validated(text: str) -> Decision:
    """The last object in the text that is a decision. Raises what is wrong with the last one where none is."""
    problem = InvalidDecision("answer: json_invalid")
    for found in reversed(objects_in(text)):
        try:
            return msgspec.convert(_Answer.model_validate(found).model_dump(), Decision)
        except ValidationError as exc:
            place = ".".join(str(part) for part in exc.errors()[0]["loc"])
            problem = InvalidDecision(f"{place or 'answer'}: {exc.errors()[0]['type']}")
    raise problem


def refuse(judged: Iterable[tuple[CartOperation, str | None]]) -> None:
    """Raises RefusedChange for cart operations that come with a reason against them."""
    refused = [(change, reason) for change, reason in judged if reason]
    if refused:
        told = "; ".join(f"{_as_json(change)}: {reason}" for change, reason in refused)
        raise RefusedChange(f"cart_operations: {refused[0][1]}", told)


def _as_json(change: CartOperation) -> str:
    given = {name: value for name, value in asdict(change).items() if value is not None}
    return msgspec.json.Encoder(decimal_format="number").encode(given).decode()


def _unfit(change: CartOperation, offered: Collection[int]) -> str | None:
    if change.op != "clear" and change.product_id not in offered:
        return "product was not offered"
    if change.op in ("add", "set") and change.quantity is None:
        return "quantity is missing"
    return None


def objects_in(text: str) -> list[dict[str, Any]]:
    """The JSON objects in a text, in their order, none of them inside another one or inside thoughts."""
    rest = _THOUGHTS.sub(" ", text[:MAX_CHARS])
    found: list[dict[str, Any]] = []
    place = 0
    for _ in range(MAX_TRIES):
        place = rest.find("{", place)
        if place < 0:
            break
        try:
            value, end = _DECODER.raw_decode(rest, place)
            found.append(mended(value))
            place = end
        except (ValueError, RecursionError):
            place += 1
    return found


def mended(value: Any) -> Any:
    """A decoded JSON value whose texts hold nothing that PostgreSQL's jsonb refuses."""
    if isinstance(value, str):
        return mend(value)
    if isinstance(value, list):
        return [mended(item) for item in value]
    if isinstance(value, dict):
        return {mend(name): mended(item) for name, item in value.items()}
    return value
