"""Late messages: too old to be answered, because WhatsApp was not reached for days, or the shop was not."""

from msgspec.structs import replace

from worker.messages.message import REVOKE, TOO_LATE, InboundMessage

#: Age beyond which it is the clock that is wrong: WhatsApp delivers again for up to 7 days. A wrong clock is no reason
#: to leave a customer without an answer.
MOST_LATE_S = 30 * 86_400.0


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
