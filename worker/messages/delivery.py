"""Delivery statuses of our replies, as WhatsApp reports them: sent, delivered, read, or failed with a code."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

from worker.messages.fields import JsonObject, at, items, sent_at_s
from worker.messages.message import MAX_ID_CHARS, DeliveryStatus

STATES = ("sent", "delivered", "read", "failed")
#: What is known of a code of a failure, in words.
FAILURES: dict[int, str] = {
    int(code): words
    for code, words in tomllib.loads(Path(__file__).with_name("delivery_failures.toml").read_text("utf-8")).items()
}
#: Label of the failures whose code is not known here.
OTHER = "other"
MAX_CODE = 2**31 - 1
_REPLY_ID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


def read_statuses(value: JsonObject, now_s: float) -> Iterator[DeliveryStatus]:
    """Yields the statuses of a webhook's `value` that name a reply of ours; all others are nobody's concern here.

    A malformed one is passed over: it is no message, and nobody waits for an answer to it.
    """
    for status in items(value.get("statuses")):
        if found := _read_status(status, now_s):
            yield found


def _read_status(status: object, now_s: float) -> DeliveryStatus | None:
    reply_id, state, wamid = (at(status, name) for name in ("biz_opaque_callback_data", "status", "id"))
    if not isinstance(reply_id, str) or not _REPLY_ID.fullmatch(reply_id) or state not in STATES:
        return None
    return DeliveryStatus(
        reply_id=reply_id.lower(),
        state=state,
        wamid=wamid if isinstance(wamid, str) and 0 < len(wamid) <= MAX_ID_CHARS else None,
        at_s=sent_at_s(at(status, "timestamp"), now_s),
        code=_code(at(status, "errors", 0, "code")) if state == "failed" else None,
    )


def _code(code: object) -> int:
    """The code of an error, 0 where none is named."""
    if isinstance(code, str) and code.isascii() and code.isdigit() and len(code) < 10:
        code = int(code)
    return code if isinstance(code, int) and not isinstance(code, bool) and 0 <= code <= MAX_CODE else 0


def label(code: int) -> str:
    """The value of a metric's label for a code: one of few."""
    return str(code) if code in FAILURES else OTHER
