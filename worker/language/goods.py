"""Goods: what shops sell, by all its names, and what is known of it (`data/goods.toml`). Everything is normalised."""

from collections.abc import Iterable
from itertools import chain
from typing import Any, Final

from worker.language.vocabulary import read_data

_DATA: Final[dict[str, Any]] = read_data("goods")
_LINES: Final = tuple(chain.from_iterable(_DATA["names"].values()))


def _listed(names: str, sign: str = ",") -> tuple[str, ...]:
    return tuple(name.strip() for name in names.split(sign))


def _bare(name: str) -> str:
    """A name without the brackets of one that is a word of other things too."""
    return name.strip("()")


def _same(lines: Iterable[str]) -> dict[tuple[str, ...], tuple[str, ...]]:
    """The words of the first of the names that "=" joins, by those of each other one."""
    joined = (_listed(part, "=") for line in lines for part in _listed(line))
    return {tuple(_bare(other).split()): tuple(_bare(first).split()) for first, *others in joined for other in others}


def _words(name: str) -> frozenset[str]:
    return frozenset(_DATA["lists"][name].split())


#: Names of one thing, each group as it stands on its line.
GROUPS: Final = tuple(tuple(map(_bare, _listed(line.replace("=", ",")))) for line in _LINES)
#: All words of these names.
NAME_WORDS: Final = frozenset(word for group in GROUPS for name in group for word in name.split())
#: The words of a name by those of another one that shares its answer.
SAME: Final = _same((*_LINES, *_DATA["said"]["same"]))
#: Names of what belongs to a kind, by names of the kind.
KINDS: Final = {_listed(kind): _listed(members) for kind, members in _DATA["kinds"].items()}
#: Names of what signs picture.
PICTURES: Final = {sign: frozenset(names.split()) for sign, names in _DATA["pictures"].items()}
FLAVOURS = _words("flavours")
_TRUSTED: Final = (name for line in _LINES for name in _listed(line.replace("=", ",")) if name.isalpha())
#: Words that begin the name of something sold.
GROCERIES = (_words("goods") | frozenset(_TRUSTED)) - FLAVOURS
NAMES_ALL_THE_SAME = _words("names_all_the_same")
NOT_LEANING = _words("not_leaning")
SECTIONS = _words("sections")
TEAS = _words("teas")
WEIGHED = _words("weighed")
DRINKS = _words("drinks")
BAGGED = _words("bagged")
