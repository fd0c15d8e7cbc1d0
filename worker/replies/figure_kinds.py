"""Kinds of figures in a text: money, shares, hours, times, sizes, by what stands around them. Pure: no I/O."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator
from decimal import Decimal
from pathlib import Path

from worker.catalog.numbers import readings

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
_MEASURE = re.compile(rf"{_F}\s?(?:g|gr|grs|gramos?|ml|kg|kilos?|l|litros?)\b", re.IGNORECASE)
_GRADES = re.compile(rf"{_F}\s?(?:°|º|grados?\b)", re.IGNORECASE)
_PARTED = re.compile(rf"{_F} (?:cuotas?|pagos?)\b", re.IGNORECASE)
_COUNTED = re.compile(
    rf"{_F} (?:porcion(?:es)?|personas?|tazas?|cucharad\w+|vasos?|mates|calor[ií]as|kcal|cal|mg|cm|metros?|watts?|"
    r"hojas|rollos|pa[nñ]os|s[aá]quitos|lavados|a[nñ]os)\b",
    re.IGNORECASE,
)
#: Kinds of figures; the first that takes one names it.
_KINDS = (
    ("money", MONEY),
    ("share", SHARE),
    ("clock", _CLOCK),
    ("grades", _GRADES),
    ("time", TIME),
    ("left", _LEFT),
    ("instalments", _PARTED),
    ("size", _MEASURE),
    ("count", _COUNTED),
)


def speaks(name: str, text: str) -> bool:
    """Returns whether a text has a word of a list in `figures.toml`."""
    return bool(_SPOKEN_OF[name].search(text))


def unspaced(text: str) -> str:
    """The text with the thousands of its amounts together."""
    return _SPACED.sub(lambda match: match[0].replace(" ", ""), text)


def kinds_of(reply: str) -> dict[int, str]:
    """Kinds of the figures of a reply, by the place where they begin."""
    found: dict[int, str] = {}
    for kind, pattern in _KINDS:
        for match in pattern.finditer(reply):
            for group in range(1, pattern.groups + 1):
                found.setdefault(match.start(group), kind)
    return found


def values_of(texts: Iterable[str]) -> Iterator[Decimal]:
    """Values of the figures in some texts, in each of their readings."""
    for text in texts:
        for figure in FIGURE.findall(text):
            yield from readings(figure).values()
