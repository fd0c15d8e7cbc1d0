"""What the tests of `worker.messages` send, and how they look at what comes out."""

from __future__ import annotations

import json
from typing import Any

from worker.messages.inbound import parse_payload
from worker.messages.message import InboundMessage, Parsed

NOW_S = 1_763_800_000.0
ACCOUNT = "whatsapp_business_account"
ITEM = {"product_retailer_id": "LECHE", "quantity": 1}


def parse(body: object) -> Parsed:
    """The outcome of a body given as Python values."""
    return parse_payload(json.dumps(body), NOW_S)


def plain(**changes: Any) -> dict[str, Any]:
    """A plain message, with fields changed or (`...`) left out."""
    message = {"message_id": "wamid.A", "from": "5491122334455", "type": "text", "text": "hola"} | changes
    return {key: value for key, value in message.items() if value is not ...}


def whatsapp(**changes: Any) -> dict[str, Any]:
    """A message inside a webhook body, with fields changed or (`...`) left out."""
    message = {"id": "wamid.A", "from": "5491122334455", "type": "text", "text": {"body": "hola"}} | changes
    return {key: value for key, value in message.items() if value is not ...}


def webhook(*messages: object, contacts: object = ..., field: object = "messages") -> dict[str, Any]:
    """A webhook body of one entry and one change."""
    value = {"messaging_product": "whatsapp", "contacts": contacts, "messages": list(messages)}
    value = {key: item for key, item in value.items() if item is not ...}
    return {
        "object": "whatsapp_business_account",
        "entry": [{"id": "1", "changes": [{"field": field, "value": value}]}],
    }


def only(parsed: Parsed) -> InboundMessage:
    """The one message of a payload that leaves no rejection."""
    assert parsed.rejections == ()
    (message,) = parsed.messages
    return message


def reason(parsed: Parsed) -> str:
    """The one rejection of a payload that gives no message."""
    assert parsed.messages == ()
    (rejection,) = parsed.rejections
    return rejection
