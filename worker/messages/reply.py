"""Reply to a customer: the outbound contract, and WhatsApp's limits. Pure: no I/O."""

from collections.abc import Collection
from datetime import UTC, datetime

from msgspec import Struct
from msgspec.structs import replace

from worker.messages.text import MAX_BUTTON_ID_CHARS, MAX_TEXT_CHARS, clip, mend

REPLY_WINDOW_S = 86_400
"""24 hours after a customer's last message WhatsApp refuses free text."""

# WhatsApp's limits for reply buttons.
MAX_QUICK_REPLIES = 3
MAX_TITLE_CHARS = 20
# WhatsApp's limits for a text above buttons or a list, and for the rows of a list.
MAX_INTERACTIVE_CHARS = 1_024
MAX_ROWS = 10
MAX_ROW_TITLE_CHARS = 24
MAX_ROW_DESCRIPTION_CHARS = 72
MAX_ROW_ID_CHARS = 200


class QuickReply(Struct, frozen=True):
    """Button under a reply: `id` comes back when the customer taps it, `title` stands on it."""

    id: str
    title: str


class Row(Struct, frozen=True):
    """Row of a list: `id` comes back when the customer taps it."""

    id: str
    title: str
    description: str = ""


class Choices(Struct, frozen=True):
    """List to tap: `button` opens it."""

    button: str
    rows: tuple[Row, ...]


class Reply(Struct, frozen=True, rename={"choices": "list"}):
    """Reply as the gateway gets it; its fields are the outbound contract.

    Args:
        reply_id: the same however often the reply is published.
        to: the customer's id that the last message came from, as long as it is theirs.
        in_reply_to: WhatsApp's ids of the messages it answers.
        confidence: 0 to 1.
        choices: a list to tap, and then no quick replies.
        channel: id of the business number that it leaves from, None where the inbound named none.
        source: ai, cache, fallback, canned or shop.
        provider: maker of the text, None where no provider was.
        created_at, expires_at: in UTC and whole seconds, see `within_limits`.
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
    choices: Choices | None = None
    channel: str | None = None


def within_limits(reply: Reply) -> Reply:
    """`reply` as WhatsApp and the contract accept it: text and buttons clipped, at most 3 buttons, nothing that JSON
    cannot hold, times like `2026-11-22T09:00:00Z`.

    A button with a blank id or title, or with the id or title of an earlier one, is left out: WhatsApp would refuse
    the whole message for it.
    """
    choices = _usable_choices(reply.choices)
    buttons = () if choices else _usable(reply.quick_replies)
    return replace(
        reply,
        text=clip(mend(reply.text), MAX_INTERACTIVE_CHARS if choices or buttons else MAX_TEXT_CHARS),
        quick_replies=buttons,
        choices=choices,
        created_at=_whole_seconds(reply.created_at),
        expires_at=_whole_seconds(reply.expires_at),
    )


def expires_at(sent_at_s: int) -> datetime:
    """End of WhatsApp's window for a customer who last wrote at `sent_at_s` (seconds since the epoch)."""
    return datetime.fromtimestamp(sent_at_s + REPLY_WINDOW_S, UTC)


def _usable(buttons: tuple[QuickReply, ...]) -> tuple[QuickReply, ...]:
    kept: list[QuickReply] = []
    for given in buttons:
        title = clip(mend(given.title).strip(), MAX_TITLE_CHARS)
        button = QuickReply(mend(given.id).strip()[:MAX_BUTTON_ID_CHARS], title)
        is_repeated = any(button.id == other.id or button.title == other.title for other in kept)
        if button.id and button.title and not is_repeated:
            kept.append(button)
        if len(kept) == MAX_QUICK_REPLIES:
            break
    return tuple(kept)


def _usable_choices(choices: Choices | None) -> Choices | None:
    """The list with at most ten rows, each with a title and an id of its own; None where no row is left."""
    kept: dict[str, Row] = {}
    titles: set[str] = set()
    for row in choices.rows if choices else ():
        row_id = mend(row.id).strip()[:MAX_ROW_ID_CHARS]
        title = _untaken(mend(row.title).strip(), titles)
        if row_id and title and row_id not in kept and len(kept) < MAX_ROWS:
            kept[row_id] = Row(row_id, title, clip(mend(row.description).strip(), MAX_ROW_DESCRIPTION_CHARS))
            titles.add(title)
    opener = clip(mend(choices.button).strip(), MAX_TITLE_CHARS) if choices else ""
    return Choices(opener, tuple(kept.values())) if opener and kept else None


def _untaken(title: str, taken: Collection[str]) -> str:
    """The title of a row, clipped; with a number behind it where another row has it already."""
    clipped = clip(title, MAX_ROW_TITLE_CHARS)
    for number in range(2, MAX_ROWS + 1):
        if clipped not in taken:
            break
        mark = f" ({number})"
        clipped = clip(title, MAX_ROW_TITLE_CHARS - len(mark)) + mark
    return clipped


def _whole_seconds(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(microsecond=0)
