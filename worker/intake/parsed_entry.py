"""Entry of the inbound stream as intake takes it: its messages, and the reasons why parts of it are refused."""

from collections.abc import Sequence
from dataclasses import dataclass

from worker.intake.lateness import in_time
from worker.messages.inbound import MAX_PAYLOAD_BYTES, parse_payload
from worker.messages.message import DeliveryStatus, InboundMessage
from worker.redisdb.streams import Entry

#: Reasons per payload, of which each is kept with the whole payload: 64 KiB can hold tens of thousands of bad messages.
MAX_REJECTIONS = 100
MAX_REJECTED_BYTES = MAX_REJECTIONS * MAX_PAYLOAD_BYTES


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
