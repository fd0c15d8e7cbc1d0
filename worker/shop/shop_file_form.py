"""Form of SHOP_FILE, table by table, with what each value must be. Pure: no I/O."""

from datetime import date
from decimal import Decimal
from itertools import pairwise
from typing import Annotated, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from babel import UnknownLocaleError
from babel.core import Locale
from babel.numbers import get_currency_precision, list_currencies
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo

from worker.shop.conventions import Form
from worker.shop.hours import Span, span_of

#: Everything here is paid for with every question; nobody reads longer ones on a telephone.
Words = Annotated[str, Field(min_length=1, max_length=500)]
Name = Annotated[str, Field(min_length=1, max_length=80)]


def _money(value: Decimal, info: ValidationInfo) -> Decimal:
    """Refuses more decimals than the currency has."""
    currency = (info.context or {}).get("currency", "")
    digits = get_currency_precision(currency) if currency in list_currencies() else 2
    if value != round(value, 2 if currency == "COP" else digits):
        raise ValueError(f"{currency} has no such fraction")
    return value


def _currency(code: str) -> str:
    if code not in list_currencies():
        raise ValueError(f'"{code}" is no currency: three capital letters of ISO 4217, such as ARS')
    return code


def _locale(name: str) -> str:
    written = name.replace("-", "_")
    try:
        known = Locale.parse(written)
    except (ValueError, UnknownLocaleError):
        known = None
    if known is None or known.language != "es" or not known.territory:
        raise ValueError(f'"{name}" is no Spanish of a country, such as es_AR or es_MX')
    return written


def _timezone(name: str) -> str:
    try:
        return ZoneInfo(name).key
    except (OSError, ValueError, ZoneInfoNotFoundError):
        raise ValueError(f'"{name}" is no time zone of the IANA database, such as America/Mexico_City') from None


def _form(value: Any) -> Any:
    """Takes `tú` for `tu`."""
    return "tu" if value == "tú" else value


def _closed(value: Any) -> Any:
    """Takes `"closed"` for no spans."""
    if value == "closed":
        return []
    if isinstance(value, str):
        raise ValueError('must be "closed", or a list such as ["09:00-13:00", "17:00-21:00"]')
    return value


def _apart(spans: tuple[Span, ...]) -> tuple[Span, ...]:
    ordered = tuple(sorted(spans))
    for one, other in pairwise(ordered):
        if other.opens < one.closes:
            raise ValueError(f'"{one}" and "{other}" overlap')
    return ordered


def _date(value: Any) -> date:
    try:
        return date.fromisoformat(value if len(value) == len("2026-12-25") else "")
    except (TypeError, ValueError):
        raise ValueError(f'"{value}" is no date such as 2026-12-25') from None


Money = Annotated[Decimal, Field(ge=0, max_digits=14), AfterValidator(_money)]
Day = Annotated[tuple[Annotated[Any, BeforeValidator(span_of)], ...], BeforeValidator(_closed), AfterValidator(_apart)]
Dates = dict[Annotated[Any, BeforeValidator(_date)], Day]


class Table(BaseModel):
    """Table of the file; a key that it does not know is refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, str_strip_whitespace=True)


class HoursTable(Table):
    """`[hours]`: spans by weekday, and by date where a day is not as its weekday."""

    monday: Day | None = None
    tuesday: Day | None = None
    wednesday: Day | None = None
    thursday: Day | None = None
    friday: Day | None = None
    saturday: Day | None = None
    sunday: Day | None = None
    exceptions: Dates = {}


class BranchTable(Table):
    """`[[branches]]`."""

    name: Name | None = None
    address: Words | None = None
    phone: Name | None = None
    hours: HoursTable | None = None


class AreaTable(Table):
    """`[[delivery.areas]]`."""

    name: Name
    names: tuple[Name, ...] = ()
    fee: Money | None = None
    minimum: Money | None = None
    free_from: Money | None = None
    hours: HoursTable | None = None


class DeliveryTable(Table):
    """`[delivery]`."""

    offered: bool | None = None
    hours: HoursTable | None = None
    areas: tuple[AreaTable, ...] = ()


class ContactTable(Table):
    """`[contact]`."""

    phone: Name | None = None
    whatsapp: Name | None = None
    email: Name | None = None
    website: Words | None = None
    instagram: Name | None = None
    facebook: Name | None = None


class QuestionTable(Table):
    """`[[questions]]`."""

    question: Words
    answer: Words


class ShopTable(Table):
    """The whole file."""

    name: Name
    currency: Annotated[str, AfterValidator(_currency)] | None = None
    locale: Annotated[str, AfterValidator(_locale)] | None = None
    form: Annotated[Form, BeforeValidator(_form)] | None = None
    timezone: Annotated[str, AfterValidator(_timezone)] | None = None
    pickup: bool | None = None
    payments: tuple[Name, ...] = ()
    returns: Words | None = None
    complaints: Words | None = None
    hours: HoursTable | None = None
    branches: tuple[BranchTable, ...] = ()
    delivery: DeliveryTable = DeliveryTable()
    contact: ContactTable = ContactTable()
    questions: tuple[QuestionTable, ...] = ()


#: The tables that stand under a key, by that key.
TABLES: dict[str, type[Table]] = {
    "hours": HoursTable,
    "branches": BranchTable,
    "areas": AreaTable,
    "delivery": DeliveryTable,
    "contact": ContactTable,
    "questions": QuestionTable,
}
