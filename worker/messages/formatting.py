"""A model's Markdown as WhatsApp's own formatting: `**bold**` as `*bold*`, a heading as a bold line, a table as lines.

WhatsApp shows `*bold*`, `_italics_`, `~struck~`, lists and quotes as such, and all else as it is written. A text
without Markdown comes out as it went in, but for spaces at the ends of lines. Pure: no I/O.
"""

import html
import re
from collections.abc import Collection
from functools import partial

from worker.messages.links import is_own, without_foreign_links

_FENCE = re.compile(r"^[^\S\n]*(?:```+|~~~+)[\w+-]*[^\S\n]*$\n?", re.MULTILINE)
_LINE_BREAK = re.compile(r"<br\s*/?>|\r\n?|(?<!\\)\\n", re.IGNORECASE)
_BOLD_TAG = re.compile(r"</?(?:b|strong)>", re.IGNORECASE)
_STRUCK_TAG = re.compile(r"</?(?:s|del|strike)>", re.IGNORECASE)
_CODE_OF_PAGE = re.compile(r"<(script|style)\b[^<>]{0,500}>[^<]*(?:</\1>)?", re.IGNORECASE)
_HEADING_TAG = re.compile(r"\s{0,4}<h[1-6](?:\s[^<>]{0,500})?>\s*", re.IGNORECASE)
_ITEM_TAG = re.compile(r"\s{0,4}(?:<[uo]l(?:\s[^<>]{0,500})?>\s{0,4})?<li(?:\s[^<>]{0,500})?>\s*", re.IGNORECASE)
_CELL_TAGS = re.compile(r"</t[dh]>\s{0,4}<t[dh](?:\s[^<>]{0,500})?>", re.IGNORECASE)
#: Tags behind which a line ends.
_BLOCK_END = re.compile(
    r"(?:</(?:p|div|ul|ol|li|h[1-6]|table|thead|tbody|tr|section|article|header|footer|blockquote|pre|title|dt|dd)>"
    r"\s{0,4})+",
    re.IGNORECASE,
)
_TAG = re.compile(
    r"</?(?:html|head|body|title|meta|link|main|section|article|header|footer|nav|figure|figcaption|blockquote|p|div|span"
    r"|ul|ol|li|dl|dt|dd|i|em|u|s|ins|q|cite|mark|kbd|var|tt|big|font|label|button|input|form|iframe|a|img|video|audio"
    r"|source|svg|path|h[1-6]|hr|table|caption|thead|tbody|tfoot|tr|td|th|center|code|pre|small|sub|sup|script|style)"
    r"(?:\s[^<>]{0,500})?/?>|<!--[^<>]{0,500}-->|<!doctype[^<>]{0,500}>",
    re.IGNORECASE,
)
_ENTITY = re.compile(r"&(?:amp|lt|gt|quot|nbsp|apos|#\d{1,6});")
_TARGET = r"\([^\S\n]*<?((?:[^()\s<>]|\([^()\s]*\)){0,2000})>?(?:[^\S\n]+[\"'(][^\n\"]{0,300}[\"')])?[^\S\n]*\)"
_IMAGE = re.compile(rf"!\[[^\[\]\n]{{0,300}}\](?:{_TARGET}|\[[^\[\]\n]{{0,100}}\])")
_LINK = re.compile(rf"\[([^\[\]\n]{{1,300}})\]{_TARGET}")
#: An address that was cut off at the end of the text.
_CUT_LINK = re.compile(r"!?\[([^\[\]\n]{1,300})\]\([^\s()]*$")
_REFERENCE = re.compile(r"\[([^\[\]\n]{1,300})\]\[[^\[\]\n]{0,100}\]")
_DEFINITION = re.compile(
    r"^[^\S\n]{0,3}\[[^\[\]\n]{1,100}\]:[^\S\n]*<?(?:[a-z]+://|www\.|mailto:|[/#]).*$\n?", re.MULTILINE
)
_FOOTNOTE = re.compile(r"[^\S\n]{0,3}\[\^[\w-]{1,30}\](?::[^\S\n]*)?")
_AUTOLINK = re.compile(r"<([^<>\s]{3,2000}(?:://|@)[^<>\s]{1,2000})>")
_HEADING = re.compile(r"^[^\S\n]{0,3}#{1,6}[^\S\n]+(.*)$", re.MULTILINE)
_RULE = re.compile(r"^[^\S\n]{0,3}(?:(?:-[^\S\n]*){3,}|(?:\*[^\S\n]*){3,}|(?:_[^\S\n]*){3,}|={3,})$\n?", re.MULTILINE)
_TABLE_RULE = re.compile(r"^[^\S\n]*\|?[^\S\n]*:?-+:?[^\S\n]*(?:\|[^\S\n]*:?-*:?[^\S\n]*)+$")
#: A list's sign that WhatsApp does not know, or one with a box to tick.
_BULLET = re.compile(
    r"^([^\S\n]*)(?:\*|[*+-](?=[^\S\n]+\[[ xX]\][^\S\n]))[^\S\n]+(?:\[[ xX]\][^\S\n]+)?(?=\S)", re.MULTILINE
)
_CODE = re.compile(r"(`{1,3})([^`\n]+)\1")
#: A pair of marks; inside it stands no other of its kind.
_PAIRS = (
    (re.compile(r"\*\*\*(?=[^\s*])([^*\n]{1,500}?)\*\*\*"), "*"),
    (re.compile(r"\*\*[^\S\n]*((?:[^*\n]|(?<!\*)\*(?!\*)){1,500}?)[^\S\n]*\*\*"), "*"),
    (re.compile(r"(?<!\w)__(?=[^\s_])([^\n]{1,500}?)__(?!\w)"), "*"),
    (re.compile(r"~~[^\S\n]*([^~\n]{1,500}?)[^\S\n]*~~"), "~"),
)
_LOOSE = re.compile(r" \*\*(?= )|\*{2,}|~{2,}|`{3,}|(?<!\w)_{2,}|_{2,}(?!\w)")
_ESCAPED = re.compile(r"\\([\\`*_{}\[\]()#+.!|~$<>-])")
_MARKS = re.compile(r"(?<!\w)([*_~])(?=\S)([^*_~\n]+?)(?<=\S)\1(?!\w)")
#: A text without any of these signs has no Markdown in it, and no HTML.
_SIGN = re.compile(r"[<&\[\]*_~`#|\\\r=-]")
_BLANK_LINES = re.compile(r"\n{3,}")
_CELL_END = re.compile(r"(?<!\\)\|")


def whatsapp_text(text: str, own_links: Collection[str] = ()) -> str:
    """The text as WhatsApp shows it: without Markdown, images, and links that are none of the shop's.

    Args:
        own_links: the shop's, as `links_in` gives them.
    """
    lines = without_foreign_links(_formatted(text, own_links) if _SIGN.search(text) else text, own_links)
    lines = "\n".join(line.rstrip() for line in lines.split("\n"))
    return _BLANK_LINES.sub("\n\n", lines).strip()


def _formatted(text: str, own_links: Collection[str]) -> str:
    lines = _LINE_BREAK.sub("\n", text)
    if "<" in lines or "&" in lines:
        lines = _without_html(lines)
    lines = _linked(_FENCE.sub("", lines), own_links)
    return _emphasised(_HEADING.sub(_bold_line, _RULE.sub("", _rows(lines))))


def plain_title(text: str) -> str:
    """The title of a button or row, which WhatsApp shows without any formatting: marks and line breaks are left out."""
    return " ".join(_unmarked(whatsapp_text(text)).split())


def _without_html(text: str) -> str:
    text = _STRUCK_TAG.sub("~~", _BOLD_TAG.sub("**", _CODE_OF_PAGE.sub("", text)))
    text = _HEADING_TAG.sub("\n# ", _BLOCK_END.sub("\n", _CELL_TAGS.sub(" · ", text)))
    text = _TAG.sub("", _ITEM_TAG.sub("\n- ", text))
    return _ENTITY.sub(lambda found: html.unescape(found[0]).replace("\xa0", " "), text)


def _linked(text: str, own: Collection[str]) -> str:
    """Links by their words; the shop's own with the address behind it."""

    def told(found: re.Match[str]) -> str:
        words, address = found[1].strip(), found[2]
        if not is_own(address, own) or is_own(words, [address]):
            return words
        return address if words.lower() in address.lower() else f"{words}: {address}"

    text = _AUTOLINK.sub(r"\1", _DEFINITION.sub("", _IMAGE.sub("", _FOOTNOTE.sub("", text))))
    return _CUT_LINK.sub(r"\1", _REFERENCE.sub(r"\1", _LINK.sub(told, text)))


def _rows(text: str) -> str:
    """Tables as lines, with a point between two cells; the rule below a head is left out."""
    if "|" not in text:
        return text
    lines = text.split("\n")
    rules = [bool(_TABLE_RULE.match(line)) for line in lines]
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
    return " · ".join(cell for part in _CELL_END.split(line) if (cell := part.strip()))


def _bold_line(found: re.Match[str]) -> str:
    title = _unmarked(_emphasised(found[1].rstrip().rstrip("#"))).strip()
    return f"*{title}*" if title else ""


def _unmarked(text: str) -> str:
    return _MARKS.sub(r"\2", text)


def _emphasised(text: str) -> str:
    """Markdown's emphasis and code as WhatsApp's, where it would be shown as such, else as plain words."""
    text = _CODE.sub(r"\2", _BULLET.sub(r"\1- ", text))
    for pattern, mark in _PAIRS:
        text = pattern.sub(partial(_marked, mark), text)
    return _ESCAPED.sub(r"\1", _LOOSE.sub("", text))


def _marked(mark: str, found: re.Match[str]) -> str:
    """Words between two marks; bare where a letter stands beside a mark, which WhatsApp would then show as it is."""
    words = _unmarked(found[1]).replace("*", "").strip()
    beside = found.string[: found.start()][-1:] + found.string[found.end() : found.end() + 1]
    return f"{mark}{words}{mark}" if words and not any(sign.isalnum() for sign in beside) else words
