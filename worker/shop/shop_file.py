"""Reading SHOP_FILE: TOML to a Shop, every mistake named with its place, all of them at once."""

import tomllib
from decimal import Decimal
from pathlib import Path
from typing import Any

from msgspec.structs import replace
from pydantic import ValidationError

from worker.errors import ShopFileInvalid
from worker.settings import Settings
from worker.shop.areas import DeliveryArea
from worker.shop.conventions import CONVENTIONS, Convention, locale_of
from worker.shop.hours import Hours
from worker.shop.shop import Branch, Shop
from worker.shop.shop_file_form import AreaTable, BranchTable, HoursTable, ShopTable
from worker.shop.shop_file_mistakes import DEFAULT_CURRENCY, currency_of, mistakes_of

#: Of a country that `conventions.toml` does not know.
UNKNOWN_COUNTRY = Convention(currency=DEFAULT_CURRENCY, form="tu")


def load_shop(settings: Settings) -> Shop:
    """Reads the shop of `settings.shop_file`; without one, a shop of which its name alone is known.

    Raises:
        ShopFileInvalid: the file cannot be read, or holds mistakes.
    """
    if settings.shop_file is None:
        return Shop(settings.shop_name, timezone=CONVENTIONS["es_AR"].timezone)
    return read_shop(settings.shop_file)


def read_shop(file: Path) -> Shop:
    """Reads a shop's file.

    Raises:
        ShopFileInvalid: with all its mistakes.
    """
    raw = _content(file)
    table, error = None, None
    try:
        table = ShopTable.model_validate(raw, context={"currency": currency_of(raw)})
    except ValidationError as exc:
        error = exc
    if mistakes := mistakes_of(raw, error):
        raise ShopFileInvalid(str(file), mistakes)
    assert table is not None, "a table or its mistakes"  # noqa: S101  what pydantic refuses has errors
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
        areas=tuple(map(_area, table.delivery.areas)),
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


def _area(table: AreaTable) -> DeliveryArea:
    given = DeliveryArea(table.name, table.names, table.fee, table.minimum, table.free_from)
    return replace(given, hours=_hours(table.hours))
