"""Reading SHOP_FILE: TOML to a Shop, every mistake named with its place, all of them at once."""

import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from babel.numbers import list_currencies
from pydantic import ValidationError

from worker.errors import ShopFileInvalid
from worker.settings import Settings
from worker.shop.conventions import CONVENTIONS, Convention, locale_of
from worker.shop.hours import Hours
from worker.shop.shop import Branch, DeliveryArea, Shop, folded
from worker.shop.shop_file_form import TABLES, BranchTable, HoursTable, ShopTable

DEFAULT_CURRENCY = "ARS"
#: Of a country that `conventions.toml` does not know.
UNKNOWN_COUNTRY = Convention(currency=DEFAULT_CURRENCY, form="tu")
#: Below this likeness another word is meant.
CLOSE = 0.7


def load_shop(settings: Settings) -> Shop:
    """Reads the shop of `settings.shop_file`, as `read_shop`; without one, a shop of which the name alone is known."""
    if settings.shop_file is None:
        return Shop(settings.shop_name, timezone=CONVENTIONS["es_AR"].timezone)
    return read_shop(settings.shop_file)


def read_shop(file: Path) -> Shop:
    """Reads a shop's file. Raises ShopFileInvalid where it cannot be read, or with all its mistakes."""
    raw = _content(file)
    try:
        table = ShopTable.model_validate(raw, context={"currency": _currency_of(raw)})
    except ValidationError as exc:
        found = [_in_words(error) for error in exc.errors(include_url=False)]
        raise ShopFileInvalid(str(file), [*found, *_beside_each_other(raw)]) from None
    if mistakes := list(_beside_each_other(raw)):
        raise ShopFileInvalid(str(file), mistakes)
    return _shop(table)


def _content(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text("utf-8-sig"), parse_float=Decimal)
    except OSError as exc:
        raise ShopFileInvalid(str(file), [f"cannot be read: {exc.strerror}"]) from exc
    except ValueError as exc:
        raise ShopFileInvalid(str(file), [f"not valid TOML: {exc}"]) from exc


def _shop(table: ShopTable) -> Shop:
    locale = table.locale or locale_of(table.currency or DEFAULT_CURRENCY) or ""
    usual = CONVENTIONS.get(locale, UNKNOWN_COUNTRY)
    hours = _hours(table.hours)
    offered = table.delivery.offered
    return Shop(
        name=table.name,
        currency=table.currency or usual.currency,
        locale=locale,
        form=table.form or usual.form,
        payments=table.payments,
        pickup=table.pickup,
        areas=tuple(
            DeliveryArea(area.name, area.names, area.fee, area.minimum, area.free_from, _hours(area.hours))
            for area in table.delivery.areas
        ),
        branches=tuple(_branch(branch, hours) for branch in table.branches),
        timezone=table.timezone or usual.timezone,
        hours=hours,
        delivers=bool(table.delivery.areas) or None if offered is None else offered,
        delivery_hours=_hours(table.delivery.hours),
        returns=table.returns,
        complaints=table.complaints,
        contact=tuple(table.contact.model_dump(exclude_none=True).items()),
        questions=tuple((each.question, each.answer) for each in table.questions),
    )


def _hours(table: HoursTable | None) -> Hours | None:
    if table is None:
        return None
    days = (table.monday, table.tuesday, table.wednesday, table.thursday, table.friday, table.saturday, table.sunday)
    return Hours(days, tuple(sorted(table.exceptions.items())))


def _branch(table: BranchTable, shared: Hours | None) -> Branch:
    """Returns a branch with its hours. A holiday of the shop is one of its branches too, unless they say otherwise."""
    own = _hours(table.hours)
    hours = own.with_dates(shared.dates) if own and shared else own or shared
    return Branch(table.name, table.address, table.phone, hours)


def _in_words(error: Mapping[str, Any]) -> str:
    """Returns a mistake that pydantic has found, with its place: `hours.monday[0]: "25:00" is no time of day`."""
    location = [step for step in error["loc"] if step != "[key]"]
    place = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in location).removeprefix(".")
    if error["type"] == "extra_forbidden":
        return f"{place}: no such key{_meant(location)}"
    return f"{place}: {'needed' if error['type'] == 'missing' else str(error['msg']).removeprefix('Value error, ')}"


def _meant(location: Sequence[int | str]) -> str:
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


def _currency_of(raw: Mapping[str, Any]) -> str:
    """Returns the currency that a file's content names, or else that of the country it names."""
    usual = CONVENTIONS.get(str(raw.get("locale")).replace("-", "_"))
    return str(raw.get("currency") or (usual.currency if usual else DEFAULT_CURRENCY))


def _unclear_country(raw: Mapping[str, Any], with_hours: Sequence[Any]) -> Iterator[str]:
    """Yields what must be given because the currency or the country leaves it open."""
    currency, locale = _currency_of(raw), raw.get("locale")
    if locale is None and currency in list_currencies() and locale_of(currency) is None:
        yield f'locale: needed beside currency = "{currency}": it is not that of one country, such as es_EC'
    usual = CONVENTIONS.get(str(locale or locale_of(currency)).replace("-", "_"))
    if locale and usual is None and not raw.get("currency"):
        yield f'currency: needed beside locale = "{locale}": it is not known for that country'
    has_hours = any(isinstance(table, dict) and table.get("hours") for table in with_hours)
    if has_hours and not raw.get("timezone") and (locale or usual) and not (usual and usual.timezone):
        yield "timezone: needed beside hours: the country has more than one, or none is known for it"
