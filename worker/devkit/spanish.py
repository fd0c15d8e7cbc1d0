"""Spanish as the simulated models read and write it: words, counts, what a clause is about, money, the shop's facts."""

import json
import re
import tomllib
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

Item = dict[str, Any]
Facts = Mapping[str, Any]
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
_TO_A_PLACE: Final = re.compile(PATTERNS["to_a_place"])


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


@lru_cache(maxsize=64)
def facts_in(system: str) -> dict[str, Any]:
    """Reads `categories` and `shop` from the lines of the instructions that end with them; empty where none does."""
    found: dict[str, Any] = {"categories": [], "shop": {}}
    for line in system.splitlines():
        with suppress(ValueError):
            if isinstance(read := json.loads(line[line.find('{"') :] or "0"), dict):
                found |= {name: read[name] for name in found if read.get(name)}
    return found


def opening_hours(shop: Facts, now: Facts) -> str:
    """Says when the shop is open, and whether it is now; empty where that is not known."""
    return "\n".join(_opening(shop, now))


def _opening(shop: Facts, now: Facts) -> Iterator[str]:
    yield from (f"• {day}: {spans}" for day, spans in (shop.get("hours") or {}).items())
    for branch in shop.get("branches") or ():
        if own := "; ".join(f"{day} {spans}" for day, spans in (branch.get("hours") or {}).items()):
            yield f"• {branch.get('name') or branch.get('address')}: {own}"
    for name, told in (now.get("branches") or {"": now}).items():
        if "open" in told:
            state = "abierto" if told["open"] else "cerrado"
            until = f" hasta las {told['closes']}" if "closes" in told else ""
            again = f", abre {told['opens']}" if "opens" in told else ""
            yield f"Ahora{' ' + name if name else ''}: {state}{until}{again}."


def addresses(shop: Facts) -> str:
    """Says where the shop is; empty where that is not known."""
    branches = [branch for branch in shop.get("branches") or () if branch.get("address")]
    return "\n".join(f"• {': '.join(filter(None, (each.get('name'), each['address'])))}" for each in branches)


def deliveries(shop: Facts, words: str) -> str:
    """Says whether there is a delivery, to the place that plain words name or to all areas; empty where not known."""
    told, is_place = shop.get("delivery"), bool(_TO_A_PLACE.search(words))
    if told is False:
        return "No hacemos envíos."
    if not isinstance(told, Mapping):
        return "Sí, hacemos envíos." if told and not is_place else ""
    areas = told.get("areas") or []
    named = [
        area
        for area in areas
        if any(f" {plain(name)} " in f" {words} " for name in (area["area"], *area.get("also", ())))
    ]
    if not named and is_place:
        return ""
    return "\n".join(map(_area, named or areas))


def _area(area: Facts) -> str:
    told = {"fee": "envío {}", "minimum": "compra mínima {}", "free_from": "gratis desde {}"}
    said = ", ".join(text.format(area[name]) for name, text in told.items() if name in area)
    return f"• {area['area']}{': ' if said else ''}{said}"
