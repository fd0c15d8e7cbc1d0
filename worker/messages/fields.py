"""Single fields of a decoded body: each reader gives a checked value, or raises BadPayload with the reason.

A reason names the field and what is wrong with it, and never quotes its value: it may be a phone number or a message.
A JSON null counts as missing, because many languages write an absent value so. What a body tells about a customer's ids
is never an error: the customer's words stand.
"""

import re
from collections.abc import Iterator
from typing import Any

from worker.errors import BadPayload
from worker.messages.message import Link
from worker.messages.text import MAX_BUTTON_ID_CHARS, MAX_TEXT_CHARS, stream_safe

JsonObject = dict[str, Any]

MAX_NAME_CHARS = 120

WHATSAPP_BEGAN_S = 1_230_768_000
"""2009-01-01: no message is older than WhatsApp."""
DAY_S = 86_400

_CUSTOMER_ID = re.compile(r"[0-9]{5,20}|[A-Z]{2}\.(?:ENT\.)?[A-Za-z0-9]{1,128}")
_NUMBER_ID = re.compile(r"[\w.:+-]{1,64}", re.ASCII)
# Control characters, and the marks that reorder the text around them: a name stands in prompts, logs and tables.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
#: System notices of a changed number; the second is the name of before.
CHANGED_NUMBER = ("user_changed_number", "customer_changed_number")


def at(value: object, *path: str | int) -> object:
    """The value at a path of decoded JSON; None where there is nothing, or something of another form."""
    for step in path:
        if isinstance(step, str):
            value = value.get(step) if isinstance(value, dict) else None
        else:
            value = value[step] if isinstance(value, list) and step < len(value) else None
    return value


def items(value: object) -> list[object]:
    """The items of a list; none where it is something else."""
    return value if isinstance(value, list) else []


def optional_string(parent: JsonObject, key: str, within: str = "") -> str | None:
    """The string under `key`, None where it is missing. `within`: the path of `parent` with its dot, for the reason."""
    value = parent.get(key)
    if value is not None and not isinstance(value, str):
        raise BadPayload(f"'{within}{key}' is not a string")
    return value


def required_string(parent: JsonObject, key: str, max_chars: int, within: str = "") -> str:
    """The string under `key`: not blank, and of at most `max_chars` characters."""
    value = optional_string(parent, key, within)
    if value is None:
        raise BadPayload(f"'{within}{key}' is missing")
    if not value.strip():
        raise BadPayload(f"'{within}{key}' is empty")
    if len(value) > max_chars:
        raise BadPayload(f"'{within}{key}' is longer than {max_chars} characters")
    return value


def required_object(parent: JsonObject, key: str, within: str = "") -> JsonObject:
    """The object under `key`."""
    value = parent.get(key)
    if not isinstance(value, dict):
        raise BadPayload(f"'{within}{key}' is {'missing' if value is None else 'not an object'}")
    return value


def required_list(parent: JsonObject, key: str, within: str = "") -> list[Any]:
    """The list under `key`."""
    value = parent.get(key)
    if not isinstance(value, list):
        raise BadPayload(f"'{within}{key}' is {'missing' if value is None else 'not a list'}")
    return value


def customer_id(value: object, name: str = "from") -> str:
    """WhatsApp's id of a customer: 5 to 20 digits (a JSON integer will do) or Meta's business-scoped user id.

    A leading '+' is refused, not removed: a gateway that compares `to` of a reply with what it sent must find it equal.

    Args:
        name: of the field that it stands in.
    """
    text = str(value) if isinstance(value, int) else value
    if text is None or text == "":
        raise BadPayload(f"'{name}' is missing")
    if not isinstance(text, str):
        raise BadPayload(f"'{name}' is neither a string nor a whole number")
    if text.startswith("+"):
        raise BadPayload(f"'{name}' starts with '+': send the digits alone")
    if not _CUSTOMER_ID.fullmatch(text):
        raise BadPayload(f"'{name}' is neither 5 to 20 digits nor a business-scoped user id (such as US.1A2B3C)")
    return text


def known_id(value: object) -> str | None:
    """The same id where it only adds to a message; None where it is none."""
    try:
        return customer_id(value)
    except BadPayload:
        return None


def is_phone(customer: str) -> bool:
    """Returns whether an id is a phone's digits; else it is business-scoped."""
    return customer[0].isdigit()


def number_id(value: object) -> str | None:
    """The id of a business number, of at most 64 characters (a JSON integer will do); None where there is none that can
    be told. Never an error: it says where a reply leaves from, and is no reason to lose a message.
    """
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    return text if isinstance(text, str) and _NUMBER_ID.fullmatch(text) else None


def sent_at_s(value: object, now_s: float) -> int | None:
    """Seconds since the epoch from a string or number; None where it is missing or cannot be true.

    A wrong clock is no reason to leave a customer without an answer, so it is never an error.
    """
    if not isinstance(value, str | int | float):
        return None
    try:
        sent_s = int(float(value))
    except (ValueError, OverflowError):
        return None
    return sent_s if WHATSAPP_BEGAN_S <= sent_s <= now_s + DAY_S else None


def display_name(value: object) -> str | None:
    """A customer's name on one line, at most 120 characters; None where there is none to show. Never an error."""
    if not isinstance(value, str):
        return None
    words = (_CONTROL.sub("", word) for word in value.split())
    return " ".join(filter(None, words))[:MAX_NAME_CHARS].rstrip() or None


def readable(text: str | None) -> str | None:
    """Returns what a customer wrote, at most 4,096 characters with at most 30 marks on a letter; None where that is
    blank.
    """
    kept = stream_safe((text or "")[:MAX_TEXT_CHARS])
    return kept if kept.strip() else None


def selection(value: str | None) -> str | None:
    """The id of what a customer tapped, at most 256 characters; None where that is blank."""
    kept = (value or "")[:MAX_BUTTON_ID_CHARS]
    return kept if kept.strip() else None


def user_links(customer: str, *user_ids: object) -> tuple[Link, ...]:
    """Links of business-scoped ids to the customer beside whom they stand."""
    known = dict.fromkeys(filter(None, map(known_id, user_ids)))
    return tuple(Link(alias, customer) for alias in known if alias != customer and not is_phone(alias))


def read_links(customer: str, message: JsonObject, contact: JsonObject) -> tuple[Link, ...]:
    """Links that a message of a webhook body tells.

    Args:
        customer: its sender.
        contact: of its sender, empty where the body has none.
    """
    phone = known_id(contact.get("wa_id"))
    named = phone if phone and is_phone(phone) and not is_phone(customer) else customer
    user_ids = (customer, message.get("from_user_id"), message.get("user_id"), contact.get("user_id"))
    return (*user_links(named, *user_ids), *_changes(named, message))


def _changes(customer: str, message: JsonObject) -> Iterator[Link]:
    """Changes that a system notice tells: the number first, since a changed user id then belongs to the new one."""
    notice = message.get("system")
    if message.get("type") != "system" or not isinstance(notice, dict):
        return
    number = known_id(notice.get("wa_id") or notice.get("new_wa_id"))
    if notice.get("type") in CHANGED_NUMBER and number and number != customer:
        yield Link(customer, number, former=is_phone(customer))
        customer = number
    before, after = known_id(notice.get("previous_user_id")), known_id(notice.get("user_id"))
    if after and after != customer and is_phone(customer):
        yield Link(after, customer)
    if before and after and before != after:
        yield Link(before, after, former=True)
