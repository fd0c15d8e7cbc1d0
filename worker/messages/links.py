"""Links and e-mail addresses in a text, as WhatsApp makes them to tap, and taking out those that are not the shop's."""

from collections.abc import Collection

from worker.language.patterns import patterns_of

_P = patterns_of(__file__)
_TRAILING = ".,;:!?)…»”"


def links_in(facts: str) -> frozenset[str]:
    """The links and e-mail addresses of a shop's facts, each without its scheme; and all that may be meant for one."""
    return frozenset(_bare(found[0]) for pattern in (_P["link"], _P["name"]) for found in pattern.finditer(facts))


def is_own(link: str, own: Collection[str]) -> bool:
    """Returns whether a link is one of the shop's (as `links_in` gives them), a page below it, or its site."""
    bare = _bare(link)
    return any(bare == one or _below(bare, one) or _below(one, bare) for one in own)


def without_foreign_links(text: str, own: Collection[str]) -> str:
    """The text without links and e-mail addresses that are none of the shop's, nor the colon that led to one."""
    if not (_P["sign"].search(text) and _P["link"].search(text)):
        return text
    return "\n".join(_line(line, own) for line in text.split("\n"))


def _line(line: str, own: Collection[str]) -> str:
    kept, end = "", 0
    for found in _P["link"].finditer(line):
        link = found[0].rstrip(_TRAILING)
        kept += line[end : found.start()]
        if is_own(link, own):
            kept, end = kept + link, found.start() + len(link)
            continue
        end = found.start() + len(link)
        opened = kept.endswith(("(", "<", "«", "“")) and line[end : end + 1] in (")", ">", "»", "”")
        kept, end = (kept[:-1].rstrip(), end + 1) if opened else (kept, end)
        if not line[end:].strip(_TRAILING + " "):
            kept = _P["lead_in"].sub("", kept)
        kept = kept.rstrip() if line[end : end + 1] in ("", *_TRAILING) else kept
        end += line[end : end + 1] == " " and (not kept or kept.endswith(" "))
    return kept + line[end:] if end else line


def _bare(link: str) -> str:
    return _P["scheme"].sub("", link.rstrip(_TRAILING)).rstrip("/").lower()


def _below(link: str, other: str) -> bool:
    return "@" not in link and "@" not in other and link.startswith((f"{other}/", f"{other}?", f"{other}#"))
