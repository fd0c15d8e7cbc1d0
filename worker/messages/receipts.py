"""Receipts in a webhook's statuses: WhatsApp's ids of our replies, by which a quote of one is understood."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import UUID

from worker.messages.fields import JsonObject
from worker.messages.message import MAX_ID_CHARS, Receipt


def read_receipts(value: JsonObject) -> Iterator[Receipt]:
    """Yields a receipt for each status that carries the id of a reply (`biz_opaque_callback_data`)."""
    statuses = value.get("statuses")
    for status in statuses if isinstance(statuses, list) else ():
        if isinstance(status, dict) and (receipt := _receipt(status.get("biz_opaque_callback_data"), status.get("id"))):
            yield receipt


def _receipt(reply_id: Any, message_id: Any) -> Receipt | None:
    if not isinstance(message_id, str) or not 0 < len(message_id) <= MAX_ID_CHARS or not isinstance(reply_id, str):
        return None
    try:
        return Receipt(str(UUID(reply_id)), message_id)
    except ValueError:
        return None
