"""A webhook body as Meta sends it: every message of every entry and change, and a reason for each unusable part."""

from __future__ import annotations

from collections.abc import Iterator

from worker.errors import BadPayload
from worker.messages.content import is_reply_due, read_content
from worker.messages.delivery import read_statuses
from worker.messages.fields import (
    JsonObject,
    customer_id,
    display_name,
    required_list,
    required_object,
    required_string,
    sent_at_s,
)
from worker.messages.message import MAX_ID_CHARS, MAX_TYPE_CHARS, DeliveryStatus, InboundMessage, Parsed

WEBHOOK_OBJECT = "whatsapp_business_account"


def parse_webhook(body: JsonObject, now_s: float) -> Parsed:
    """All messages of `body`, and what it reports of our replies; a bad message costs only itself. Other statuses and
    account events are passed over in silence.
    """
    messages: list[InboundMessage] = []
    statuses: list[DeliveryStatus] = []
    rejections: list[str] = []
    for path, value in _message_values(body, rejections):
        statuses += read_statuses(value, now_s)
        if value.get("messages") is None:
            continue
        contacts = _contacts(value)
        named = _by_id(contacts)
        for where, message in _objects(value, "messages", path, rejections):
            try:
                messages.append(_read_message(message, contacts, named, now_s))
            except BadPayload as bad:
                rejections.append(f"{where}: {bad.reason}")
    return Parsed(tuple(messages), tuple(rejections), tuple(statuses))


def _message_values(body: JsonObject, rejections: list[str]) -> Iterator[tuple[str, JsonObject]]:
    """Path (ending in a dot) and `value` of each change that carries messages or statuses."""
    for entry_path, entry in _objects(body, "entry", "", rejections):
        for change_path, change in _objects(entry, "changes", f"{entry_path}.", rejections):
            try:
                value = _value_of(change)
            except BadPayload as bad:
                rejections.append(f"{change_path}: {bad.reason}")
                continue
            if value is not None:
                yield f"{change_path}.value.", value


def _value_of(change: JsonObject) -> JsonObject | None:
    if required_string(change, "field", MAX_TYPE_CHARS) != "messages":
        return None
    value = required_object(change, "value")
    return value if any(value.get(name) is not None for name in ("messages", "statuses")) else None


def _objects(parent: JsonObject, key: str, path: str, rejections: list[str]) -> Iterator[tuple[str, JsonObject]]:
    """Path and value of each object in the list under `key`; what is none leaves a rejection instead."""
    try:
        items = required_list(parent, key, path)
    except BadPayload as bad:
        rejections.append(bad.reason)
        return
    for index, item in enumerate(items):
        where = f"{path}{key}[{index}]"
        if isinstance(item, dict):
            yield where, item
        else:
            rejections.append(f"{where} is not an object")


def _read_message(
    message: JsonObject, contacts: list[JsonObject], named: dict[str, int], now_s: float
) -> InboundMessage:
    message_id = required_string(message, "id", MAX_ID_CHARS)
    customer = customer_id(_sender(message, contacts))
    kind = required_string(message, "type", MAX_TYPE_CHARS)
    content = read_content(kind, message)
    return InboundMessage(
        message_id=message_id,
        customer_phone=customer,
        name=_name(contacts, named, (customer, message.get("from_user_id"))),
        sent_at_s=sent_at_s(message.get("timestamp"), now_s),
        type=kind,
        text=content.text,
        selection_id=content.selection_id,
        reply_due=is_reply_due(kind, message),
        order=content.order,
    )


def _sender(message: JsonObject, contacts: list[JsonObject]) -> object:
    """`from`, or where Meta hides the phone number, the business-scoped user id from where the body names it.

    The notice that such an id has changed comes without contacts and names it in `system` alone.
    """
    named = [message.get("from"), message.get("from_user_id")]
    if len(contacts) == 1:
        named.append(contacts[0].get("user_id"))
    if message.get("type") == "system" and isinstance(notice := message.get("system"), dict):
        named += [notice.get("previous_user_id"), notice.get("user_id")]
    return next((value for value in named if value not in (None, "")), None)


def _contacts(value: JsonObject) -> list[JsonObject]:
    """The contacts, or none where they are malformed: what they add is no reason to lose a message."""
    contacts = value.get("contacts")
    if not isinstance(contacts, list) or not all(isinstance(contact, dict) for contact in contacts):
        return []
    return contacts


def _by_id(contacts: list[JsonObject]) -> dict[str, int]:
    """Places of the contacts by their ids, so that a body of many is not gone through for each message."""
    places: dict[str, int] = {}
    for place, contact in enumerate(contacts):
        for known in (contact.get("wa_id"), contact.get("user_id")):
            if isinstance(known, str):
                places.setdefault(known, place)
    return places


def _name(contacts: list[JsonObject], named: dict[str, int], ids: tuple[object, object]) -> str | None:
    """The name in the first contact that has one of the ids."""
    place = min((named[sought] for sought in ids if isinstance(sought, str) and sought in named), default=None)
    profile = contacts[place].get("profile") if place is not None else None
    return display_name(profile.get("name")) if isinstance(profile, dict) else None
