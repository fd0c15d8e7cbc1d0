"""Names of things as customers say them: the thing, how it is, and how big, each in one way however it was said."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Final

from worker.language import lexicon
from worker.language.product_words import ProductWords, is_any
from worker.language.sizes import Size, without_size
from worker.language.vocabulary import (
    ASKING,
    EVERYDAY,
    FLAVOURS,
    FORMLESS,
    GROCERIES,
    LEANING,
    MEASURES,
    NAMELESS,
    NAMES_ALL_THE_SAME,
    NAMES_WITH_MORE,
    NOT_LEANING,
    POINTING,
    QUALITIES,
    SECTIONS,
    SMALL_WORDS,
    TEAS,
)

ARTICLES: Final = frozenset(["el", "la", "los", "las", "un", "una", "unos", "unas", "algun", "alguna"])
DEFINITE: Final = frozenset(["el", "la", "los", "las", "lo"])
LINKS: Final = ARTICLES | frozenset(["a", "al", "de", "del", "en", "con", "sin", "para", "por", "x"])
#: Names of something only with more behind them: "dulce de leche", "semillas de lino".
OF_SOMETHING: Final = frozenset(("dulce", "semilla"))
#: Times, and verbs whose object was named before, stand where a use could.
NO_USES: Final = frozenset(
    ["hoy", "ahora", "noche", "tarde", "finde", "domingo", "sabado", "acompañar", "combinar", "completar", "reemplazar", "sustituir"]
)
#: Whoever needs more words tells more than a name.
MOST_WORDS: Final = 9
#: Brands and kinds that no list has.
MOST_UNKNOWN: Final = 3
WORD: Final = re.compile(r"[a-zñ]+|\d+(?:[.,/]\d+)?%?|[a-zñ]+\d+|\d+[a-zñ]+")
#: Words of every sentence that say nothing of a thing.
COMMON: Final = (SMALL_WORDS | ASKING) - LINKS - QUALITIES - MEASURES - FLAVOURS - NAMELESS - GROCERIES
#: What is said of things.
TOLD_OF: Final = LINKS | QUALITIES | MEASURES | FLAVOURS | NAMELESS | GROCERIES | NAMES_ALL_THE_SAME | EVERYDAY
WEIGHED, PACKINGS, PACKED, DRINKS, BAGGED = map(lexicon.words_of, ("weighed", "packings", "packed", "drinks", "bagged"))
#: "De manzana" is a flavour, "la manzana" is a fruit.
FRUITS: Final = FLAVOURS & WEIGHED
SAME: Final = lexicon.same_names()
SAME_WORDS: Final = frozenset(chain.from_iterable(chain(SAME, SAME.values())))
LONGEST_SAME: Final = max(map(len, SAME))


@dataclass(frozen=True, slots=True)
class Name:
    """What a customer calls a thing.

    Args:
        thing: its name without size; empty where it is only said how something is.
        more: what is said of the thing that was named elsewhere, where this names none.
        size: how big, in one unit.
        use: what it is for.
    """

    thing: str = ""
    more: str = ""
    size: str = ""
    use: str = ""

    @property
    def whole(self) -> str:
        """All of it but the use."""
        return " ".join(filter(None, (same(self.thing), self.more, self.size)))

    @property
    def complete(self) -> str:
        """All of it."""
        use = f"para {self.use}" if self.use else ""
        return same(" ".join(filter(None, (self.thing, self.more, use)))) + (f" {self.size}" if self.size else "")


class Leaning(ValueError):
    """A word that says nothing without what was said before, or that nobody knows."""

    def __init__(self, word: str) -> None:
        super().__init__(word)
        self.word = word
        self.reason = "leans" if leans(word) else "unknown"


def leans(word: str) -> bool:
    """Returns whether a word may point at something said, shown or done before."""
    return word in POINTING or bool(LEANING.fullmatch(word))


def read_name(words: Sequence[str], known: ProductWords) -> Name:
    """Reads the words of one thing. Raises Leaning for a word that may stand in no name."""
    if " ".join(_bare(words)) in known.beginnings and words[-1] not in LINKS:
        return Name(singular_words(_bare(words), known))
    told, use = _split_at_use(list(words[1:] if words[0] in ("de", "del") else words))
    if use and told and not begins_name(told, known) and begins_name([*told, "para"], known):
        told, use = [*told, "para", *use_words(use, known)], []
    size, left = without_size(told, Size(DRINKS, BAGGED))
    thing, more = _thing(left, known)
    size = size_of(" ".join(thing), size)
    use_said = use_words(use, known)
    return Name(singular_words(thing, known), singular_words(more, known), size, singular_words(use_said, known))


def _bare(words: Sequence[str]) -> Sequence[str]:
    return words[1:] if words[0] in ARTICLES else words


def says_how(more: str) -> bool:
    """Returns whether words say how a thing is: "descremada", "sin lactosa", "de oliva"."""
    words = more.split()
    return (
        not words
        or words[0] in LINKS
        or all(
            is_any(word, QUALITIES) or is_any(word, FLAVOURS) or FORMLESS.fullmatch(word) or word.isdecimal()
            for word in words
        )
    )


def size_of(thing: str, size: str) -> str:
    """The size of a thing; none where a kilo of it is only how its price is told."""
    by_weight = size == "1 kg" and any(is_any(word, WEIGHED) for word in thing.split()[:2])
    return "" if by_weight else size


def _split_at_use(words: list[str]) -> tuple[list[str], list[str]]:
    at = next((place for place, word in enumerate(words) if word == "para"), len(words))
    return words[:at], words[at + 1 :]


def _thing(words: list[str], known: ProductWords) -> tuple[list[str], list[str]]:
    """The words of a name, and those that only say how something is: "la descremada, la leche" is both."""
    parts = [part for part in _parts(words) if part]
    named = [part for part in parts if begins_name(part, known)]
    if len(named) > 1:
        raise Leaning(named[1][0])
    if named and any(not _qualifies(part, known) for part in parts[: parts.index(named[0])]):
        raise Leaning(parts[0][0])
    others = [word for part in parts if part not in named for word in _without_packing(_without_article(part, known))]
    if not named:
        return [], standing_alone(others, known)
    return standing_alone([*_without_packing(_without_article(named[0], known)), *others], known), []


def _qualifies(part: list[str], known: ProductWords) -> bool:
    """Returns whether words before a name can say how it is: "sin lactosa", "la descremada"."""
    words = _without_packing(_without_article(part, known))
    return not words or words[0] in LINKS or is_any(words[0], QUALITIES) or is_any(words[0], FLAVOURS)


def _parts(words: list[str]) -> list[list[str]]:
    """Splits words before articles that stand behind no preposition: "sin lactosa | la leche"."""
    parts: list[list[str]] = [[]]
    for before, word in zip(("", *words), words, strict=False):
        if word in ARTICLES and before not in LINKS and parts[-1]:
            parts.append([])
        if word != "pero":
            parts[-1].append(word)
    return parts


def _without_article(part: list[str], known: ProductWords) -> list[str]:
    """Drops the article of a part, and what stands between it and the name in "la de yerba"."""
    bare = part[1:] if part and part[0] in ARTICLES else part
    return bare[1:] if bare[:1] == ["de"] and is_sold(bare[1:], known) else bare


def _without_packing(words: list[str]) -> list[str]:
    if words[:1] and words[0] in PACKINGS and not PACKED.intersection(words[1:4]):
        words = words[2:] if words[1:2] in (["de"], ["del"]) else words[1:]
    return words[:-1] if words and words[-1] in PACKINGS and words[-2:-1] not in (["en"], ["con"], ["sin"]) else words


def begins_name(words: Sequence[str], known: ProductWords) -> bool:
    """Returns whether words begin with the name of something: a packing or an article may stand before it. Behind "la"
    or "el", which often mean one that was shown before, only what is known to be sold counts.
    """
    bare = _without_article(list(words), known)
    definite = bool(words) and words[0] in DEFINITE
    if definite and bare[:1] and bare[0] in FRUITS:
        return True
    return is_sold(bare, known) or (not definite and _may_name(bare, known))


def _may_name(words: Sequence[str], known: ProductWords) -> bool:
    """Returns whether an unknown word names something, since all that is said of it is known."""
    first, *others = words or ("",)
    if others[:1] in (["para"], ["de"]) and is_any(first, NAMES_WITH_MORE):
        return True
    if not others or _is_nameless(first) or first in EVERYDAY or is_sold(others, known):
        return False
    return all(word in TOLD_OF or is_any(word, QUALITIES) or word in known.words for word in others)


def is_sold(words: Sequence[str], known: ProductWords) -> bool:
    """Returns whether words begin with the name of something that is known to be sold; a packing may stand before it."""
    bare = _without_packing(list(words))
    while len(bare) > 1 and (bare[0].isdecimal() or is_any(bare[0], MEASURES)):
        bare = bare[2:] if bare[1] == "de" else bare[1:]
    if not bare:
        return False
    word, behind = bare[0], bare[1:2]
    if behind == ["de"] and word == "te" and not is_any(bare[-1], TEAS | GROCERIES | FLAVOURS):
        return False
    if " ".join(words[:2]) in known.beginnings or " ".join(words[:3]) in known.beginnings:
        return True
    if word == "te":
        return (
            not behind or behind[0] in TEAS or any(is_any(behind[0], kind) for kind in (QUALITIES, FLAVOURS, MEASURES))
        )
    if word.removesuffix("s") in OF_SOMETHING:
        return behind == ["de"]
    if word in FLAVOURS:
        return bool(behind) or is_any(words[0], MEASURES)
    if any(is_any(word, names) for names in (known.names, FLAVOURS)) or word in SECTIONS:
        return True
    return word in NAMES_ALL_THE_SAME


def _is_nameless(word: str) -> bool:
    told = any(is_any(word, kind) for kind in (NAMELESS, QUALITIES, MEASURES))
    return (
        len(word) < 3
        or told
        or word in LINKS
        or word in COMMON
        or not word.isalpha()
        or bool(FORMLESS.fullmatch(word))
        or leans(word)
    )


def standing_alone(words: list[str], known: ProductWords) -> list[str]:
    """The same words. Raises Leaning where one may stand in no name, or the last one is cut off."""
    for word in words:
        if word in POINTING or not WORD.fullmatch(word) or (word in COMMON and word not in known.words):
            raise Leaning(word)
        if LEANING.fullmatch(word) and word not in NOT_LEANING and word not in known.names:
            raise Leaning(word)
    if sum(word.isalpha() and not is_any(word, known.words) and word not in TOLD_OF for word in words) > MOST_UNKNOWN:
        raise Leaning(words[-1])
    if len(words) > MOST_WORDS or (words and words[-1] in LINKS):
        raise Leaning(words[-1])
    if (
        words
        and re.fullmatch(r"\d", words[-1])
        and " ".join(words[-2:]) not in known.beginnings
        and words[-2:-1] not in (["etapa"], ["x"], ["por"], ["de"])
    ):
        raise Leaning(words[-1])
    return words


def use_words(words: Sequence[str], known: ProductWords) -> list[str]:
    """The words of what something is for ("la cena", "limpiar vidrios"). Raises Leaning for whom, when, and what else
    leans.
    """
    said = [word for word in words if word not in LINKS]
    if words and (not any(len(word) > 2 and word.isalpha() for word in said) or NO_USES.intersection(said)):
        raise Leaning(words[0])
    return standing_alone([word for word in words if word not in ARTICLES], known)


def singular_words(words: Iterable[str], known: ProductWords) -> str:
    """The words with each in the singular, where it has one that is known."""
    return " ".join([_singular(word, known) for word in words])


def _singular(word: str, known: ProductWords) -> str:
    forms = (word.removesuffix(ending) for ending in ("s", "es"))
    return next(
        (
            form
            for form in forms
            if len(form) > 2 and any(form in words for words in (known.words, QUALITIES, SAME_WORDS))
        ),
        word,
    )


def same(name: str) -> str:
    """A name with the usual word for what has several."""
    words, said = name.split(), list[str]()
    while words:
        length = next((n for n in range(min(LONGEST_SAME, len(words)), 0, -1) if tuple(words[:n]) in SAME), 0)
        said.extend(SAME[tuple(words[:length])] if length else words[:1])
        words = words[length or 1 :]
    return " ".join(said)
