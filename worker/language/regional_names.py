"""Other names for a product: in other countries, short ones, brands that stand for the thing. Pure: no I/O."""

from collections import defaultdict
from collections.abc import Sequence
from itertools import combinations
from typing import Final

from worker.language.goods import GROUPS, KINDS
from worker.language.product_words import ProductWords, is_any, stem, stems
from worker.language.vocabulary import MEASURES

#: Names of what belongs to a kind, by the stem of each word for the kind.
MEMBERS: Final = {stem(kind): members for kinds, members in KINDS.items() for kind in kinds}
#: Other names that are tried for one that the shop does not use.
MAX_OTHERS = 2
#: Letters of a word by which another one of the same beginning is taken for it.
SHORTEST_BEGINNING = 5


def _by_first_stem() -> dict[str, list[tuple[tuple[str, ...], tuple[str, ...]]]]:
    """Each name by the stem of its first word, the longest first: its stems, and its group, the name itself first."""
    found: dict[str, list[tuple[tuple[str, ...], tuple[str, ...]]]] = defaultdict(list)
    for group in GROUPS:
        for name in group:
            words = stems(name)
            found[words[0]].append((words, (name, *(other for other in group if other != name))))
    return {first: sorted(names, key=lambda each: -len(each[0])) for first, names in found.items()}


_OTHER_NAMES: Final = _by_first_stem()
#: Words that make one name together: "pan" and "molde".
ONE_THING: Final = frozenset(
    frozenset(pair) for group in GROUPS for name in group for pair in combinations(stems(name), 2)
)


def other_names(term: str, words: ProductWords) -> list[str]:
    """The same term with other names for a thing that the shop does not call so; with what belongs to a kind; and for a
    word that the shop does not know with one that it begins with: "salamin" with "salame".
    """
    said = term.split()
    if kind := _kind_in(said, words):
        members = [name for name in MEMBERS[stem(kind)] if _is_called(name, words)][:MAX_OTHERS]
        return [" ".join(name if word == kind else word for word in said) for name in members]
    found = [stem(word) for word in said]
    for place, first in enumerate(found):
        for name, group in _OTHER_NAMES.get(first, ()):
            before, meant, behind = said[:place], said[place : place + len(name)], said[place + len(name) :]
            if tuple(found[place : place + len(name)]) != name or _is_known(before, meant, group[0], words):
                continue
            if sold := _sold(group, words):
                return [" ".join((*before, other, *behind)) for other in sold]
    shorter = [_shortened(word, words) for word in said]
    return [" ".join(shorter)] if shorter != said else []


def _kind_in(said: Sequence[str], words: ProductWords) -> str | None:
    """Word for a kind that the shop uses itself, where a term says beside it only how much."""
    named = [word for word in said if not (word[0].isdecimal() or is_any(word, MEASURES))]
    return named[0] if len(named) == 1 and stem(named[0]) in MEMBERS and _is_called(named[0], words) else None


def _is_known(before: Sequence[str], meant: Sequence[str], name: str, words: ProductWords) -> bool:
    """Returns whether this shop calls a thing so. Behind another name ("queso fresco") its words are enough."""
    if not words.stems.issuperset(map(stem, meant)):
        return False
    qualifies = any(words.is_name(word) for word in before)
    return qualifies or _is_called(" ".join(meant), words) or _is_called(name, words)


def _is_called(name: str, words: ProductWords) -> bool:
    """Returns whether names of products here begin so."""
    return name in words.beginnings or stem(name) in words.firsts


def _sold(group: Sequence[str], words: ProductWords) -> list[str]:
    """Other names of a group that products here have, those that begin so first."""
    own = stems(group[0])
    sold = [other for other in group[1:] if words.stems.issuperset(stems(other)) and stems(other) != own]
    return sorted(sold, key=lambda other: not _is_called(other, words))[:MAX_OTHERS]


def _shortened(word: str, words: ProductWords) -> str:
    if stem(word) in words.stems:
        return word
    beginnings = (word[:length] for length in range(len(word) - 1, SHORTEST_BEGINNING - 1, -1))
    return next((each for each in beginnings if each in words.stems or f"{each}o" in words.stems), word)
