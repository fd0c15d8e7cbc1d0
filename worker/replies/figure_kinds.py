"""Kinds of figures in a text: money, shares, hours, times, sizes, by what stands around them. Pure: no I/O."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import TypeAlias

from msgspec import Struct
from msgspec.structs import astuple

from worker.catalog.numbers import readings

Figure: TypeAlias = tuple[re.Match[str], str, frozenset[Decimal]]
_WORDS: dict[str, str] = tomllib.loads(Path(__file__).with_name("figures.toml").read_text("utf-8"))
_SPOKEN_OF = {name: re.compile(rf"\b(?:{'|'.join(words.split())})", re.IGNORECASE) for name, words in _WORDS.items()}
#: No figure that anybody means is longer; each is looked at once, however many digits stand in a row.
_DIGITS = r"\d{1,15}(?:[.,]\d{1,15}){0,5}"
FIGURE = re.compile(_DIGITS)
_F = rf"(?<!\d)({_DIGITS})"
_CODES = r"ARS|USD|MXN|COP|CLP|PEN|UYU|EUR|BOB|PYG|VES|CRC|GTQ|HNL|NIO|PAB|DOP"
#: Money on either side of a figure, as shops of Latin America and Spain write it, and the price of a thing.
MONEY = re.compile(
    rf"(?:[$€₲₡]|\b(?:S/|B/|Bs(?:\.S)?|Gs)\.?|\b(?:{_CODES}))[^\S\n]?{_F}|\b[QL]{_F}"
    rf"|{_F}[^\S\n]?(?:[€$](?![^\S\n]?\d)|pesos?\b|soles\b|euros?\b|d[oó]lar(?:es)?\b|lucas?\b|(?:{_CODES})\b)"
    r"|\b(?:cuestan?|sal(?:e|en)|valen?|queda(?:n|r[ií]a)? en|dejo (?:en|a)|(?:precio|total)(?: es| de| final)*):? "
    rf"{_F}(?=\s*(?:[;!?\n)]|[.,](?:\s|$)|$|(?:el|la|los|las|por|cada|c/u|y|en total)\b))",
    re.IGNORECASE,
)
#: Thousands apart by spaces, as in Costa Rica.
_SPACED = re.compile(r"(?<=[$€₲₡])\d{1,3}(?: \d{3}){1,4}(?!\d)")
SHARE = re.compile(rf"{_F}\s?(?:%|por ciento\b)")
TIME = re.compile(rf"{_F}\s?(?:min(?:utos?)?|horas?|d[ií]as?)\b", re.IGNORECASE)
_DAYS = r"(?:abr|cerr|cierr|aten|atien|horario|lunes|martes|mi[eé]rcoles|jueves|viernes|s[aá]bado|domingo)"
_CLOCK = re.compile(
    rf"\b(?:a|desde|hasta|entre|sobre|tipo) las? {_F}|{_F}\s?hs?\b"
    rf"|\b{_DAYS}[^.!?\n]{{0,30}}\bde {_F}(?::\d\d)?(?: ?hs?\.?)? a {_F}",
    re.IGNORECASE,
)
_LEFT = re.compile(
    rf"(?<!te )(?<!le )\bquedan? (?:s[oó]lo |solamente |apenas |las [uú]ltimas |unas? )?{_F}"
    rf"|{_F} (?:en stock|disponibles)\b",
    re.IGNORECASE,
)
#: Kinds that the word behind a figure tells, read together: each costs a walk through the reply.
_UNITS = re.compile(
    rf"{_F}(?:"
    r"\s?(?P<share>%|por ciento\b)"
    r"|\s?(?P<grades>°|º|grados?\b)"
    r"|\s?(?P<time>min(?:utos?)?|horas?|d[ií]as?)\b"
    r"| (?P<instalments>cuotas?|pagos?)\b"
    r"|\s?(?P<size>g|gr|grs|gramos?|ml|kg|kilos?|l|litros?)\b"
    r"| (?P<count>porcion(?:es)?|personas?|tazas?|cucharad\w+|vasos?|mates|calor[ií]as|kcal|cal|mg|cm|metros?|watts?"
    r"|hojas|rollos|pa[nñ]os|s[aá]quitos|lavados|a[nñ]os)\b"
    r")",
    re.IGNORECASE,
)
_NO_NUMBER = frozenset({Decimal(-1)})
_AROUND = {"money": MONEY, "clock": _CLOCK, "left": _LEFT}
#: Units that name a figure although it is told as an hour, or as one that is left.
_SURE, _SURER = frozenset({"share"}), frozenset({"share", "grades", "time"})


class Told(Struct, frozen=True):
    """Figures of the facts: all, times, shares, amounts of money."""

    values: frozenset[Decimal]
    times: frozenset[Decimal]
    shares: frozenset[Decimal]
    amounts: frozenset[Decimal]

    def __or__(self, other: Told) -> Told:
        """The figures of both."""
        return Told(*(mine | theirs for mine, theirs in zip(astuple(self), astuple(other), strict=True)))


def speaks(name: str, text: str) -> bool:
    """Returns whether a text has a word of a list in `figures.toml`."""
    return bool(_SPOKEN_OF[name].search(text))


def unspaced(text: str) -> str:
    """The text with the thousands of its amounts together."""
    return _SPACED.sub(lambda match: match[0].replace(" ", ""), text)


def figures_of(text: str) -> Iterator[Figure]:
    """The figures of a text: place, kind, and values in each reading; -1 for no number, as a date."""
    kinds = kinds_of(text)
    for match in FIGURE.finditer(text):
        yield match, kinds.get(match.start(), "number"), frozenset(readings(match[0]).values()) or _NO_NUMBER


def kinds_of(reply: str) -> dict[int, str]:
    """Kinds of the figures of a reply, by the place where they begin; the first that takes one names it."""
    units = {match.start(1): match.lastgroup or "" for match in _UNITS.finditer(reply)}
    sure, surer = (_only(units, kinds) for kinds in (_SURE, _SURER))
    places = {kind: dict.fromkeys(_places(pattern, reply), kind) for kind, pattern in _AROUND.items()}
    return units | places["left"] | surer | places["clock"] | sure | places["money"]


def _only(units: dict[int, str], kinds: frozenset[str]) -> dict[int, str]:
    return {place: kind for place, kind in units.items() if kind in kinds}


def _places(pattern: re.Pattern[str], text: str) -> Iterator[int]:
    return (start for match in pattern.finditer(text) for start, _end in match.regs[1:])


def told_in(texts: Iterable[str]) -> Told:
    """Returns the figures of some facts."""
    text = "\n\n".join(texts)
    return Told(
        frozenset(values_of([text])),
        frozenset(values_of(match[1] for match in TIME.finditer(text))),
        frozenset(values_of(match[1] for match in SHARE.finditer(text))),
        frozenset(values_of(match[match.lastindex or 0] for match in MONEY.finditer(text))),
    )


def values_of(texts: Iterable[str]) -> Iterator[Decimal]:
    """Values of the figures in some texts, in each of their readings."""
    for text in texts:
        for figure in FIGURE.findall(text):
            yield from readings(figure).values()
