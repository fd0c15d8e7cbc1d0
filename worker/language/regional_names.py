"""Other names for a product: in other countries, short ones, brands that stand for the thing. Pure: no I/O."""

from __future__ import annotations

import tomllib
from collections import defaultdict
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from typing import Final

from worker.language.product_words import ProductWords, stem, stems

#: Names of one thing in different countries; each group as it stands in `regional.toml`.
GROUPS: Final = tuple(
    tuple(name.strip() for name in group.split(","))
    for groups in tomllib.loads((Path(__file__).parent / "data" / "regional.toml").read_text("utf-8")).values()
    for group in groups
)
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
    """The same term with other names for a thing that the shop does not call so; and for a word that it does not know,
    with one that it begins with: "salamin" with "salame".
    """
    said = term.split()
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
