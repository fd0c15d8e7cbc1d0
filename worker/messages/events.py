"""Messages that do something to others: an echo of what a person of the shop has written, an edit, a revocation.

Whatever of one cannot be used makes it a message that needs no reply, never an error: the customer's words stand.
"""

from typing import TypeGuard

from msgspec.structs import replace

from worker.errors import BadPayload
from worker.messages.content import in_group, read_content
from worker.messages.fields import JsonObject, at, customer_id, readable, required_string, sent_at_s, user_links
from worker.messages.message import (
    ECHO,
    EDIT,
    MAX_ID_CHARS,
    MAX_TYPE_CHARS,
    NO_REPLY_TYPES,
    REVOKE,
    InboundMessage,
    Link,
)

#: An edit whose original has been answered, as the customer would have written it.
CORRECTION = "Corrección de mi mensaje anterior: {words}"


def read_echo(message: JsonObject, channel: str | None, now_s: float) -> InboundMessage | None:
    """Reads what a person of the shop has written to a customer, or has edited or deleted of it; None for what says
    nothing (a reaction, say), and for what was said in a group.

    Raises:
        BadPayload: it does not say to whom, or has no id.
    """
    kind = required_string(message, "type", MAX_TYPE_CHARS)
    if in_group(message) or (kind in NO_REPLY_TYPES and kind not in (EDIT, REVOKE)):
        return None
    to = customer_id(message.get("to") or message.get("to_user_id"), "to")
    told = echo(
        required_string(message, "id", MAX_ID_CHARS),
        to,
        _words(kind, message) or f"[{kind}]",
        channel,
        sent_at_s(message.get("timestamp"), now_s),
        user_links(to, message.get("to_user_id")),
    )
    return told if kind not in (EDIT, REVOKE) else _changed_echo(told, kind, message)


def _changed_echo(told: InboundMessage, kind: str, message: JsonObject) -> InboundMessage | None:
    """The echo as the edit or deletion of an earlier one; None where it does not say of which, or what it says now."""
    target, words = change_of(kind, message)
    if not _is_target(target) or (kind == EDIT and not words):
        return None
    return replace(told, text=None, act=kind, target=target, edited=words if kind == EDIT else None)


def echo(
    message_id: str, customer: str, words: str, channel: str | None, sent_s: int | None, links: tuple[Link, ...] = ()
) -> InboundMessage:
    """The message to `customer` with `words` of the shop."""
    return InboundMessage(
        message_id, customer, None, sent_s, ECHO, words, None, reply_due=False, channel=channel, act=ECHO, links=links
    )


def change_of(kind: str, message: JsonObject) -> tuple[object, str | None]:
    """Change of a message that an edit or a deletion of a webhook tells: its id, and what it says now."""
    new = at(message, kind, "message") if kind in (EDIT, REVOKE) else None
    inner = at(new, "type")
    words = _words(inner, new) if isinstance(new, dict) and isinstance(inner, str) else None
    return at(message, kind, "original_message_id"), words


def _is_target(target: object) -> TypeGuard[str]:
    return isinstance(target, str) and bool(target.strip()) and len(target) <= MAX_ID_CHARS


def with_act(told: InboundMessage, target: object, words: str | None, *, alone: bool) -> InboundMessage:
    """The message with what it does to message `target`, if it is an edit or a revocation that can be used.

    Args:
        words: what an edited message says now.
        alone: the customer is alone with us; in a group an edit is answered no more than its original.
    """
    if not _is_target(target):
        return told
    if told.type == REVOKE:
        return replace(told, text=None, act=REVOKE, target=target)
    if told.type == EDIT and words:
        correction = readable(CORRECTION.format(words=words))
        return replace(told, text=correction, act=EDIT, target=target, edited=words, quoted=target, reply_due=alone)
    return told


def _words(kind: str, message: JsonObject) -> str | None:
    try:
        return read_content(kind, message).text
    except BadPayload:
        return None
