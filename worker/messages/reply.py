"""The reply a customer gets: the outbound contract, and WhatsApp's limits."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import orjson
from msgspec import Struct
from msgspec.structs import replace

from worker.messages.text import MAX_BUTTON_ID_CHARS, MAX_TEXT_CHARS, clip, mend

REPLY_WINDOW_S = 86_400
"""24 hours after a customer's last message WhatsApp refuses free text."""

# WhatsApp's limits for reply buttons.
MAX_QUICK_REPLIES = 3
MAX_TITLE_CHARS = 20


class QuickReply(Struct, frozen=True):
    """A button under a reply. `id` comes back when the customer taps it, `title` is what stands on it."""

    id: str
    title: str


class Reply(Struct, frozen=True):
    """One reply as the gateway gets it. `reply_id` stays the same however often it is published.

    to: the customer (`customer_phone`). in_reply_to: WhatsApp's ids of the messages it answers. confidence: 0 to 1.
    source: ai, cache, fallback or canned. provider: who made the text, None where no provider did. Both times are
    aware datetimes.
    """

    reply_id: str
    to: str
    in_reply_to: tuple[str, ...]
    text: str
    quick_replies: tuple[QuickReply, ...]
    intent: str
    confidence: float
    requires_human: bool
    session_state: str
    source: str
    provider: str | None
    created_at: datetime
    expires_at: datetime

    def to_dict(self) -> dict[str, Any]:
        """The outbound contract as a JSON object; times in UTC and whole seconds (`2026-11-22T09:00:00Z`)."""
        return {
            "reply_id": self.reply_id,
            "to": self.to,
            "in_reply_to": list(self.in_reply_to),
            "text": self.text,
            "quick_replies": [{"id": button.id, "title": button.title} for button in self.quick_replies],
            "intent": self.intent,
            "confidence": self.confidence,
            "requires_human": self.requires_human,
            "session_state": self.session_state,
            "source": self.source,
            "provider": self.provider,
            "created_at": _utc(self.created_at),
            "expires_at": _utc(self.expires_at),
        }

    def to_json(self) -> str:
        """The same as one JSON text, as it stands in the outbound stream."""
        return orjson.dumps(self.to_dict()).decode()


def within_limits(reply: Reply) -> Reply:
    """`reply` as WhatsApp accepts it: text and buttons clipped, at most 3 buttons, nothing JSON cannot hold.

    A button with a blank id or title, or with the id or title of an earlier one, is left out: WhatsApp would refuse
    the whole message for it.
    """
    return replace(reply, text=clip(mend(reply.text), MAX_TEXT_CHARS), quick_replies=_usable(reply.quick_replies))


def expires_at(sent_at_s: int) -> datetime:
    """When WhatsApp's window closes for a customer who last wrote at `sent_at_s` (seconds since the epoch)."""
    return datetime.fromtimestamp(sent_at_s + REPLY_WINDOW_S, UTC)


def _usable(buttons: tuple[QuickReply, ...]) -> tuple[QuickReply, ...]:
    kept: list[QuickReply] = []
    for button in map(_clipped, buttons):
        is_repeated = any(button.id == other.id or button.title == other.title for other in kept)
        if button.id and button.title and not is_repeated:
            kept.append(button)
        if len(kept) == MAX_QUICK_REPLIES:
            break
    return tuple(kept)


def _clipped(button: QuickReply) -> QuickReply:
    return QuickReply(
        id=mend(button.id).strip()[:MAX_BUTTON_ID_CHARS],
        title=clip(mend(button.title).strip(), MAX_TITLE_CHARS),
    )


def _utc(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
