"""Facts of the shop as the simulated models read them in a request, and what they say of them."""

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import lru_cache
from typing import Any, Final

from worker.devkit.spanish import plain

Facts = Mapping[str, Any]
#: A place is named: "envían a Palermo", but not "a domicilio".
_TO_A_PLACE: Final = re.compile(
    r"\b(?:envios?|delivery|envian|entregan|reparten|llegan|mandan) (?:\w+ )?(?:a|al|en|hasta|por)"
    r" (?!domicilio|casa|que|donde)\w"
)


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
    lines = [*_hours(shop), *_open_now(now)]
    return "\n".join(lines)


def _hours(shop: Facts) -> Iterator[str]:
    for day, spans in (shop.get("hours") or {}).items():
        yield f"• {day}: {spans}"
    for branch in shop.get("branches") or ():
        own = "; ".join(f"{day} {spans}" for day, spans in (branch.get("hours") or {}).items())
        if own:
            yield f"• {branch.get('name') or branch.get('address')}: {own}"


def _open_now(now: Facts) -> Iterator[str]:
    each = now.get("branches") or {"": now}
    for name, told in each.items():
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
    named = [area for area in areas if any(_names(words, name) for name in (area["area"], *area.get("also", ())))]
    if not named and is_place:
        return ""
    return "\n".join(map(_area, named or areas))


def _names(words: str, name: str) -> bool:
    return f" {plain(name)} " in f" {words} "


def _area(area: Facts) -> str:
    told = {"fee": "envío {}", "minimum": "compra mínima {}", "free_from": "gratis desde {}"}
    said = ", ".join(text.format(area[name]) for name, text in told.items() if name in area)
    return f"• {area['area']}{': ' if said else ''}{said}"
