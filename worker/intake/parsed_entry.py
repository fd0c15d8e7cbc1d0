"""Entry of the inbound stream as intake takes it: its messages, those that come too late, and the reasons why parts of
it are refused.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from msgspec.structs import replace

from worker.messages.inbound import MAX_PAYLOAD_BYTES, parse_payload
from worker.messages.message import REVOKE, TOO_LATE, DeliveryStatus, InboundMessage
from worker.redisdb.streams import Entry

#: Reasons per payload, of which each is kept with the whole payload: 64 KiB can hold tens of thousands of bad messages.
MAX_REJECTIONS = 100
MAX_REJECTED_BYTES = MAX_REJECTIONS * MAX_PAYLOAD_BYTES
#: Age beyond which it is the clock that is wrong: WhatsApp delivers again for up to 7 days. A wrong clock is no reason
#: to leave a customer without an answer.
MOST_LATE_S = 30 * 86_400.0


@dataclass(slots=True)
class ParsedEntry:
    """Entry of the stream: its messages in order, the reasons why parts of it are refused, and statuses of replies."""

    entry: Entry
    messages: Sequence[InboundMessage]
    rejections: list[str]
    statuses: Sequence[DeliveryStatus] = ()


def parse(entry: Entry, now_s: float, late_after_s: float) -> ParsedEntry:
    """Parses an entry, with a reason for everything that is no message: at most 100, fewer of a body of megabytes, and
    one that counts the others.

    Args:
        now_s: since 1970.
        late_after_s: age of a message from which on it is not answered.
    """
    if entry.payload is None:
        return ParsedEntry(entry, (), ["payload: the entry has no field 'payload'"])
    parsed = parse_payload(entry.payload, now_s)
    most = max(1, min(MAX_REJECTIONS, MAX_REJECTED_BYTES // max(len(entry.payload), 1)))
    reasons, more = list(parsed.rejections[:most]), len(parsed.rejections) - most
    if more > 0:
        reasons.append(f"payload: {more} more messages cannot be read")
    messages = [in_time(message, now_s, late_after_s) for message in parsed.messages]
    return ParsedEntry(entry, messages, reasons, parsed.statuses)


def in_time(message: InboundMessage, now_s: float, late_after_s: float) -> InboundMessage:
    """The message; one that is too late needs no reply and changes nothing. What was revoked is revoked whenever.

    A time that cannot be true counts as now: a reply that seemed to have expired would be dropped, and one that seemed
    to be due for longer than WhatsApp takes it, refused.

    Args:
        now_s: since 1970.
        late_after_s: the shop's bound, at most the 24 hours after which WhatsApp refuses a reply.
    """
    age_s = now_s - message.sent_at_s if message.sent_at_s is not None else 0.0
    if not 0 <= age_s < MOST_LATE_S:
        return replace(message, sent_at_s=None)
    if age_s <= late_after_s or message.act == REVOKE:
        return message
    return replace(message, reply_due=False, act=None, reason=TOO_LATE if message.reply_due else None)
