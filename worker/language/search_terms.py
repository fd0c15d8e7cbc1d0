"""Search terms of a message, for the catalogue."""

import re
from collections.abc import Callable, Iterator

from worker.language.goods import FLAVOURS, TEAS
from worker.language.normalise import LONGEST_WORD, normalised
from worker.language.vocabulary import (
    ANSWER_WORDS,
    MEASURES,
    NUMBERS,
    POINTING,
    QUALITIES,
    SMALL_WORDS,
    TOLD,
    UNIT_WORDS,
)

#: A shopping list has more; a request that holds what they find still has to stay small.
MAX_TERMS = 12
MAX_WORDS = 8
#: With the sizes that stand behind a name; `term_words` reads no more.
MAX_TERM_WORDS = 12
COUNTS = NUMBERS | {"una": "1", "uno": "1", "par": "2"}
FRACTIONS = {"½": " medio ", "1/2": " medio ", "¼": " cuarto ", "1/4": " cuarto ", "¾": " 0.75 ", "3/4": " 0.75 "}
AND_A_HALF = re.compile(r"\b(?:un |una |1 )?(kilo|litro)s? y medi[oa]\b")
#: How much of it makes no other product: "2 kg y medio de pan", "docena y media", "dos libras y un cuarto".
AND_A_PART = re.compile(r"\b(kilos?|kgs?|litros?|lts?|libras?|docenas?) y (?:medi[oa]|(?:un )?cuarto)\b")
#: A point or comma between digits belongs to a number ("1,5 l").
SEPARATORS = re.compile(
    r"[\n;:?!+/()]|(?<!\d)[.,]|[.,](?!\d)"
    r"|\b(?:y|o|u|entre|mas|más|tambi[eé]n|adem[aá]s|aparte|despu[eé]s|vs|versus)\b"
)
#: Two products that are compared: here the one "con" of the line stands between them; elsewhere it is a part of a name.
_BETWEEN = r"\b(?:con|contra|o|y|vs|versus)\b"
COMPARED = re.compile(
    rf"(\bcompar[aáeo]\w* (?:(?!{_BETWEEN})[^,/:\n]){{1,80}} )(?:con|contra) (?!.*(?:{_BETWEEN}|[,/:]))"
)
UNIT = rf"(?:{'|'.join(UNIT_WORDS)})\b"
#: How many, not how big.
TIMES = re.compile(rf"\bx ?\d+\b(?! ?{UNIT}|[.,])|(?<=\d) ?x\b")
#: What stands before a name: how many, and the "con" of "a recipe with chicken".
COUNT = re.compile(rf"^(?:con )?(?:\d+ (?!{UNIT}))?(?:con )?")
#: Where the next product of a list without commas begins: "2 leches 1 pan", "1 kilo papas 2 kilos cebollas".
STARTS_WITH_COUNT = re.compile(r"\d|medi[oa] |cuarto ")
NEXT_COUNT = re.compile(r" (?=(?:\d+(?:[.,]\d+)?|medi[oa]|cuarto) )")
SIZE = re.compile(rf"[\d.,%]+(?:{UNIT})?")
UNIT_WORD = re.compile(UNIT)
BEFORE_TEA = frozenset(("el", "los", "de", "caja", "cajita", "saquitos"))
#: What customers say beside a name; alone it names nothing.
NO_NAMES = POINTING | ANSWER_WORDS | frozenset(("con", "sin", "para", "por", "unidad", "unidades", "libra", "libras"))


def search_terms(text: str, mend: Callable[[str], str] = str) -> tuple[str, ...]:
    """Returns what a message seems to ask for: at most 12 normalised terms, in order; nothing for small talk. How many
    of something is left out, how big it is stays: "2 leches de 1 l" asks for "leches 1 l". mend: puts slips in
    normalised words right.
    """
    for sign, words in FRACTIONS.items():
        text = text.replace(sign, words)
    text = AND_A_PART.sub(r"\1", AND_A_HALF.sub(r"1.5 \1", text.lower()))
    text = COMPARED.sub(r"\1, ", text)
    terms: dict[str, None] = {}
    for part in filter(str.strip, SEPARATORS.split(text)):
        terms |= dict.fromkeys(_terms(mend(normalised(part))))
        if len(terms) >= MAX_TERMS:
            break
    return tuple(terms)[:MAX_TERMS]


def _terms(part: str) -> list[str]:
    words = " ".join(_telling(TIMES.sub(" ", part).split()))
    terms: list[list[str]] = []
    for piece in NEXT_COUNT.split(words) if STARTS_WITH_COUNT.match(words) else [words]:
        term = COUNT.sub("", piece).split()[:MAX_WORDS]
        if any(is_name(word) for word in term):
            terms.append(term)
        elif terms:
            terms[-1] += piece.split()
    return [" ".join(term[:MAX_TERM_WORDS]) for term in terms]


def _telling(words: list[str]) -> Iterator[str]:
    """Drops small words, what is only told, and words that are longer than any; numbers as digits."""
    for before, word, following in zip(["", *words], words, [*words[1:], ""], strict=False):
        if word == "te" and not _is_tea(before, following):
            continue
        if word not in SMALL_WORDS and word not in TOLD and len(word) <= LONGEST_WORD:
            yield COUNTS.get(word, word)


def _is_tea(before: str, following: str) -> bool:
    """Returns whether "te" is tea, and no pronoun: "te verde", "un te", "tenes te"; not "te pido"."""
    named = following in TEAS or following in QUALITIES or following in FLAVOURS or following in MEASURES
    counted = before.isdecimal() or before in COUNTS or before in BEFORE_TEA
    return not following or named or (counted and following not in SMALL_WORDS)


def is_name(word: str) -> bool:
    """Returns whether a word can name something: no little word, count, size, or word that points back."""
    return word == "te" or not (len(word) < 3 or SIZE.fullmatch(word) or UNIT_WORD.fullmatch(word) or word in NO_NAMES)
