"""Runs of words between the phrases of a message, and the names of things in them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from msgspec.structs import replace

from worker.language.name_words import FRUITS, Leaning, says_how, standing_alone
from worker.language.names import Name, read_name, singular_words, size_of
from worker.language.product_words import ProductWords
from worker.language.vocabulary import DEFINITE, LINKS

#: An "y" that stands before another phrase than a name: "leche, y a cuánto el litro".
AND: Final = "&"


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
