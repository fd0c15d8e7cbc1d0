"""Parser of the inbound stream's bytes into messages: the one door of everything a gateway sends."""

import re
from typing import Any

import orjson

from worker.errors import BadPayload
from worker.messages.content import in_group, is_reply_due, short_id
from worker.messages.events import echo, with_act
from worker.messages.fields import (
    JsonObject,
    customer_id,
    display_name,
    number_id,
    optional_string,
    readable,
    required_string,
    sent_at_s,
    user_links,
)
from worker.messages.message import ECHO, MAX_ID_CHARS, MAX_TYPE_CHARS, InboundMessage, Parsed
from worker.messages.text import join_surrogates
from worker.messages.webhook import WEBHOOK_OBJECT, parse_webhook

MAX_PAYLOAD_BYTES = 65_536
"""Size of a plain message."""
MAX_WEBHOOK_BYTES = 3_145_728
"""Size of a webhook body, as Meta allows: up to 1,000 updates in one."""
MAX_DEPTH = 32
"""Objects and lists within each other; Meta's deepest bodies have about a third of that."""

# What PostgreSQL refuses is mended in the JSON text itself, so that no string of the body needs a second look. An
# escaped backslash and a whole surrogate pair match first and stay as they are.
_ESCAPE = re.compile(
    rb"\\(?:\\|u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(u0000|u[dD][89a-fA-F][0-9a-fA-F]{2}))"
)


def parse_payload(payload: bytes | str, now_s: float) -> Parsed:
    """The messages and the rejections of one payload: a webhook body or one plain message. Never raises.

    now_s: seconds since the epoch, to tell a timestamp that cannot be true. A rejection is a reason in English for
    the gateway's developer, with the path where it applies; it quotes neither a phone number nor a message.
    """
    raw = payload if isinstance(payload, bytes) else join_surrogates(payload).encode()
    try:
        _require_size(len(raw), MAX_WEBHOOK_BYTES)
        return _parse_body(_decode(raw), len(raw), now_s)
    except BadPayload as bad:
        return Parsed(rejections=(bad.reason,))


def _parse_body(body: object, size: int, now_s: float) -> Parsed:
    if not isinstance(body, dict):
        raise BadPayload("the payload is JSON, but not an object")
    if body.get("object") == WEBHOOK_OBJECT:
        return parse_webhook(body, now_s)
    _require_size(size, MAX_PAYLOAD_BYTES)
    if "message_id" in body or "from" in body:
        return Parsed(messages=(_read_plain(body, now_s),))
    raise BadPayload(
        f"the payload is neither a webhook body ('object' is '{WEBHOOK_OBJECT}') "
        "nor a plain message ('message_id' and 'from')"
    )


def _read_plain(body: JsonObject, now_s: float) -> InboundMessage:
    message_id = required_string(body, "message_id", MAX_ID_CHARS)
    kind = "text" if body.get("type") is None else required_string(body, "type", MAX_TYPE_CHARS)
    text = optional_string(body, "text")
    if kind == "text" and text is None:
        raise BadPayload("'text' is missing")
    channel, sent_s = number_id(body.get("channel")), sent_at_s(body.get("timestamp"), now_s)
    if kind == ECHO:
        to = customer_id(body.get("to"), "to")
        return echo(message_id, to, readable(text) or "[?]", channel, sent_s, user_links(to, body.get("user_id")))
    customer = customer_id(body.get("from"))
    plain = InboundMessage(
        message_id=message_id,
        customer_phone=customer,
        name=display_name(body.get("name")),
        sent_at_s=sent_s,
        type=kind,
        text=readable(text),
        selection_id=None,
        reply_due=is_reply_due(kind, body),
        channel=channel,
        quoted=short_id(body.get("quoted"), MAX_ID_CHARS),
        links=user_links(customer, body.get("user_id")),
    )
    return with_act(plain, body.get("target"), plain.text, alone=not in_group(body))


def _require_size(size: int, most: int) -> None:
    if size > most:
        raise BadPayload(f"the payload has {size} bytes, more than {most}")


def _decode(raw: bytes) -> Any:
    try:
        body = orjson.loads(_ESCAPE.sub(lambda escape: rb"\ufffd" if escape[1] else escape[0], raw))
    except orjson.JSONDecodeError as exc:
        raise BadPayload(_why_not_json(raw, exc)) from None
    # Counting brackets is fast and never too low, so an ordinary body is not walked at all.
    if raw.count(b"{") + raw.count(b"[") > MAX_DEPTH and _is_too_deep(body):
        raise BadPayload(f"the payload is nested deeper than {MAX_DEPTH} levels")
    return body


def _why_not_json(raw: bytes, error: orjson.JSONDecodeError) -> str:
    try:
        raw.decode()
    except UnicodeDecodeError as exc:
        return f"the payload is not UTF-8 (byte {exc.start})"
    return f"the payload is not JSON: {error.msg} (character {error.pos})"


def _is_too_deep(body: Any) -> bool:
    level = [body]
    for _ in range(MAX_DEPTH):
        nodes = [node for node in level if isinstance(node, dict | list)]
        level = [child for node in nodes for child in (node.values() if isinstance(node, dict) else node)]
    return any(isinstance(node, dict | list) for node in level)
