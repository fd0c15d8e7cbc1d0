"""Search terms of a message, for the catalogue."""

from collections.abc import Callable, Iterator

from worker.language import vocabulary
from worker.language.normalise import LONGEST_WORD, normalised
from worker.language.patterns import patterns_of, rewritten, rules_of
from worker.language.vocabulary import ANSWER_WORDS, PARTS, POINTING, SMALL_WORDS, TOLD

#: A shopping list has more; a request that holds what they find still has to stay small.
MAX_TERMS = 12
MAX_WORDS = 8
#: With the sizes that stand behind a name; `term_words` reads no more.
MAX_TERM_WORDS = 12
COUNTS = vocabulary.NUMBERS | {"una": "1", "uno": "1", "par": "2"}
_P = patterns_of(__file__, PARTS)
_BEFORE_SEARCH = rules_of(__file__)["before_search"]
COUNT, UNIT_WORD = _P["count"], _P["unit"]
#: Words behind "te" where it is tea, and words before it.
_BEHIND_TEA = vocabulary.TEAS | vocabulary.QUALITIES | vocabulary.FLAVOURS | vocabulary.MEASURES
_BEFORE_TEA = frozenset(("el", "los", "de", "caja", "cajita", "saquitos"))
#: What customers say beside a name; alone it names nothing.
NO_NAMES = POINTING | ANSWER_WORDS | frozenset(("con", "sin", "para", "por", "unidad", "unidades", "libra", "libras"))


def search_terms(text: str, mend: Callable[[str], str] = str) -> tuple[str, ...]:
    """Returns what a message seems to ask for: at most 12 normalised terms, in order; nothing for small talk. How many
    of something is left out, how big it is stays: "2 leches de 1 l" asks for "leches 1 l". mend: puts slips in
    normalised words right.
    """
    terms: dict[str, None] = {}
    for part in filter(str.strip, _P["separator"].split(rewritten(text.lower(), _BEFORE_SEARCH))):
        terms |= dict.fromkeys(_terms(mend(normalised(part))))
        if len(terms) >= MAX_TERMS:
            break
    return tuple(terms)[:MAX_TERMS]


def _terms(part: str) -> list[str]:
    words = " ".join(_telling(_P["times"].sub(" ", part).split()))
    terms: list[list[str]] = []
    for piece in _P["next_count"].split(words) if _P["starts_with_count"].match(words) else [words]:
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
    counted = before.isdecimal() or before in COUNTS or before in _BEFORE_TEA
    return not following or following in _BEHIND_TEA or (counted and following not in SMALL_WORDS)


def is_name(word: str) -> bool:
    """Returns whether a word can name something: no little word, count, size, or word that points back."""
    return word == "te" or not (
        len(word) < 3 or _P["size"].fullmatch(word) or UNIT_WORD.fullmatch(word) or word in NO_NAMES
    )
