"""Kinds of figures in a text: money, shares, hours, times, sizes, by what stands around them. Pure: no I/O."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import TypeAlias

from msgspec import Struct
from msgspec.structs import astuple

from worker.catalog.numbers import readings
from worker.language.patterns import patterns_of, read_data

Figure: TypeAlias = tuple[re.Match[str], str, frozenset[Decimal]]
#: Beginnings of words by which a sentence tells what its figures are of.
_SPOKEN_OF = {
    name: re.compile(rf"\b(?:{'|'.join(words.split())})", re.IGNORECASE)
    for name, words in read_data(__file__, "figures").items()
}
_P = patterns_of(__file__)
FIGURE = _P["digits"]
_NO_NUMBER = frozenset({Decimal(-1)})
#: Kinds of figures: of two at one place the later one is meant.
_RANKS = ("instalments", "size", "count", "left", "grades", "time", "clock", "share", "money")


class Told(Struct, frozen=True):
    """Figures of the facts: all, times, shares, amounts of money."""

    values: frozenset[Decimal]
    times: frozenset[Decimal]
    shares: frozenset[Decimal]
    amounts: frozenset[Decimal]

    def __or__(self, other: Told) -> Told:
        return Told(*(mine | theirs for mine, theirs in zip(astuple(self), astuple(other), strict=True)))


def speaks(name: str, text: str) -> bool:
    """Returns whether a text has a word of a list in `figures.toml`."""
    return bool(_SPOKEN_OF[name].search(text))


def unspaced(text: str) -> str:
    """The text with the thousands of its amounts together."""
    return _P["spaced"].sub(lambda match: match[0].replace(" ", ""), text)


def figures_of(text: str) -> Iterator[Figure]:
    """The figures of a text: place, kind, and values in each reading; -1 for no number, as a date."""
    kinds = kinds_of(text) if FIGURE.search(text) else {}
    for match in FIGURE.finditer(text):
        yield match, kinds.get(match.start(), "number"), frozenset(readings(match[0]).values()) or _NO_NUMBER


def kinds_of(reply: str) -> dict[int, str]:
    """Kinds of the figures of a reply, by the place where they begin."""
    found = [(match.start(1), match.lastgroup or "") for match in _P["unit"].finditer(reply)]
    for kind in ("left", "clock", "money"):
        found += [(start, kind) for match in _P[kind].finditer(reply) for start, _end in match.regs[1:]]
    return dict(sorted(found, key=lambda each: _RANKS.index(each[1])))


def told_in(texts: Iterable[str]) -> Told:
    """Returns the figures of some facts."""
    text = "\n\n".join(texts)
    return Told(
        frozenset(values_of([text])),
        frozenset(values_of(match[1] for match in _P["time"].finditer(text))),
        shares_in(text),
        frozenset(values_of(match[match.lastindex or 0] for match in _P["money"].finditer(text))),
    )


def shares_in(text: str) -> frozenset[Decimal]:
    """Returns the shares of a hundred that a text names."""
    return frozenset(values_of(match[1] for match in _P["share"].finditer(text)))


def values_of(texts: Iterable[str]) -> Iterator[Decimal]:
    """Values of the figures in some texts, in each of their readings."""
    for text in texts:
        for figure in FIGURE.findall(text):
            yield from readings(figure).values()
