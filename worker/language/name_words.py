"""Words of names: which may begin the name of something, and which may stand in one."""

from collections.abc import Mapping, Sequence, Set
from itertools import pairwise
from typing import Final

from worker.language import vocabulary
from worker.language.patterns import patterns_of
from worker.language.product_words import ProductWords
from worker.language.spelling import is_any
from worker.language.vocabulary import COMES_IN, FLAVOURS, GROCERIES, LINKS, MEASURES, PACKINGS, POINTING, TELLING

_HOW: Final = vocabulary.QUALITIES | FLAVOURS | vocabulary.SAID_OF_THINGS
#: "En pote" and "de pote" may be one kind of several.
_PACKED_BY: Final = (["en"], ["con"], ["sin"], ["de"], ["del"])
_P = patterns_of(__file__)
SMALL_NUMBER, BY_UNIT = _P["small_number"], _P["by_unit"]
#: Whoever needs more words, or more that no list has, tells more than a name.
_MOST_WORDS, _MOST_UNKNOWN = 9, 1


class Leaning(ValueError):
    """A word that says nothing without what was said before, or that nobody knows."""

    def __init__(self, word: str) -> None:
        super().__init__(word)
        self.word = word
        self.reason = "leans" if leans(word) else "unknown"


def leans(word: str) -> bool:
    """Returns whether a word may point at something said, shown or done before, or tells of who writes."""
    return word in POINTING or word in TELLING or bool(vocabulary.LEANING.fullmatch(word))


def standing_alone(words: list[str], known: ProductWords, most_unknown: int = _MOST_UNKNOWN) -> list[str]:
    """The same words. Raises Leaning where one may stand in no name, or the last one is cut off."""
    strange = next((word for word in words if _is_strange(word, known)), None)
    if strange is not None:
        raise Leaning(strange)
    unknown = sum(
        word.isalpha() and not is_any(word, vocabulary.IN_NAMES) and not is_any(word, known.words) for word in words
    )
    cut_off = bool(words) and words[-1] in LINKS
    if cut_off or unknown > most_unknown or len(words) > _MOST_WORDS or _counts_within(words, known):
        raise Leaning(words[-1])
    return words


def _is_strange(word: str, known: ProductWords) -> bool:
    if not _P["word"].fullmatch(word) or word in TELLING:
        return True
    if word in known.words or is_any(word, known.names):
        return word in POINTING and not is_any(word, GROCERIES)
    if leans(word) or _P["long_number"].fullmatch(word):
        return word not in vocabulary.NOT_LEANING
    return word in vocabulary.OF_EVERY_SENTENCE and not is_any(word, vocabulary.TELLING_OF_THINGS)


def _counts_within(words: Sequence[str], known: ProductWords) -> bool:
    """Returns whether a small number that is no size stands behind a word: "el vino 2", "queso 2 crema"."""
    return any(
        SMALL_NUMBER.fullmatch(word)
        and before not in vocabulary.BEFORE_NUMBERS
        and f"{before} {word}" not in known.beginnings
        for before, word in pairwise(words)
    )


def says_how(more: str) -> bool:
    """Returns whether words say how a thing is: "descremada", "sin lactosa", "de oliva"."""
    words = more.split()
    return not words or words[0] in LINKS or all(_is_quality(word) for word in words)


def _is_quality(word: str) -> bool:
    if is_any(word, _HOW) or word.removesuffix("s") in COMES_IN:
        return True
    return bool(vocabulary.FORMLESS.fullmatch(word) or _P["flour"].fullmatch(word))


def without_article(words: Sequence[str], known: ProductWords) -> list[str]:
    """Drops an article, and what stands between it and the name in "la de yerba"."""
    if not words or words[0] not in vocabulary.ARTICLES:
        return list(words)
    bare = list(words[1:])
    return bare[1:] if bare[:1] == ["de"] and is_sold(bare[1:], known) else bare


def without_packing(words: Sequence[str]) -> list[str]:
    """Drops a packing that changes nothing: "paquete de fideos", "arroz bolsa"."""
    bare = list(words)
    if bare[:1] and bare[0] in PACKINGS and not vocabulary.PACKED.intersection(bare[1:4]):
        bare = bare[2:] if bare[1:2] in (["de"], ["del"]) else bare[1:]
    return bare[:-1] if bare and bare[-1] in PACKINGS and bare[-2:-1] not in _PACKED_BY else bare


def without_usual_packing(name: str) -> str:
    """Drops in what a thing comes as a rule: "te en saquitos", "caja de te", "papa frita de bolsa"."""
    words = name.split()
    if words[1:2] == ["de"] and _has_as_a_rule(words[2:], words[0], COMES_IN):
        words = words[2:]
    while len(words) > 1 and _has_as_a_rule(words[:-1], words[-1], COMES_IN):
        words = words[:-2] if words[-2] in LINKS else words[:-1]
    return " ".join(_in_its_tin(words))


def _in_its_tin(words: list[str]) -> list[str]:
    """Says "lata de atún" and "atún, la lata" as "atún en lata"."""
    if words[:2] == ["lata", "de"] and len(words) > 2:
        return [*words[2:], "en", "lata"]
    return [*words[:-1], "en", "lata"] if len(words) > 1 and words[-1] == "lata" and words[-2] not in LINKS else words


def is_usual_use(use: str, name: str) -> bool:
    """Returns whether a thing is for that anyway: "sal gruesa para asado"."""
    return _has_as_a_rule(name.split(), use, vocabulary.USED_FOR)


def _has_as_a_rule(words: Sequence[str], told: str, rules: Mapping[str, Set[str]]) -> bool:
    things = rules.get(told.removesuffix("s"), ())
    bare = [word.removesuffix("s") for word in words[:3]] if things else ()
    return any(" ".join(bare[:count]) in things for count in range(1, len(bare) + 1))


def begins_name(words: Sequence[str], known: ProductWords) -> bool:
    """Returns whether words begin with the name of something: a packing or an article may stand before it. Behind "la"
    or "el", which often mean one that was shown before, only what is known to be sold counts.
    """
    bare = without_article(words, known)
    if words and words[0] in vocabulary.DEFINITE:
        return is_sold(bare, known) or (bool(bare) and bare[0] in vocabulary.FRUITS)
    return is_sold(bare, known) or _may_name(bare, known)


def _may_name(words: Sequence[str], known: ProductWords) -> bool:
    """Returns whether an unknown word names something, since all that is said of it is known."""
    first, *others = words or ("",)
    if others[:1] in (["para"], ["de"]) and is_any(first, vocabulary.NAMES_WITH_MORE):
        return True
    nameless = is_any(first, vocabulary.BEGINNING_NO_NAME) or vocabulary.FORMLESS.fullmatch(first) or leans(first)
    if not others or nameless or len(first) < 3 or not first.isalpha() or is_sold(others, known):
        return False
    return all(is_any(word, vocabulary.IN_NAMES) or word in known.words for word in others)


def is_sold(words: Sequence[str], known: ProductWords) -> bool:
    """Returns whether words begin with the name of something known to be sold, or a part of the shop; a packing and how
    many may stand before it.
    """
    if " ".join(words[:2]) in known.beginnings or " ".join(words[:3]) in known.beginnings or _has_name(words):
        return True
    bare = without_packing(words)
    counted = len(bare)
    while len(bare) > 1 and (bare[0].isdecimal() or is_any(bare[0], MEASURES)):
        bare = bare[2:] if bare[1] == "de" else bare[1:]
    return bool(bare) and _is_name(bare[0], bare[1:], known, counted=len(bare) < counted)


def _has_name(words: Sequence[str]) -> bool:
    bare = [word.removesuffix("s") for word in words[:3]]
    return len(bare) > 1 and (" ".join(bare[:2]) in vocabulary.SAME or " ".join(bare) in vocabulary.SAME)


def _is_name(word: str, behind: Sequence[str], known: ProductWords, *, counted: bool) -> bool:
    if word == "te":
        return (
            not behind
            or behind[0] in vocabulary.TEAS - {"de"}
            or _is_quality(behind[0])
            or is_any(behind[-1], vocabulary.TEAS | GROCERIES)
        )
    if word.removesuffix("s") in vocabulary.OF_SOMETHING:
        return behind[:1] == ["de"]
    if word in FLAVOURS:
        return counted or bool(behind)
    return (
        is_any(word, known.names)
        or is_any(word, FLAVOURS)
        or word in vocabulary.SECTIONS
        or word in vocabulary.NAMES_ALL_THE_SAME
    )
