"""What is done to every text at the edge: mend what JSON, PostgreSQL or UTF-8 refuse, and cut what is too long."""

from __future__ import annotations

MAX_TEXT_CHARS = 4096
"""WhatsApp's limit for the body of a text message, both ways."""
MAX_BUTTON_ID_CHARS = 256
"""WhatsApp's limit for the id of a reply button; the ids of list rows are shorter."""

REPLACEMENT = "\ufffd"
ELLIPSIS = "…"


def join_surrogates(text: str) -> str:
    """`text` with surrogate pairs joined to the character they mean and lone surrogates as U+FFFD."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


def mend(text: str) -> str:
    """`text` without what PostgreSQL's jsonb refuses: NUL (22P05) and lone surrogates (22P02) become U+FFFD."""
    return join_surrogates(text).replace("\x00", REPLACEMENT)


def clip(text: str, max_chars: int) -> str:
    """`text` in at most `max_chars` (2 or more) characters: cut between two words where possible, with an ellipsis."""
    if len(text) <= max_chars:
        return text
    head = text[: max_chars - len(ELLIPSIS)]
    seam = text[len(head) - 1 : len(head) + 1]
    whole_words = head if any(map(str.isspace, seam)) else head.removesuffix(head.split()[-1])
    # A word that fills more than half of the room is cut inside: half a title says more than its first article.
    kept = whole_words if len(whole_words) >= max_chars // 2 else head
    return kept.rstrip() + ELLIPSIS


def clip_at_sentence(text: str, max_chars: int) -> str:
    """`text` in at most `max_chars` characters, cut at the end of a sentence or a line where one ends in its second
    half, else between two words.
    """
    if len(text) <= max_chars:
        return text
    head = text[:max_chars]
    end = max(head.rfind(sign) for sign in (". ", "! ", "? ", "\n", "… "))
    return head[: end + 1].rstrip() if end >= max_chars // 2 else clip(text, max_chars)
