"""Open question of a reply, and the bare answers to it ("sí", "no", "el segundo", "2"), as far as both are certain by
their words (`open_question.toml`). Pure: no I/O.
"""

import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final
from zlib import crc32

from worker.language.answers import NO, YES, asks, folded, row_number, yes_or_no
from worker.language.normalise import normalised
from worker.messages.reply import Choices
from worker.session.session import Context, Exchange

_DATA: Final[dict[str, Any]] = tomllib.loads(Path(__file__).with_suffix(".toml").read_text("utf-8"))
#: Which of the products in the list; how many of the only one; what the customer is looking for; what else; nothing.
WHICH, HOW_MANY, WHAT, MORE, NOTHING = "which", "how_many", "what", "more", "nothing"
_ASIDE: Final = "aside"
_KINDS: Final = {kind: re.compile("|".join(patterns)) for kind, patterns in _DATA["questions"].items()}
_ENDS: Final = re.compile(r"([.!?¿;\n])")
_TOLD, _TOLD_MORE = map(re.compile, (_DATA["told"]["asked"], _DATA["told"]["more"]))
_OTHERWISE: Final = re.compile(_DATA["otherwise"]["words"])
#: Bare answers are short, and so are plain questions; a reply with more of them asks otherwise.
MOST_CHARS, MOST_QUESTIONS = 80, 2
#: More pieces than anybody orders without a word about it.
MOST_PIECES: Final = 20


def _numbers(table: str) -> dict[str, int]:
    return {word: int(number) for number, words in _DATA[table].items() for word in words.split()}


_ORDINALS, _COUNTS = _numbers("ordinals"), _numbers("counts")


def _answer(name: str) -> re.Pattern[str]:
    pattern = _DATA["answers"][name].replace("ORDINAL", "|".join(_ORDINALS)).replace("COUNT", "|".join(_COUNTS))
    return re.compile(pattern)


_ROW, _COUNT, _COURTESY, _MEANT_OTHERWISE, _THANKING = map(
    _answer, ("row", "count", "courtesy", "meant_otherwise", "thanking")
)


def open_question(reply: str, choices: Choices | None, *, numbered: bool, changed: bool = False) -> str:
    """WHICH, HOW_MANY, WHAT or MORE where a reply asks that alone, NOTHING where it asks nothing; empty where it may
    ask anything else. A list asks which, and a changed cart what else, without a word about it.

    Args:
        numbered: the rows of its list are what a number means.
        changed: it tells of a change of the cart.
    """
    if reply.count("?") > MOST_QUESTIONS:
        return ""
    rows = choices.rows if choices else ()
    for row in rows:
        reply = reply.replace(row.description, "")
    parts = [*_ENDS.split(reply), ""]
    ended = list(zip(parts[::2], parts[1::2], strict=True))
    kinds = [_kind_of(folded(part)) if end == "?" else _kind_told(folded(part)) for part, end in ended]
    asked = [kind for kind in kinds if kind not in (_ASIDE, None)]
    if "" in asked or len(asked) > 1:
        return ""
    kind = asked[0] if asked else MORE if changed else WHICH if rows else NOTHING
    fits = {WHICH: numbered and len(rows) > 1, HOW_MANY: len(rows) == 1}
    return kind if fits.get(kind, not rows) else ""


def marked(kind: str, history: Sequence[Exchange]) -> str:
    """A kind with a mark of the reply that has asked it, the last one of a history; empty for none."""
    return f"{kind}:{crc32(history[-1].reply.encode()):x}" if kind and history else ""


def still_open(context: Context) -> str:
    """The kind of the question that is open: whatever was said since, by a person of the shop say, has closed it."""
    kind = context.left_open.partition(":")[0]
    return kind if kind and context.left_open == marked(kind, context.history) else ""


def _kind_told(part: str) -> str | None:
    """Kind of question that a sentence without a question mark is; None where it asks nothing."""
    if len(part) <= MOST_CHARS and (found := _TOLD.fullmatch(part)):
        return _kind_of(found["asked"])
    return MORE if _TOLD_MORE.fullmatch(part) else "" if _OTHERWISE.search(part) else None


def _kind_of(question: str) -> str:
    fits = len(question) <= MOST_CHARS
    return next((kind for kind, pattern in _KINDS.items() if fits and pattern.fullmatch(question)), "")


def bare_answer(text: str) -> str:
    """YES or NO where a text is plainly that, and not one which may be meant for an order; else empty."""
    answer = yes_or_no(text)
    return answer if answer in (YES, NO) and not _MEANT_OTHERWISE.search(folded(text)) else ""


def thanks(text: str) -> bool:
    """Returns whether a bare answer thanks too: whoever does wants nothing more."""
    return bool(_THANKING.search(folded(text)))


def row_in(text: str) -> int | None:
    """The place of a row that a text names and nothing else: "2", "la 2", "el segundo", "dame el 1"."""
    if row := row_number(text):
        return row
    found = _found(_ROW, text)
    word = found and (found["ordinal"] or found["bare"])
    return _ORDINALS[word] if word else int(found["number"]) if found else None


def count_in(text: str) -> int | None:
    """The number of pieces that a text names and nothing else: "2", "dos", "quiero 2", "mejor 3"."""
    found = _found(_COUNT, text)
    said = found["count"] if found else "0"
    number = _COUNTS.get(said) or int(said)
    return number if 0 < number <= MOST_PIECES else None


def _found(pattern: re.Pattern[str], text: str) -> Mapping[str, Any] | None:
    """The groups of a pattern where a text that asks nothing is that, with a courtesy at most."""
    found = None if asks(text) or len(text) > MOST_CHARS else pattern.fullmatch(_COURTESY.sub("", normalised(text)))
    return found.groupdict() if found else None
