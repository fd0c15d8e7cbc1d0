"""Text at the edge: mends what JSON, PostgreSQL or UTF-8 refuse, and cuts what is too long."""

import re
from unicodedata import combining

from grapheme import safe_split_index

MAX_TEXT_CHARS = 4096
"""WhatsApp's limit for the body of a text message, both ways."""
MAX_BUTTON_ID_CHARS = 256
"""WhatsApp's limit for the id of a reply button; the ids of list rows are shorter."""

MAX_MARKS = 30
"""Combining marks on one letter, as in Unicode's Stream-Safe Text Format (UAX #15, section 13): more than any language
needs. To bring a run of marks into its canonical order takes time with the square of its length."""

REPLACEMENT = "\ufffd"
ELLIPSIS = "…"
# A point ends a sentence behind a word or a price, and not behind "1." or what is usually cut short; a line ends one
# unless it announces the next. An emoji behind the point belongs to the sentence. Nothing here goes back: what a run of
# signs has taken it keeps.
_SENTENCE_END = re.compile(
    r"""
    (?: (?: (?<=[^\W\d_]{3}) (?<!\b(?:sra|dra|nro|núm|tel|etc|máx|mín)) (?<!\b(?:avda|dpto)) (?<!\baprox)
          | (?<=[\d.,]\d\d) )
        \. (?![.!?…])
      | (?<![.!?…]) (?: [!?…] | \.(?=\.) ) [.!?…]*+
    )
    ["'»”)\]*_~]*+ (?=\s) (?:[ ] [^\w\s¿¡"'«“(\[•*_~–-]++ (?=\s) )?+
    | (?<=[^\s:,;]) (?=[^\S\n]*+\n)
    """,
    re.IGNORECASE | re.VERBOSE,
)


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


def stream_safe(text: str) -> str:
    """`text` with at most 30 combining marks in a row; what stands behind them is left out."""
    if text.isascii() or not any(map(combining, text)):
        return text
    kept, marks = [], 0
    for sign in text:
        marks = marks + 1 if combining(sign) else 0
        if marks <= MAX_MARKS:
            kept.append(sign)
    return "".join(kept)


def clip(text: str, max_chars: int) -> str:
    """`text` in at most `max_chars` (2 or more) characters: cut between two words where possible, with an ellipsis, and
    never inside a grapheme (a flag, a family, a letter with its accent), unless that alone is longer.

    Characters are code points, here as in all limits: Meta's reference says "characters" and nothing of their kind, and
    other senders count code points too (nyaruka/courier, August 2026).
    """
    if len(text) <= max_chars:
        return text
    room = max_chars - len(ELLIPSIS)
    head = text[: safe_split_index(text, room) or room]
    seam = text[len(head) - 1 : len(head) + 1]
    whole_words = head if any(map(str.isspace, seam)) else head.removesuffix(head.split()[-1])
    # A word that fills more than half of the room is cut inside: half a title says more than its first article.
    kept = whole_words if len(whole_words) >= max_chars // 2 else head
    return kept.rstrip() + ELLIPSIS


def clip_at_sentence(text: str, max_chars: int) -> str:
    """`text` in at most `max_chars` (2 or more) characters (code points, see `clip`), up to the end of the last
    sentence or line that fits. Where that would drop more than half of what fits, `clip` cuts it.
    """
    if len(text) <= max_chars:
        return text
    ends = [found.end() for found in _SENTENCE_END.finditer(text, 0, max_chars + 1) if found.end() <= max_chars]
    kept = text[: ends[-1]].rstrip() if ends else ""
    return kept if len(kept) >= max_chars // 2 else clip(text, max_chars)
