"""A model's Markdown as WhatsApp's own formatting: `**bold**` as `*bold*`, a heading as a bold line, a table as lines.

WhatsApp shows `*bold*`, `_italics_`, `~struck~`, lists and quotes as such, and all else as it is written. A text
without Markdown comes out as it went in, but for spaces at the ends of lines. Pure: no I/O.
"""

import html
import re
from collections.abc import Collection
from functools import partial

from worker.language.patterns import patterns_of
from worker.messages.links import is_own, without_foreign_links

_P = patterns_of(__file__)
#: Pairs of marks with WhatsApp's own; inside a pair stands no other of its kind.
_PAIRS = ((_P["bold_italics"], "*"), (_P["bold"], "*"), (_P["underlined"], "*"), (_P["struck"], "~"))


def whatsapp_text(text: str, own_links: Collection[str] = ()) -> str:
    """The text as WhatsApp shows it: without Markdown, images, and links that are none of the shop's.

    Args:
        own_links: the shop's, as `links_in` gives them.
    """
    lines = without_foreign_links(_formatted(text, own_links) if _P["sign"].search(text) else text, own_links)
    lines = "\n".join(line.rstrip() for line in lines.split("\n"))
    return _P["blank_lines"].sub("\n\n", lines).strip()


def _formatted(text: str, own_links: Collection[str]) -> str:
    lines = _P["line_break"].sub("\n", text)
    if "<" in lines or "&" in lines:
        lines = _without_html(lines)
    lines = _linked(_P["fence"].sub("", lines), own_links)
    return _emphasised(_P["heading"].sub(_bold_line, _P["rule"].sub("", _rows(lines))))


def plain_title(text: str) -> str:
    """The title of a button or row, which WhatsApp shows without any formatting: marks and line breaks are left out."""
    return " ".join(_unmarked(whatsapp_text(text)).split())


def _without_html(text: str) -> str:
    text = _P["struck_tag"].sub("~~", _P["bold_tag"].sub("**", _P["code_of_page"].sub("", text)))
    text = _P["heading_tag"].sub("\n# ", _P["block_end"].sub("\n", _P["cell_tags"].sub(" · ", text)))
    text = _P["tag"].sub("", _P["item_tag"].sub("\n- ", text))
    return _P["entity"].sub(lambda found: html.unescape(found[0]).replace("\xa0", " "), text)


def _linked(text: str, own: Collection[str]) -> str:
    """Links by their words; the shop's own with the address behind it."""

    def told(found: re.Match[str]) -> str:
        words, address = found[1].strip(), found[2]
        if not is_own(address, own) or is_own(words, [address]):
            return words
        return address if words.lower() in address.lower() else f"{words}: {address}"

    text = _P["autolink"].sub(r"\1", _P["definition"].sub("", _P["image"].sub("", _P["footnote"].sub("", text))))
    return _P["cut_link"].sub(r"\1", _P["reference"].sub(r"\1", _P["link"].sub(told, text)))


def _rows(text: str) -> str:
    """Tables as lines, with a point between two cells; the rule below a head is left out."""
    if "|" not in text:
        return text
    lines = text.split("\n")
    rules = [bool(_P["table_rule"].match(line)) for line in lines]
    kept: list[str] = []
    in_table = False
    for line, is_rule, is_head in zip(lines, rules, [*rules[1:], False], strict=True):
        in_table = is_rule or is_head or _is_row(line) or (in_table and "|" in line)
        if not is_rule:
            kept.append(_cells(line) if in_table else line)
    return "\n".join(kept)


def _is_row(line: str) -> bool:
    bare = line.strip()
    return len(bare) > 2 and bare.startswith("|") and bare.endswith("|")


def _cells(line: str) -> str:
    return " · ".join(cell for part in _P["cell_end"].split(line) if (cell := part.strip()))


def _bold_line(found: re.Match[str]) -> str:
    title = _unmarked(_emphasised(found[1].rstrip().rstrip("#"))).strip()
    return f"*{title}*" if title else ""


def _unmarked(text: str) -> str:
    return _P["marks"].sub(r"\2", text)


def _emphasised(text: str) -> str:
    """Markdown's emphasis and code as WhatsApp's, where it would be shown as such, else as plain words."""
    text = _P["code"].sub(r"\2", _P["bullet"].sub(r"\1- ", text))
    for pattern, mark in _PAIRS:
        text = pattern.sub(partial(_marked, mark), text)
    return _P["escaped"].sub(r"\1", _P["loose"].sub("", text))


def _marked(mark: str, found: re.Match[str]) -> str:
    """Words between two marks; bare where a letter stands beside a mark, which WhatsApp would then show as it is."""
    words = _unmarked(found[1]).replace("*", "").strip()
    beside = found.string[: found.start()][-1:] + found.string[found.end() : found.end() + 1]
    return f"{mark}{words}{mark}" if words and not any(sign.isalnum() for sign in beside) else words
