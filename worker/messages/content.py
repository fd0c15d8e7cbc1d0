"""Content of each of WhatsApp's message types: text, what was tapped, a cart. A type not named here has none."""

from collections.abc import Callable
from itertools import accumulate

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
from worker.messages.references import form_words
from worker.messages.text import MAX_TEXT_CHARS, stream_safe

MAX_PRODUCT_ID_CHARS = 256
MAX_QUANTITY = 999_999


class Content(Struct, frozen=True):
    """Readable content of a message, each part None where there is none.

    Args:
        selection_id: id of a tapped button or list row.
        order: a cart from the catalogue; `text` says the same in words.
    """

    text: str | None = None
    selection_id: str | None = None
    order: CatalogOrder | None = None


UNREADABLE = Content()


def read_content(kind: str, message: JsonObject) -> Content:
    """Reads the content of a message of type `kind`.

    Raises:
        BadPayload: a known type lacks its object and no error of Meta's says why, or it has wrong types.
    """
    if _not_passed_on(kind, message):
        return UNREADABLE
    if kind == "contacts":
        required_list(message, kind)
        return UNREADABLE
    read = _READERS.get(kind)
    return read(kind, required_object(message, kind)) if read else UNREADABLE


def _not_passed_on(kind: str, message: JsonObject) -> bool:
    """Returns whether Meta says with an error that something was said which it could not pass on. Of what is tapped it
    leaves the object out without one, too.
    """
    return message.get(kind) is None and (kind == "interactive" or bool(message.get("errors")))


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
