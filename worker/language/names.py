"""Names of things as customers say them: the thing, how it is, and how big, each in one way however it was said."""

import re
from collections.abc import Iterable, Sequence
from itertools import chain, pairwise
from typing import Final

from msgspec import Struct

from worker.language.goods import FLAVOURS, SAME, WEIGHED
from worker.language.name_words import (
    SMALL_NUMBER,
    Leaning,
    begins_name,
    standing_alone,
    without_article,
    without_packing,
)
from worker.language.product_words import ProductWords, is_any
from worker.language.sizes import without_size
from worker.language.vocabulary import ARTICLES, DEFINITE, LINKS, NO_USES, QUALITIES

_BY_WEIGHT: Final = ("1 kg", "1 libra")
#: "El kilo de papas", "papas por kilo": no size, as in "papas fritas de 1 kilo".
_BY_UNIT: Final = re.compile(r"^(?:(?:el|un|la|una|por|cada) )*1 (?:kg|libra)\b|\b(?:por|el|la|cada) 1 (?:kg|libra)$")
_LONGEST_SAME: Final = max(map(len, SAME))
#: Words whose singular is known whatever a shop sells.
_SINGULAR: Final = QUALITIES | FLAVOURS | frozenset(chain.from_iterable(chain(SAME, SAME.values())))


class Name(Struct, frozen=True):
    """Name of a thing as a customer says it.

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
        return " ".join(filter(None, (same(" ".join(filter(None, (self.thing, self.more, use)))), self.size)))


def read_name(words: Sequence[str], known: ProductWords) -> Name:
    """Reads the words of one thing. Raises Leaning for a word that may stand in no name."""
    bare = words[1:] if words[0] in ARTICLES else words
    if " ".join(bare) in known.beginnings and bare[-1] not in LINKS:
        return Name(singular_words(bare, known))
    told, use = _split_at_use(words[1:] if _of_the(words) else words)
    use = _use_words(use, known)
    if use and told and not begins_name(told, known) and begins_name([*told, "para", *use], known):
        told, use = [*told, "para", *use], []
    size, left = without_size(told)
    thing, more = _thing(left, known)
    return Name(
        singular_words(thing, known),
        singular_words(more, known),
        size_of(" ".join(thing), size) if _BY_UNIT.search(" ".join(told)) else size,
        singular_words(use, known),
    )


def _of_the(words: Sequence[str]) -> bool:
    """Returns whether words go on with another thing: "precio de los huevos y de la leche"."""
    return words[0] == "del" or (words[0] in ("de", "en") and len(words) > 1 and words[1] in ARTICLES)


def _split_at_use(words: Sequence[str]) -> tuple[list[str], list[str]]:
    at = next((place for place, word in enumerate(words) if word == "para"), len(words))
    return list(words[:at]), list(words[at + 1 :])


def _use_words(words: Sequence[str], known: ProductWords) -> list[str]:
    """Use of something ("la cena", "limpiar vidrios"). Raises Leaning for whom, when, and what else leans."""
    said = [word for word in words if word not in LINKS]
    if words and (not any(len(word) > 2 and word.isalpha() for word in said) or NO_USES.intersection(said)):
        raise Leaning(words[0])
    return standing_alone([word for word in words if word not in ARTICLES], known, most_unknown=2)


def _thing(words: Sequence[str], known: ProductWords) -> tuple[list[str], list[str]]:
    """The words of a name, and those that only say how something is: "la descremada, la leche" has both."""
    if any(before in DEFINITE and SMALL_NUMBER.fullmatch(word) for before, word in pairwise(words)):
        raise Leaning(words[0])
    parts = _parts(words)
    bare = [without_packing(without_article(part, known)) for part in parts]
    named = [place for place, part in enumerate(parts) if begins_name(part, known)]
    if not named:
        return [], standing_alone(list(chain.from_iterable(bare)), known)
    first, *others = named
    if others or any(not _qualifies(part) for part in bare[:first]):
        raise Leaning(parts[others[0] if others else 0][0])
    return standing_alone([*bare[first], *chain(*bare[:first], *bare[first + 1 :])], known), []


def _parts(words: Sequence[str]) -> list[list[str]]:
    """Splits words before articles that stand behind no preposition: "sin lactosa | la leche"."""
    parts: list[list[str]] = [[]]
    for before, word in zip(("", *words), words, strict=False):
        if word in ARTICLES and before not in LINKS and parts[-1]:
            parts.append([])
        parts[-1].append(word)
    return parts if parts[0] else []


def _qualifies(words: Sequence[str]) -> bool:
    """Returns whether words before a name can say how it is: "sin lactosa", "la descremada"."""
    return not words or words[0] in LINKS or is_any(words[0], QUALITIES) or is_any(words[0], FLAVOURS)


def size_of(thing: str, size: str) -> str:
    """The size of a thing; none where a kilo of it is only how its price is told."""
    by_weight = size in _BY_WEIGHT and any(is_any(word, WEIGHED) for word in thing.split()[:2])
    return "" if by_weight else size


def singular_words(words: Iterable[str], known: ProductWords) -> str:
    """The words with each in the singular, where it has one that is known."""
    return " ".join([_singular(word, known) for word in words])


def _singular(word: str, known: ProductWords) -> str:
    forms = (word.removesuffix(ending) for ending in ("s", "es"))
    return next((form for form in forms if len(form) > 2 and (form in known.words or form in _SINGULAR)), word)


def same(name: str) -> str:
    """A name with the usual word for what has several."""
    words, said = name.split(), list[str]()
    while words:
        length = next((n for n in range(min(_LONGEST_SAME, len(words)), 0, -1) if tuple(words[:n]) in SAME), 0)
        said.extend(SAME[tuple(words[:length])] if length else words[:1])
        words = words[length or 1 :]
    return " ".join(said)
