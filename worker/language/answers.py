"""Plain answers to a question of ours: yes, no, a number, or the name of a button. Whole messages, nothing between.

Strict on purpose: what is not plainly one of these is for a model to read.
"""

import re
import unicodedata
from collections.abc import Iterable

from worker.language.normalise import without_accents
from worker.language.patterns import patterns_of, read_data

_DATA, _AUTOMATIC_DATA = (read_data(__file__, name) for name in ("answers", "automatic"))
_AUTOMATIC, _OPENINGS = (tuple(f" {phrase} " for phrase in _AUTOMATIC_DATA[name]) for name in ("phrases", "openings"))
_P = patterns_of(__file__)
YES, NO = "yes", "no"


def _phrase_pattern(words: str, phrases: list[str]) -> re.Pattern[str]:
    alternatives = sorted([*phrases, *words.split()], key=len, reverse=True)
    return re.compile(rf"\b(?:{'|'.join(map(re.escape, alternatives))})\b")


_PLAIN = {answer: _phrase_pattern(_DATA[answer], _DATA[f"{answer}_phrases"]) for answer in (NO, YES)}
_EMOJI = {answer: frozenset(_DATA[f"{answer}_emoji"]) for answer in (NO, YES)}
_NEUTRAL = frozenset(_DATA["neutral_emoji"]) | _EMOJI[YES]
#: Unicode's category of emoji.
_EMOJI_CATEGORY = "So"
#: Lists of words, by name.
_WORDS = {name: frozenset(words.split()) for name, words in _DATA.items() if isinstance(words, str)}
_PICKUP, _BESIDE, _NEITHER, _COURTESIES = (_WORDS[name] for name in ("pickup", "beside", "neither", "courtesies"))
_IN_FULL = {short: full for full, words in _DATA["short_payments"].items() for short in words.split()}


def yes_or_no(text: str) -> str | None:
    """YES or NO where a message is that and nothing else, None otherwise, and where it is both or asks something."""
    if asks(text):
        return None
    words = _P["stretched"].sub(lambda found: found[1] * 2, _P["laugh"].sub(" ", folded(text)))
    if len(words) > 80:
        return None
    signs = {answer for answer, emoji in _EMOJI.items() if emoji.intersection(text)}
    plain = next((answer for answer in (NO, YES) if _says(answer, words)), None)
    if plain is None and not _COURTESIES.issuperset(words.split()):
        return None
    answers = signs | ({plain} if plain else set())
    return None if len(answers) != 1 or (YES in answers and _may_mean_no(text)) else answers.pop()


def _says(answer: str, words: str) -> bool:
    left = _PLAIN[answer].sub(" ", words)
    return left != words and _COURTESIES.issuperset(left.split())


def _may_mean_no(text: str) -> bool:
    """Returns whether a text of a yes may be something else: it trails off, mocks, or has a face that says so."""
    words = folded(text)
    mocks = bool(_P["laugh"].search(words)) and not _WORDS["mocked"].isdisjoint(words.split())
    return mocks or bool(_P["trails_off"].search(text)) or _has_odd_sign(text)


def _has_odd_sign(text: str) -> bool:
    odd = (unicodedata.category(sign) == _EMOJI_CATEGORY and sign not in _NEUTRAL for sign in text)
    return bool(_P["sad"].search(text)) or any(odd)


def may_decline(text: str) -> bool:
    """Returns whether a text thanks in words that decline an offer as often as they accept it: "está bien, gracias"."""
    return bool(_P["either"].search(folded(text)))


def row_number(text: str) -> int | None:
    """The number of a row where a message is that alone, without a question mark or a sign that may mean no."""
    found = None if asks(text) or _has_odd_sign(text) else _P["row"].fullmatch(folded(text))
    return int(found[1]) if found else None


def named_button(text: str) -> str | None:
    """`view_cart` or `checkout` where a message is a name of that button."""
    words = " ".join(word for word in folded(text).split() if word not in ("por", "favor", "porfa", "gracias"))
    return next((name for name in ("view_cart", "checkout") if words in _DATA[name]), None)


def goes_on(text: str) -> str | None:
    """YES where a message goes on with a cart of before, NO where it begins anew, in plain words for just that."""
    words = set(folded(text).split())
    if not _WORDS["go_on"].isdisjoint(words):
        return YES if says_only(text, _WORDS["go_on"]) else None
    anew = not _WORDS["start_anew"].isdisjoint(words) and says_only(text, _WORDS["start_anew"] | {"no"})
    return NO if anew else None


def way_of_delivery(text: str) -> str | None:
    """`pickup` or `delivery` where a message says one of them and nothing else."""
    found = [way for way in ("pickup", "delivery") if not _WORDS[way].isdisjoint(folded(text).split())]
    return found[0] if len(found) == 1 and says_only(text, _WORDS[found[0]]) else None


def says_only(text: str, words: Iterable[str]) -> bool:
    """Returns whether a message asks nothing and is made of these words and of those that may stand beside an answer.

    Args:
        words: as `folded` has them.
    """
    return not asks(text) and (_BESIDE | set(words)).issuperset(folded(text).split())


def speaks_of_pickup(text: str) -> bool:
    """Returns whether any word of a text is about fetching it."""
    return not _PICKUP.isdisjoint(folded(text).split())


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
    return " ".join(_P["word"].findall(without_accents(text).lower()))


def is_automatic(words: str) -> bool:
    """Returns whether a text is one that a telephone or a program writes by itself and nobody types, by its words as
    `folded` gives them.
    """
    plain = f" {words} "
    return plain.startswith(_OPENINGS) or any(phrase in plain for phrase in _AUTOMATIC)
