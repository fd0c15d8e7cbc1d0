"""Content of each of WhatsApp's message types: text, what was tapped, a cart, a form. A type not named here has none.

And what a message refers to: a quote, a product, an advertisement. That is never an error: it adds to a message, and is
no reason to lose one.
"""

from collections.abc import Callable
from itertools import accumulate

import orjson
from msgspec import Struct

from worker.errors import BadPayload
from worker.messages.fields import (
    JsonObject,
    at,
    optional_string,
    readable,
    required_list,
    required_object,
    required_string,
    selection,
)
from worker.messages.message import NO_REPLY_TYPES, CatalogOrder, OrderItem
from worker.messages.text import MAX_TEXT_CHARS, mend, stream_safe

MAX_PRODUCT_ID_CHARS = 256
MAX_QUANTITY = 999_999
MAX_ADVERTISEMENT_CHARS = 500
#: Fields of a form that are WhatsApp's own.
FORM_TOKENS = frozenset({"flow_token", "wa_flow_response_params"})
MAX_FORM_FIELDS = 100


def short_id(value: object, most: int) -> str | None:
    """An id of at most so many characters that a message refers to; None where it cannot be one."""
    kept = readable(value) if isinstance(value, str) and len(value) <= most else None
    return kept.strip() if kept else None


def advertisement(message: JsonObject) -> str | None:
    """Words of the advertisement that led to a message."""
    told = [at(message, "referral", name) for name in ("headline", "body")]
    words = [readable(text) for text in told if isinstance(text, str)]
    said = ". ".join(" ".join(text.split()).rstrip(".") for text in words if text)
    return said[:MAX_ADVERTISEMENT_CHARS].rstrip() or None


def form_words(answers: object) -> str | None:
    """Words of a filled-in form (the JSON text of WhatsApp's `response_json`), a line for each field."""
    try:
        fields = orjson.loads(answers) if isinstance(answers, str) else None
    except orjson.JSONDecodeError:
        return None
    form = fields.items() if isinstance(fields, dict) else ()
    told = [(name, _value(value)) for name, value in form if name not in FORM_TOKENS]
    lines = [f"{name}: {value}" for name, value in told if value]
    return readable(mend("\n".join(lines[:MAX_FORM_FIELDS])))


def _value(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(filter(None, map(_value, value)))
    if isinstance(value, str):
        return " ".join(value.split())
    if isinstance(value, bool):
        return "sí" if value else "no"
    return str(value) if isinstance(value, int | float) else ""


class Content(Struct, frozen=True):
    """Readable content of a message, as `InboundMessage` has it; each part None where there is none."""

    text: str | None = None
    selection_id: str | None = None
    order: CatalogOrder | None = None


UNREADABLE = Content()


def read_content(kind: str, message: JsonObject) -> Content:
    """Reads the content of a message of type `kind`.

    Raises:
        BadPayload: a known type lacks its object and no error of Meta's says why, or it has wrong types.
    """
    # Meta says with an error what it could not pass on; of what is tapped it leaves the object out without one, too.
    if message.get(kind) is None and (kind == "interactive" or message.get("errors")):
        return UNREADABLE
    if kind == "contacts":
        required_list(message, kind)
        return UNREADABLE
    read = _READERS.get(kind)
    return read(kind, required_object(message, kind)) if read else UNREADABLE


def in_group(message: JsonObject) -> bool:
    """Returns whether a message was written in a group."""
    return bool(message.get("group_id")) or message.get("recipient_type") == "group"


def is_reply_due(kind: str, message: JsonObject) -> bool:
    """Returns whether a message gets an answer; also looks at what Meta calls unsupported but names
    (`unsupported.type`), and at what was tapped. One in a group gets none: it would come to its author alone, who has
    not asked us.
    """
    if in_group(message) or kind in NO_REPLY_TYPES:
        return False
    named = at(message, kind, "type") if kind in ("unsupported", "interactive") else None
    return not (isinstance(named, str) and named in NO_REPLY_TYPES)


def _text(kind: str, part: JsonObject) -> Content:
    body = optional_string(part, "body", f"{kind}.")
    if body is None:
        raise BadPayload(f"'{kind}.body' is missing")
    return Content(readable(body))


def _button(kind: str, part: JsonObject) -> Content:
    title = optional_string(part, "text", f"{kind}.")
    return Content(readable(title), selection(optional_string(part, "payload", f"{kind}.")))


def _interactive(kind: str, part: JsonObject) -> Content:
    """A tapped button or list row, or a form that was filled in; other kinds hold no words to read."""
    choice = optional_string(part, "type", f"{kind}.")
    if choice == "nfm_reply":
        return Content(form_words(at(part, choice, "response_json")))
    if choice not in ("button_reply", "list_reply"):
        return UNREADABLE
    reply, path = required_object(part, choice, f"{kind}."), f"{kind}.{choice}."
    return Content(readable(optional_string(reply, "title", path)), selection(optional_string(reply, "id", path)))


def _caption(kind: str, part: JsonObject) -> Content:
    return Content(readable(optional_string(part, "caption", f"{kind}.")))


def _location(kind: str, part: JsonObject) -> Content:
    """A place, by its name and address where WhatsApp knows them, and always by its coordinates."""
    named = [optional_string(part, name, f"{kind}.") for name in ("name", "address")]
    place = ", ".join(filter(None, (readable(text) for text in named)))
    where = [part.get(name) for name in ("latitude", "longitude")]
    if not all(isinstance(value, int | float) and not isinstance(value, bool) for value in where):
        return Content(place or None)
    return Content(f"📍 {place} ({where[0]}, {where[1]})".replace("  ", " "))


def _order(kind: str, part: JsonObject) -> Content:
    """A cart sent from the catalogue; items beyond the length of a text are left out, and so are those of which there
    are none. Where nothing is left, or a quantity is no number, there is nothing to read: the customer is asked.
    """
    products = required_list(part, "product_items", f"{kind}.")
    paths = (f"{kind}.product_items[{index}]" for index in range(len(products)))
    wanted = [_order_item(item, path) for item, path in zip(products, paths, strict=True)]
    told = [item for item in wanted if item]
    items = [item for item in told if item.quantity] if len(told) == len(wanted) else []
    ends = accumulate(len(f"{item.quantity} x {item.sku}, ") for item in items)
    kept = tuple(item for item, end in zip(items, ends, strict=True) if end <= MAX_TEXT_CHARS)
    order = CatalogOrder(kept, readable(optional_string(part, "text", f"{kind}.")))
    return Content(readable(order.words()), order=order if kept or not wanted else None)


def _order_item(item: object, path: str) -> OrderItem | None:
    """The product of a cart; None where its quantity cannot be read."""
    if not isinstance(item, dict):
        raise BadPayload(f"'{path}' is not an object")
    product_id = required_string(item, "product_retailer_id", MAX_PRODUCT_ID_CHARS, f"{path}.")
    quantity = _quantity(item.get("quantity"))
    return None if quantity is None else OrderItem(stream_safe(product_id), quantity)


def _quantity(value: object) -> int | None:
    """A whole number; Meta's own examples write it as a number and as a string. None where it is none: nothing is
    ordered in a number that we had to guess, and no customer is left without an answer for it.
    """
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= len(str(MAX_QUANTITY)):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= MAX_QUANTITY:
        return None
    return int(value) if value == int(value) else None


_READERS: dict[str, Callable[[str, JsonObject], Content]] = {
    "text": _text,
    "button": _button,
    "interactive": _interactive,
    "image": _caption,
    "video": _caption,
    "document": _caption,
    "order": _order,
    "location": _location,
    **dict.fromkeys(("audio", "voice", "sticker"), lambda *_: UNREADABLE),
}
