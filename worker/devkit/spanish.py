"""Just enough Spanish for the simulated model: plain words, counts, what a clause is about, money."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from decimal import Decimal
from functools import lru_cache
from typing import Any, Final

Item = dict[str, Any]

PLACES: Final = {"primero": 1, "primera": 1, "segundo": 2, "segunda": 2, "tercero": 3, "tercera": 3}
_COUNTED = "cero un dos tres cuatro cinco seis siete ocho nueve diez once doce"
COUNTS: Final = {word: n for n, word in enumerate(_COUNTED.split()) if n} | {
    "una": 1,
    "uno": 1,
    "media docena": 6,
    "una docena": 12,
    "docena": 12,
}
COUNT_WORDS: Final = "|".join(sorted(COUNTS, key=len, reverse=True))
COUNT: Final = rf"\b(?:\d{{1,2}}|{COUNT_WORDS})\b(?! (?:l|lt|lts|litros?|ml|cc|g|gr|grs|gramos?)\b)"
ADD: Final = (
    r"\b(?:quiero|queria|quisiera|necesito|agreg\w+|sum[ae]\w*|pon[eg]\w*|dame|manda\w*|llevo|anota\w*|compr\w+)\b"
)
REMOVE: Final = r"\b(?:saca\w*|quita\w*|elimina\w*|borra\w*|no quiero)\b"
CHANGE: Final = r"\b(?:cambi[ao]\w*|modifica\w*|mejor(?! (?:agreg|sum))|que sean|deja\w*|en total)\b"

_COURTESIES = """
a ah ahi al algo algun alguna barata barato bolsa bolsas botella botellas buen buenas buenos buscando busco carrito
categoria che como comparame comparar con consulta conviene cosas cual cuales cuanto cuesta de del desde dia dias
duda el en entre es esa ese eso esta este favor gracias gustaria hay hola kg kilo kilos la las le lo los mas me mi
mis no noches o ok paquete paquetes para podes podrias por porfa porfis precio pregunta producto productos q que saber
sale se seccion si sola solo son su tal tambien tardes te tenes tienen total tu unas unidad unidades unos vale van
venden vendes ver vos y ya
"""
_STOP = frozenset(_COURTESIES.split()) | COUNTS.keys()
#: Names of categories and products come with every request.
REMEMBERED = 4096


@lru_cache(maxsize=REMEMBERED)
def plain(text: str) -> str:
    """Lower case, without accents, punctuation, decimal figures and percentages: "1,5 L" is not five of anything."""
    bare = "".join(c for c in unicodedata.normalize("NFKD", text.lower()) if not unicodedata.combining(c))
    return " ".join(re.findall(r"\d+|[^\W\d_]+", re.sub(r"\d+[.,]\d+|\d+ ?%", " ", bare)))


def count(words: str) -> int | None:
    """The first count in plain words ("dos leches" is 2); a size in litres or grams is none."""
    found = re.search(COUNT, words)
    return (COUNTS.get(found[0]) or int(found[0])) if found else None


@lru_cache(maxsize=REMEMBERED)
def term(words: str) -> str:
    """What plain words are about: without their count, verbs and courtesies; may be empty."""
    bare = re.sub(f"{ADD}|{REMOVE}|{CHANGE}", " ", re.sub(COUNT, " ", words, count=1))
    return " ".join(word for word in bare.split() if word not in _STOP)


@lru_cache(maxsize=REMEMBERED)
def stems(words: str) -> frozenset[str]:
    """Plain words without their plural endings."""
    return frozenset(re.sub(r"(?<=\w\w)(es|s|e)$", "", word) for word in words.split())


def matches(words: str, items: Sequence[Item]) -> list[Item]:
    """The items whose name shares the most words with plain words; a number alone (a size) is no match."""
    wanted = stems(term(words))
    shared = [(wanted & stems(plain(item["name"])), item) for item in items]
    scored = [(len(common), item) for common, item in shared if any(stem[2:].isalpha() for stem in common)]
    best = max((score for score, _ in scored), default=0)
    return [item for score, item in scored if score == best]


def money(amount: Decimal, currency: str) -> str:
    """An amount the Spanish way: "$ 1.850,00" for ARS, "1,85 €" for EUR."""
    figure = f"{amount:,.2f}".translate(str.maketrans(",.", ".,"))
    return f"$ {figure}" if currency == "ARS" else f"{figure} {'€' if currency == 'EUR' else currency}"
