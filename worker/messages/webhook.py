"""A webhook body as Meta sends it: every message of every entry and change, and a reason for each unusable part."""

from collections.abc import Callable, Iterator

from worker.errors import BadPayload
from worker.messages.content import MAX_PRODUCT_ID_CHARS, advertisement, in_group, is_reply_due, read_content, short_id
from worker.messages.delivery import read_statuses
from worker.messages.events import change_of, read_echo, with_act
from worker.messages.fields import (
    JsonObject,
    at,
    customer_id,
    display_name,
    number_id,
    read_links,
    required_list,
    required_object,
    required_string,
    sent_at_s,
)
from worker.messages.message import MAX_ID_CHARS, MAX_TYPE_CHARS, DeliveryStatus, InboundMessage, Parsed

WEBHOOK_OBJECT = "whatsapp_business_account"
#: Name of the list in a change's `value`, by the field of the change; all other fields are passed over in silence.
LISTS = {"messages": "messages", "smb_message_echoes": "message_echoes"}

#: Fields of a message with the business-scoped user id of its sender.
USER_ID_KEYS = ("from_user_id", "user_id")


def parse_webhook(body: JsonObject, now_s: float) -> Parsed:
    """All messages of `body`, and what it reports of our replies; a bad message costs only itself. Other statuses and
    account events are passed over in silence.
    """
    messages: list[InboundMessage] = []
    statuses: list[DeliveryStatus] = []
    rejections: list[str] = []
    for path, name, value in _message_values(body, rejections):
        statuses += read_statuses(value, now_s)
        if value.get(name) is None:
            continue
        read = _reader(name, value, now_s)
        for where, message in _objects(value, name, path, rejections):
            try:
                told = read(message)
            except BadPayload as bad:
                rejections.append(f"{where}: {bad.reason}")
            else:
                messages += [told] if told else []
    return Parsed(tuple(messages), tuple(rejections), tuple(statuses))


def _reader(name: str, value: JsonObject, now_s: float) -> Callable[[JsonObject], InboundMessage | None]:
    """Reader of the objects in the list of this name in a change's `value`."""
    channel = number_id(at(value, "metadata", "phone_number_id"))
    if name == LISTS["smb_message_echoes"]:
        return lambda message: read_echo(message, channel, now_s)
    contacts = _contacts(value)
    named = _by_id(contacts)
    return lambda message: _read_message(message, contacts, named, channel, now_s)


def _message_values(body: JsonObject, rejections: list[str]) -> Iterator[tuple[str, str, JsonObject]]:
    """Path (ending in a dot), name of the list, and `value` of each change that may carry messages."""
    for entry_path, entry in _objects(body, "entry", "", rejections):
        for change_path, change in _objects(entry, "changes", f"{entry_path}.", rejections):
            try:
                if name := LISTS.get(required_string(change, "field", MAX_TYPE_CHARS)):
                    yield f"{change_path}.value.", name, required_object(change, "value")
            except BadPayload as bad:
                rejections.append(f"{change_path}: {bad.reason}")


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
    message: JsonObject, contacts: list[JsonObject], named: dict[str, int], channel: str | None, now_s: float
) -> InboundMessage:
    message_id = required_string(message, "id", MAX_ID_CHARS)
    customer = customer_id(_sender(message, contacts))
    kind = required_string(message, "type", MAX_TYPE_CHARS)
    content = read_content(kind, message)
    contact = _contact(contacts, named, [customer, *(message.get(key) for key in USER_ID_KEYS)])
    told = InboundMessage(
        message_id=message_id,
        customer_phone=customer,
        name=display_name(at(contact, "profile", "name")),
        sent_at_s=sent_at_s(message.get("timestamp"), now_s),
        type=kind,
        text=content.text,
        selection_id=content.selection_id,
        reply_due=is_reply_due(kind, message),
        order=content.order,
        channel=channel,
        # Where something was tapped WhatsApp quotes by itself, and the customer means what stands on it.
        quoted=None if content.selection_id else short_id(at(message, "context", "id"), MAX_ID_CHARS),
        product=short_id(at(message, "context", "referred_product", "product_retailer_id"), MAX_PRODUCT_ID_CHARS),
        advertisement=advertisement(message),
        links=read_links(customer, message, contact),
    )
    target, words = change_of(kind, message)
    return with_act(told, target, words, alone=not in_group(message))


def _sender(message: JsonObject, contacts: list[JsonObject]) -> object:
    """`from`, or where Meta hides the phone number, the business-scoped user id from where the body names it.

    The notice that such an id has changed comes without contacts and names it in `system` alone.
    """
    named = [message.get("from"), *(message.get(key) for key in USER_ID_KEYS)]
    if len(contacts) == 1:
        named.append(contacts[0].get("user_id"))
    if message.get("type") == "system":
        named += [at(message, "system", "previous_user_id"), at(message, "system", "user_id")]
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


def _contact(contacts: list[JsonObject], named: dict[str, int], ids: list[object]) -> JsonObject:
    place = min((named[sought] for sought in ids if isinstance(sought, str) and sought in named), default=None)
    return contacts[place] if place is not None else {}
