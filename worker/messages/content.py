"""Content of each of WhatsApp's message types: text, what was tapped, a cart. A type not named here has none."""

from __future__ import annotations

from collections.abc import Callable
from itertools import accumulate

from msgspec import Struct

from worker.errors import BadPayload
from worker.messages.fields import Fields, JsonObject, readable, selection
from worker.messages.message import NO_REPLY_TYPES, CatalogOrder, OrderItem
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
        BadPayload: a known type lacks its object, or that has wrong types.
    """
    if kind == "contacts":
        Fields(message).required_list(kind)
    read = _READERS.get(kind)
    return read(Fields(message).required_object(kind)) if read else UNREADABLE


def is_reply_due(kind: str, message: JsonObject) -> bool:
    """Returns whether a message gets an answer; also looks at what Meta calls unsupported but names
    (`unsupported.type`).
    """
    detail = message.get("unsupported") if kind == "unsupported" else None
    named = detail.get("type") if isinstance(detail, dict) else None
    return kind not in NO_REPLY_TYPES and not (isinstance(named, str) and named in NO_REPLY_TYPES)


def _text(part: Fields) -> Content:
    body = part.optional_string("body")
    if body is None:
        raise BadPayload("'text.body' is missing")
    return Content(readable(body))


def _button(part: Fields) -> Content:
    return Content(readable(part.optional_string("text")), selection(part.optional_string("payload")))


def _interactive(part: Fields) -> Content:
    """A tapped button or list row; the other kinds (a form's `nfm_reply`, a call permission) hold no words to read."""
    choice = part.optional_string("type")
    if choice not in ("button_reply", "list_reply"):
        return UNREADABLE
    reply = part.required_object(choice)
    return Content(readable(reply.optional_string("title")), selection(reply.optional_string("id")))


def _caption(part: Fields) -> Content:
    return Content(readable(part.optional_string("caption")))


def _wordless(_part: Fields) -> Content:
    return UNREADABLE


def _order(part: Fields) -> Content:
    """A cart sent from the catalogue; items beyond the length of a text are left out."""
    products = part.required_list("product_items")
    items = [_order_item(item, f"order.product_items[{index}]") for index, item in enumerate(products)]
    ends = accumulate(len(f"{item.quantity} x {item.sku}, ") for item in items)
    kept = tuple(item for item, end in zip(items, ends, strict=True) if end <= MAX_TEXT_CHARS)
    order = CatalogOrder(kept, readable(part.optional_string("text")))
    return Content(readable(order.words()), order=order)


def _order_item(item: object, path: str) -> OrderItem:
    if not isinstance(item, dict):
        raise BadPayload(f"'{path}' is not an object")
    product_id = Fields(item, f"{path}.").required_string("product_retailer_id", MAX_PRODUCT_ID_CHARS)
    return OrderItem(stream_safe(product_id), _quantity(item.get("quantity"), path))


def _quantity(value: object, path: str) -> int:
    """A whole number from 1 on; Meta's own examples write it as a number and as a string."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= len(str(MAX_QUANTITY)):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= MAX_QUANTITY:
        raise BadPayload(f"'{path}.quantity' is not a whole number from 1 to {MAX_QUANTITY}")
    return value


_READERS: dict[str, Callable[[Fields], Content]] = {
    "text": _text,
    "button": _button,
    "interactive": _interactive,
    **dict.fromkeys(("image", "video", "document"), _caption),
    **dict.fromkeys(("audio", "voice", "sticker", "location"), _wordless),
    "order": _order,
}
