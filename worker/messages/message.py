"""The values that come out of an inbound payload."""

from __future__ import annotations

from dataclasses import dataclass

MAX_ID_CHARS = 512
MAX_TYPE_CHARS = 64

NO_REPLY_TYPES = frozenset(
    {"reaction", "edit", "revoke", "delete", "deleted", "pin", "keep_in_chat", "system", "request_welcome"}
)
"""Types that tell about an earlier message, the account or the chat, so that an answer would puzzle the customer.

`edit` and `revoke` are Meta's names since 2026; other gateways say `delete`. `system` is a changed number or user id,
`request_welcome` a chat that was opened with nothing said yet. Not here: `unsupported` and `ephemeral`, behind which
stands something the customer did send.
"""


@dataclass(frozen=True, slots=True)
class InboundMessage:
    """One message of one customer, whatever body it came in.

    message_id: WhatsApp's, at most 512 characters. customer_phone: digits, or a business-scoped user id. sent_at_s:
    seconds since the epoch, None where the body does not say it believably. type: as sent. text: what can be read as
    text, None if nothing can, never blank, at most 4,096 characters. selection_id: the id of a tapped button or list
    row. reply_due: False for what gets no answer. No string holds a NUL or a lone surrogate.
    """

    message_id: str
    customer_phone: str
    name: str | None
    sent_at_s: int | None
    type: str
    text: str | None
    selection_id: str | None
    reply_due: bool

    def to_dict(self) -> dict[str, str | int | bool | None]:
        """The same fields as a JSON object, as `accept_messages(jsonb)` takes them."""
        return {
            "message_id": self.message_id,
            "customer_phone": self.customer_phone,
            "name": self.name,
            "sent_at_s": self.sent_at_s,
            "type": self.type,
            "text": self.text,
            "selection_id": self.selection_id,
            "reply_due": self.reply_due,
        }


@dataclass(frozen=True, slots=True)
class Parsed:
    """All that one payload holds: its good messages in their order, and one reason for each part that is not usable."""

    messages: tuple[InboundMessage, ...] = ()
    rejections: tuple[str, ...] = ()
