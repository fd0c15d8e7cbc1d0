"""Spanish as the simulated models read it: plain words, counts, what a clause is about, amounts of money."""

import re
import tomllib
import unicodedata
from collections.abc import Mapping, Sequence
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

Item = dict[str, Any]
_DATA: Final = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))
ORDINALS: Final[Mapping[str, int]] = _DATA["ordinals"]
COUNTS: Final[Mapping[str, int]] = _DATA["counts"]
_NUMBERS: Final = {"counts": "|".join(COUNTS), "ordinals": "|".join(ORDINALS)}
PATTERNS: Final = _NUMBERS | {name: pattern % _NUMBERS for name, pattern in _DATA["patterns"].items()}
ORDER: Final = re.compile("{add}|{remove}|{change}".format_map(PATTERNS))
_COUNT: Final = re.compile(PATTERNS["count"])
_COURTESIES: Final = {*_DATA["courtesies"].split(), *COUNTS}
#: Names of categories and products come with every request.
_REMEMBERED: Final = 4096


@lru_cache(maxsize=_REMEMBERED)
def plain(text: str) -> str:
    """Strips accents, punctuation, decimal figures and percentages, in lower case: "1,5 L" is not five of anything."""
    bare = "".join(c for c in unicodedata.normalize("NFKD", text.lower()) if not unicodedata.combining(c))
    return " ".join(re.findall(r"\d+|[^\W\d_]+", re.sub(r"\d+[.,]\d+|\d+ ?%", " ", bare)))


def count(words: str) -> int | None:
    """Reads the first count in plain words ("dos leches" is 2); a size in litres or grams is none."""
    found = _COUNT.search(words)
    return (COUNTS.get(found[0]) or int(found[0])) if found else None


@lru_cache(maxsize=_REMEMBERED)
def term(words: str) -> str:
    """Strips the count, verbs and courtesies from plain words; may leave nothing."""
    bare = ORDER.sub(" ", _COUNT.sub(" ", words, count=1))
    return " ".join(word for word in bare.split() if word not in _COURTESIES)


@lru_cache(maxsize=_REMEMBERED)
def stems(words: str) -> frozenset[str]:
    """Strips the plural endings of plain words."""
    return frozenset(re.sub(r"(?<=\w\w)(es|s|e)$", "", word) for word in words.split())


def matches(words: str, items: Sequence[Item]) -> list[Item]:
    """Finds the items whose name shares the most words with plain words; a number alone (a size) is no match."""
    wanted = stems(term(words))
    shared = [(wanted & stems(plain(item["name"])), item) for item in items]
    scored = [(len(common), item) for common, item in shared if any(stem[2:].isalpha() for stem in common)]
    best = max((score for score, _ in scored), default=0)
    return [item for score, item in scored if score == best]


def money(amount: Decimal, currency: str) -> str:
    """Writes an amount the Spanish way: "$ 1.850,00" for ARS, "1,85 €" for EUR."""
    figure = f"{amount:,.2f}".translate(str.maketrans(",.", ".,"))
    return f"$ {figure}" if currency == "ARS" else f"{figure} {'€' if currency == 'EUR' else currency}"
