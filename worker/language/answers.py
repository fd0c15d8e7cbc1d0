"""Plain answers to a question of ours: yes, no, a number, or the name of a button. Whole messages, nothing between.

Strict on purpose: what is not plainly one of these is for a model to read.
"""

import re
import unicodedata
from collections.abc import Iterable

from worker.language.normalise import without_accents
from worker.language.vocabulary import read_data

_DATA, _AUTOMATIC_DATA = map(read_data, ("answers", "automatic"))
_AUTOMATIC, _OPENINGS = (tuple(f" {phrase} " for phrase in _AUTOMATIC_DATA[name]) for name in ("phrases", "openings"))
_WORD = re.compile(r"[^\W_]+")
#: The number of a row: "2", "la 2", "el numero 2", "opcion 2", "2)".
_ROW = re.compile(r"(?:(?:el|la|opcion|numero|nro|la opcion|el numero) )?(\d{1,2})(?: (?:por favor|porfa|gracias))?")
_LAUGH = re.compile(r"\b(?:ja|je|ji){2,}\w*\b")
_TRAILS_OFF = re.compile(r"(?:\.{2,}|…)\W*$")
YES, NO = "yes", "no"


def _phrase_pattern(words: str, phrases: list[str]) -> re.Pattern[str]:
    alternatives = sorted([*phrases, *words.split()], key=len, reverse=True)
    return re.compile(rf"\b(?:{'|'.join(map(re.escape, alternatives))})\b")


_PLAIN = {
    YES: _phrase_pattern(_DATA["yes"], _DATA["yes_phrases"]),
    NO: _phrase_pattern(_DATA["no"], _DATA["no_phrases"]),
}
_COURTESIES = frozenset(_DATA["courtesies"].split())
_EMOJI = {YES: frozenset(_DATA["yes_emoji"]), NO: frozenset(_DATA["no_emoji"])}
_NEUTRAL = frozenset(_DATA["neutral_emoji"]) | _EMOJI[YES]
#: Unicode's category of emoji.
_EMOJI_CATEGORY = "So"
_MOCKED = frozenset(_DATA["mocked"].split())
_EITHER = re.compile(_DATA["either"])
_SAD = re.compile(r"[:;=]['-]*[(/\\|\[]|¬¬|-_-")
_NAMED = {name: frozenset(_DATA[name]) for name in ("view_cart", "checkout")}
_WAYS = {name: frozenset(_DATA[name].split()) for name in ("pickup", "delivery")}
_GO_ON, _START_ANEW = (frozenset(_DATA[name].split()) for name in ("go_on", "start_anew"))
_BESIDE, _NEITHER = (frozenset(_DATA[name].split()) for name in ("beside", "neither"))
_IN_FULL = {short: full for full, words in _DATA["short_payments"].items() for short in words.split()}
_STRETCHED = re.compile(r"(\w)\1{2,}")


def yes_or_no(text: str) -> str | None:
    """YES or NO where a message is that and nothing else, None otherwise, and where it is both or asks something."""
    signs = {answer for answer, emoji in _EMOJI.items() if emoji.intersection(text)}
    words = _STRETCHED.sub(r"\1\1", _LAUGH.sub(" ", folded(text)))
    if asks(text) or len(words) > 80:
        return None
    said = set(signs)
    for answer, other in ((NO, YES), (YES, NO)):
        left = _PLAIN[answer].sub(" ", words)
        if left != words and _COURTESIES.issuperset(left.split()):
            return None if other in signs or (answer == YES and _may_mean_no(text)) else answer
    if said and _COURTESIES.issuperset(words.split()):
        return None if len(said) > 1 or (YES in said and _may_mean_no(text)) else said.pop()
    return None


def _may_mean_no(text: str) -> bool:
    """Returns whether a text of a yes may be something else: it trails off, mocks, or has a face that says so."""
    words = folded(text)
    mocks = bool(_LAUGH.search(words)) and not _MOCKED.isdisjoint(words.split())
    return mocks or bool(_TRAILS_OFF.search(text)) or _has_odd_sign(text)


def _has_odd_sign(text: str) -> bool:
    odd = (unicodedata.category(sign) == _EMOJI_CATEGORY and sign not in _NEUTRAL for sign in text)
    return bool(_SAD.search(text)) or any(odd)


def may_decline(text: str) -> bool:
    """Returns whether a text thanks in words that decline an offer as often as they accept it: "está bien, gracias"."""
    return bool(_EITHER.search(folded(text)))


def row_number(text: str) -> int | None:
    """The number of a row where a message is that alone, without a question mark or a sign that may mean no."""
    found = None if asks(text) or _has_odd_sign(text) else _ROW.fullmatch(folded(text))
    return int(found[1]) if found else None


def named_button(text: str) -> str | None:
    """`view_cart` or `checkout` where a message is a name of that button."""
    words = " ".join(word for word in folded(text).split() if word not in ("por", "favor", "porfa", "gracias"))
    return next((name for name, names in _NAMED.items() if words in names), None)


def goes_on(text: str) -> str | None:
    """YES where a message goes on with a cart of before, NO where it begins anew, in plain words for just that."""
    words = set(folded(text).split())
    if not _GO_ON.isdisjoint(words):
        return YES if says_only(text, _GO_ON) else None
    anew = not _START_ANEW.isdisjoint(words) and says_only(text, _START_ANEW | {"no"})
    return NO if anew else None


def way_of_delivery(text: str) -> str | None:
    """`pickup` or `delivery` where a message says one of them and nothing else."""
    found = [name for name, known in _WAYS.items() if known & set(folded(text).split())]
    return found[0] if len(found) == 1 and says_only(text, _WAYS[found[0]]) else None


def says_only(text: str, words: Iterable[str]) -> bool:
    """Returns whether a message asks nothing and is made of these words and of those that may stand beside an answer.

    Args:
        words: as `folded` has them.
    """
    return not asks(text) and (_BESIDE | set(words)).issuperset(folded(text).split())


def speaks_of_pickup(text: str) -> bool:
    """Returns whether any word of a text is about fetching it."""
    return not _WAYS["pickup"].isdisjoint(folded(text).split())


def denies(text: str) -> bool:
    """Returns whether a text says no to something it names: "sin envío", "tarjeta no"."""
    return not _NEITHER.isdisjoint(folded(text).split())


def says_only_no(text: str) -> bool:
    """Returns whether a part of a text is a bare denial of what stands before it."""
    return bool(words := set(folded(text).split())) and _NEITHER.issuperset(words)


def asks(text: str) -> bool:
    """Returns whether a text has a question mark."""
    return "?" in text or "¿" in text


def telling_words(name: str) -> frozenset[str]:
    """The words of a name by which a part of it is enough to know it."""
    return frozenset(word for word in folded(name).split() if len(word) > 1) - _BESIDE - _NEITHER


def spelled_out(words: str) -> str:
    """Words as `folded` has them, with names of payment methods that are written in short in full: "mp", "efe"."""
    return " ".join(_IN_FULL.get(word, word) for word in words.split())


def folded(text: str) -> str:
    """The words of a text, without accents, signs and capitals."""
    return " ".join(_WORD.findall(without_accents(text).lower()))


def is_automatic(words: str) -> bool:
    """Returns whether a text is one that a telephone or a program writes by itself and nobody types, by its words as
    `folded` gives them.
    """
    plain = f" {words} "
    return plain.startswith(_OPENINGS) or any(phrase in plain for phrase in _AUTOMATIC)
