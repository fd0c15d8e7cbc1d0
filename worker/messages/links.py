"""Links and e-mail addresses in a text, as WhatsApp makes them to tap, and taking out those that are not the shop's."""

import re
from collections.abc import Collection

_END = r"[^\s<>\"'`\\|*\[\]{}]"
#: Ends of names that WhatsApp makes a link of though nothing stands before or behind them, and that are no Spanish
#: words: "la leche.es" only lacks a space.
_BARE = r"(?:com|net|org|info|shop|store|site|online|app|xyz|link)(?:\.[a-z]{2})?"
#: Short ends of names that are read as links where a path follows, as in "wa.me/5491122334455".
_WITH_PATH = r"(?:me|ly|gl|co|io|tv|to|gg|cc|ar|mx|cl|pe|uy|py|bo|ec|br|es|ve|cr|gt|do)"
LINK = re.compile(
    rf"\b(?:[a-z][a-z0-9+.-]{{1,20}}://{_END}+|(?:mailto|tel|sms):[\w+]{_END}+|www\.{_END}+"
    rf"|[\w.+-]{{1,64}}@(?:[\w-]{{1,63}}\.){{1,5}}[a-z]{{2,24}}"
    rf"|(?<![\w.@-])(?:[a-z0-9][a-z0-9-]{{0,62}}\.){{1,5}}(?:{_BARE}(?![\w-])(?!\.\w)(?:[/?#:]{_END}*)?"
    rf"|{_WITH_PATH}/{_END}+))",
    re.IGNORECASE,
)
#: What stands in each of them.
_SIGN = re.compile(r":\S|@|\.[^\d\s]|w\.|W\.")
#: A name with a point in it, which a shop may write for its site.
_NAME = re.compile(rf"(?:[a-z0-9-]{{1,63}}\.){{1,5}}[a-z]{{2,24}}(?:/{_END}*)?", re.IGNORECASE)
_TRAILING = ".,;:!?)…»”"
#: What announces a link, where it is the last thing on its line; "Página: " is left without its colon.
_LEAD_IN = re.compile(r"[ \t]*(?:[:→👉🔗>(]|-(?=[ \t]*$))[ \t]*$")
_SCHEME = re.compile(r"^(?:[a-z][a-z0-9+.-]{1,20}://|mailto:|tel:|sms:)?(?:www\.)?", re.IGNORECASE)


def links_in(facts: str) -> frozenset[str]:
    """The links and e-mail addresses of a shop's facts, each without its scheme; and all that may be meant for one."""
    return frozenset(_bare(found[0]) for pattern in (LINK, _NAME) for found in pattern.finditer(facts))


def is_own(link: str, own: Collection[str]) -> bool:
    """Returns whether a link is one of the shop's (as `links_in` gives them), a page below it, or its site."""
    bare = _bare(link)
    return any(bare == one or _below(bare, one) or _below(one, bare) for one in own)


def without_foreign_links(text: str, own: Collection[str]) -> str:
    """The text without links and e-mail addresses that are none of the shop's, nor the colon that led to one."""
    if not (_SIGN.search(text) and LINK.search(text)):
        return text
    return "\n".join(_line(line, own) for line in text.split("\n"))


def _line(line: str, own: Collection[str]) -> str:
    kept, end = "", 0
    for found in LINK.finditer(line):
        link = found[0].rstrip(_TRAILING)
        kept += line[end : found.start()]
        if is_own(link, own):
            kept, end = kept + link, found.start() + len(link)
            continue
        end = found.start() + len(link)
        opened = kept.endswith(("(", "<", "«", "“")) and line[end : end + 1] in (")", ">", "»", "”")
        kept, end = (kept[:-1].rstrip(), end + 1) if opened else (kept, end)
        if not line[end:].strip(_TRAILING + " "):
            kept = _LEAD_IN.sub("", kept)
        kept = kept.rstrip() if line[end : end + 1] in ("", *_TRAILING) else kept
        end += line[end : end + 1] == " " and (not kept or kept.endswith(" "))
    return kept + line[end:] if end else line


def _bare(link: str) -> str:
    return _SCHEME.sub("", link.rstrip(_TRAILING)).rstrip("/").lower()


def _below(link: str, other: str) -> bool:
    return "@" not in link and "@" not in other and link.startswith((f"{other}/", f"{other}?", f"{other}#"))
