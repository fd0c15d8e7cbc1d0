"""Names of things as customers say them: the thing, how it is, and how big, each in one way however it was said; and
the runs of words between the phrases of a message in which they stand.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import chain, pairwise
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from worker.language.name_words import (
    BY_UNIT,
    SMALL_NUMBER,
    Leaning,
    begins_name,
    is_usual_use,
    says_how,
    standing_alone,
    without_article,
    without_packing,
    without_usual_packing,
)
from worker.language.phrase_automaton import PhraseAutomaton
from worker.language.product_words import ProductWords
from worker.language.sizes import without_size
from worker.language.spelling import is_any
from worker.language.vocabulary import (
    ARTICLES,
    DEFINITE,
    FLAVOURS,
    FRUITS,
    LINKS,
    NO_USES,
    QUALITIES,
    SAME,
    WEIGHED,
    WITHIN,
)

_BY_WEIGHT: Final = ("1 kg", "1 libra")
#: An "y" that stands before another phrase than a name: "leche, y a cuánto el litro".
AND: Final = "&"
_SAME: Final = PhraseAutomaton(SAME.items())
#: Words whose singular is known whatever a shop sells.
_SINGULAR: Final = QUALITIES | FLAVOURS | frozenset(" ".join(chain(SAME, SAME.values())).split())


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
        return " ".join(filter(None, (same(without_usual_packing(self.thing)), self.more, self.size)))

    @property
    def complete(self) -> str:
        """All of it."""
        told = without_usual_packing(" ".join(filter(None, (self.thing, self.more))))
        use = f"para {self.use}" if self.use and not is_usual_use(self.use, told) else ""
        return " ".join(filter(None, (same(" ".join(filter(None, (told, use)))), self.size)))


def read_name(words: Sequence[str], known: ProductWords) -> Name:
    """Reads the words of one thing. Raises Leaning for a word that may stand in no name."""
    bare = words[1:] if words[0] in ARTICLES else words
    if " ".join(bare) in known.beginnings and bare[-1] not in LINKS:
        return Name(singular_words(bare, known))
    said = list(words[1:] if _of_the(words) else words)
    at = said.index("para") if "para" in said else len(said)
    told, use = said[:at], _use_words(said[at + 1 :], known)
    if use and told and not begins_name(told, known) and begins_name([*told, "para", *use], known):
        told, use = [*told, "para", *use], []
    size, left = without_size(told)
    thing, more = _thing(left, known)
    return Name(
        singular_words(thing, known),
        singular_words(more, known),
        size_of(" ".join(thing), size) if BY_UNIT.search(" ".join(told)) else size,
        singular_words(use, known),
    )


def _of_the(words: Sequence[str]) -> bool:
    """Returns whether words go on with another thing: "precio de los huevos y de la leche"."""
    return words[0] == "del" or (words[0] in ("de", "en") and len(words) > 1 and words[1] in ARTICLES)


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
    named = [place for place, part in enumerate(parts) if begins_name(part, known)]
    # "Las de agua" are no water; "la de yerba" is the packet of it, if nothing else is named.
    named = [place for place in named if not is_elliptic(parts[place])] or [
        place for place in named if not is_any(parts[place][2], WITHIN | FLAVOURS)
    ]
    bare = [without_packing(_bare(part, place in named, known)) for place, part in enumerate(parts)]
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


def is_elliptic(words: Sequence[str]) -> bool:
    """Returns whether words may leave out the thing of which they say how it is: "las de agua"."""
    return words[0] in DEFINITE and words[1:2] == ["de"]


def _bare(words: Sequence[str], named: bool, known: ProductWords) -> list[str]:
    return list(words[1:]) if is_elliptic(words) and not named else without_article(words, known)


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
    return " ".join([meant or " ".join(own) for meant, own in _SAME.read(name.split())])


@dataclass(slots=True)
class Run:
    """Words between phrases that may name a thing.

    Args:
        joiner: "y" or "o" where it stands before them, or AND.
        joined: the same as it is written.
    """

    joiner: str = ""
    joined: str = ""
    words: list[str] = field(default_factory=list)
    _read: Name | Leaning | None = None

    def name(self, known: ProductWords) -> Name:
        """The name, read once however many questions are tried. Raises Leaning."""
        if self._read is None:
            try:
                self._read = read_name(self.words, known)
            except Leaning as exc:
                self._read = exc
        if isinstance(self._read, Leaning):
            raise self._read
        return self._read


Runs = Sequence[Run]


def names_in(runs: Runs, known: ProductWords, *, priced: bool = False) -> list[tuple[str, Name]]:
    """All names with what joins each to the one before; what only says how a thing is, is said of the one thing.

    Args:
        priced: whether a price is asked, which flavours have none of.
    """
    read = [(run.joiner, as_fruit(run.name(known)) if priced else run.name(known)) for run in runs]
    things = [name for _, name in read if name.thing]
    loose = [name for joiner, name in read if not name.thing and joiner in ("", AND)]
    joined = any(joiner in ("y", "o") for joiner, _ in read)
    if len(things) == 1 and loose and not joined and len(read) == len(loose) + 1:
        return [("", _with(things[0], loose))]
    return [("y" if joiner == AND else joiner, name) for joiner, name in read]


def _with(thing: Name, loose: Sequence[Name]) -> Name:
    for name in loose:
        if (name.size and thing.size) or (name.use and thing.use) or not says_how(name.more):
            raise Leaning(name.more or name.size or name.use)
        more = " ".join(filter(None, (thing.more, name.more)))
        size = thing.size or size_of(thing.thing, name.size)
        thing = replace(thing, more=more, size=size, use=thing.use or name.use)
    return thing


def completed(names: Sequence[Name], alike: bool) -> list[Name]:
    """Completes names by the first: in "leche entera o descremada" the other is "leche descremada". Raises Leaning
    where a name names nothing.
    """
    first, done = names[0], [names[0]]
    for name in names[1:]:
        if not name.thing:
            if not alike or name.use or not says_how(name.more):
                raise Leaning(name.more or name.size or name.use)
            if is_qualified(first):
                name = replace(name, thing=first.thing.split()[0])
        done.append(name)
    return done


def is_qualified(name: Name) -> bool:
    """Returns whether a thing is said with one quality: "leche entera", "aceite de oliva"."""
    words = name.thing.split()
    return not name.more and (len(words) <= 2 or (len(words) == 3 and words[1] in LINKS))


def elliptic(run: Run, known: ProductWords) -> Name | None:
    """The second of two things, of which only "de maíz" or "el de maíz" is said."""
    words = run.words[1:] if run.words[0] in DEFINITE else run.words
    if not run.joiner or words[:1] != ["de"]:
        return None
    return Name(more=singular_words(standing_alone(words, known), known))


def as_fruit(name: Name) -> Name:
    """A flavour that stands alone beside another thing is a thing too: "manzana o pera"."""
    return replace(name, thing=name.more, more="") if name.more in FRUITS else name
