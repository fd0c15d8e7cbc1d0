"""Mistakes in SHOP_FILE in words: the place, what is wrong, and what was probably meant. Pure: no I/O."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from babel.numbers import list_currencies
from pydantic import ValidationError

from worker.shop.areas import folded
from worker.shop.conventions import CONVENTIONS, locale_of
from worker.shop.shop_file_form import TABLES, ShopTable

Location = Sequence[int | str]
DEFAULT_CURRENCY = "ARS"
#: Below this likeness another word is meant.
CLOSE = 0.7


def mistakes_of(raw: Mapping[str, Any], error: ValidationError | None) -> list[str]:
    """Returns a line for each mistake of a file, in no value's own words but those that show it: `hours.monday[0]:
    "25:00" is no time of day`.

    Args:
        raw: the file's content.
        error: what validating it has found.
    """
    found = [_in_words(each) for each in error.errors(include_url=False)] if error else []
    return [*found, *_beside_each_other(raw)]


def _in_words(error: Mapping[str, Any]) -> str:
    location = [step for step in error["loc"] if step != "[key]"]
    if error["type"] == "extra_forbidden":
        return f"{place(location)}: no such key{_meant(location)}"
    return f"{place(location)}: {_reason(error)}"


def place(location: Location) -> str:
    """Returns where something stands: `branches[1].hours.monday[0]`."""
    steps = (f"[{step}]" if isinstance(step, int) else f".{step}" for step in location)
    return "".join(steps).removeprefix(".")


def _reason(error: Mapping[str, Any]) -> str:
    if error["type"] == "missing":
        return "needed"
    return str(error["msg"]).removeprefix("Value error, ")


def _meant(location: Location) -> str:
    """Returns the nearest key of the same table, or the table in which there is such a key."""
    key, names = str(location[-1]), [step for step in location[:-1] if isinstance(step, str)]
    table = TABLES[names[-1]] if names else ShopTable
    if near := get_close_matches(key, table.model_fields, 1, CLOSE):
        return f"; is {near[0]} meant?"
    elsewhere = next((name for name, other in TABLES.items() if key in other.model_fields), None)
    return f"; it stands in {elsewhere}" if elsewhere else f"; known are {', '.join(table.model_fields)}"


def _beside_each_other(raw: Mapping[str, Any]) -> Iterator[str]:
    """Yields mistakes that no value makes alone. What is not of its kind was told before, and is passed over."""
    delivery = raw.get("delivery")
    areas = _tables(delivery.get("areas")) if isinstance(delivery, dict) else []
    branches = _tables(raw.get("branches"))
    yield from _named_twice("delivery.areas", [_names(area) for area in areas])
    yield from _named_twice("branches", [[str(each.get("name") or each.get("address") or "")] for each in branches])
    for number, branch in enumerate(branches):
        if not branch.get("name") and not branch.get("address"):
            yield f"branches[{number}]: needs a name or an address"
    yield from _unclear_country(raw, [raw, *branches, delivery, *areas])


def _tables(value: Any) -> list[dict[str, Any]]:
    return [each if isinstance(each, dict) else {} for each in value] if isinstance(value, list) else []


def _names(area: Mapping[str, Any]) -> list[str]:
    others = area.get("names")
    return [str(area.get("name") or ""), *(map(str, others) if isinstance(others, list) else ())]


def _named_twice(where: str, named: Sequence[Sequence[str]]) -> Iterator[str]:
    """Yields the names that two tables have, however they are written."""
    counts = Counter(name for names in named for name in {*map(folded, names)} if name.strip())
    for name in (name for name, count in counts.items() if count > 1):
        numbers = [number for number, names in enumerate(named) if name in map(folded, names)]
        yield f"{where}[{numbers[1]}]: {where}[{numbers[0]}] has the name {name.strip()} too"


def currency_of(raw: Mapping[str, Any]) -> str:
    """Returns the currency that a file's content names, or else that of the country it names."""
    usual = CONVENTIONS.get(str(raw.get("locale")).replace("-", "_"))
    return str(raw.get("currency") or (usual.currency if usual else DEFAULT_CURRENCY))


def _unclear_country(raw: Mapping[str, Any], with_hours: Sequence[Any]) -> Iterator[str]:
    """Yields what must be given because the currency or the country leaves it open."""
    currency, locale = currency_of(raw), raw.get("locale")
    if locale is None and currency in list_currencies() and locale_of(currency) is None:
        yield f'locale: needed beside currency = "{currency}": it is not that of one country, such as es_EC'
    usual = CONVENTIONS.get(str(locale or locale_of(currency)).replace("-", "_"))
    if locale and usual is None and not raw.get("currency"):
        yield f'currency: needed beside locale = "{locale}": it is not known for that country'
    has_hours = any(isinstance(table, dict) and table.get("hours") for table in with_hours)
    if has_hours and not raw.get("timezone") and (locale or usual) and not (usual and usual.timezone):
        yield "timezone: needed beside hours: the country has more than one, or none is known for it"
