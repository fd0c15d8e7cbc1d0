"""SHOP_FILE: what it may say, what follows from the country, and mistakes with their places, all at once."""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from helpers.basics import REPOSITORY
from helpers.shops import MEXICAN, shop_of, written

from worker.errors import ConfigurationError, ShopFileInvalid
from worker.settings import read_settings
from worker.shop.conventions import CONVENTIONS
from worker.shop.hours import Span
from worker.shop.shop import Shop
from worker.shop.shop_file import load_shop, read_shop
from worker.shop.shop_file_form import TABLES, ShopTable

#: A file with one mistake, but for its name, and what is told of it.
MISTAKES = [
    ("nane = 'b'", "nane: no such key; is name meant?"),
    ("areas = []", "areas: no such key; it stands in delivery"),
    ("currency = 'PESOS'", 'currency: "PESOS" is no currency: three capital letters of ISO 4217, such as ARS'),
    ("currency = 'USD'", 'locale: needed beside currency = "USD": it is not that of one country, such as es_EC'),
    ("currency = 'EUR'\nlocale = 'pt_BR'", 'locale: "pt_BR" is no Spanish of a country, such as es_AR or es_MX'),
    ("locale = 'es_GQ'", 'currency: needed beside locale = "es_GQ": it is not known for that country'),
    ("currency = 'EUR'\nlocale = 'es'", 'locale: "es" is no Spanish of a country, such as es_AR or es_MX'),
    ("form = 'che'", "form: Input should be 'vos', 'tu' or 'usted'"),
    (
        "timezone = 'Buenos Aires'",
        'timezone: "Buenos Aires" is no time zone of the IANA database, such as America/Mexico_City',
    ),
    (
        "currency = 'MXN'\n[hours]\nmonday = ['09:00-13:00']",
        "timezone: needed beside hours: the country has more than one, or none is known for it",
    ),
    ("[hours]\nmonday = ['25:00-26:00']", 'hours.monday[0]: "25:00" is no time of day'),
    ("[hours]\nmonday = ['9:60-13:00']", 'hours.monday[0]: "9:60" is no time of day'),
    ("[hours]\nmonday = ['9 to 5']", 'hours.monday[0]: "9 to 5" is no span of time such as "09:00-13:00"'),
    (
        "[hours]\nmonday = ['09:00-09:00']",
        'hours.monday[0]: "09:00-09:00" is no span of time: the whole day is "00:00-24:00"',
    ),
    ("[hours]\nmonday = [9]", 'hours.monday[0]: a span of time stands in quotes, such as "09:00-13:00"'),
    ("[hours]\nmonday = 'cerrado'", 'hours.monday: must be "closed", or a list such as ["09:00-13:00", "17:00-21:00"]'),
    ("[hours]\nmonday = ['09:00-13:00', '12:00-15:00']", 'hours.monday: "09:00-13:00" and "12:00-15:00" overlap'),
    ("[hours]\nmondai = []", "hours.mondai: no such key; is monday meant?"),
    (
        "[hours.exceptions]\n2026-02-30 = 'closed'",
        'hours.exceptions.2026-02-30: "2026-02-30" is no date such as 2026-12-25',
    ),
    ("[[branches]]\nphone = '1'", "branches[0]: needs a name or an address"),
    ("[[branches]]\nname = 'Sur'\n[[branches]]\nname = 'sur'", "branches[1]: branches[0] has the name sur too"),
    ("[[delivery.areas]]\nname = 'x'\nfee = -1", "delivery.areas[0].fee: Input should be greater than or equal to 0"),
    ("[[delivery.areas]]\nname = 'x'\nfree_form = 1", "delivery.areas[0].free_form: no such key; is free_from meant?"),
    (
        "[[delivery.areas]]\nname = 'Núñez'\n[[delivery.areas]]\nname = 'x'\nnames = ['nunez']",
        "delivery.areas[1]: delivery.areas[0] has the name nunez too",
    ),
    (
        "currency = 'CLP'\n[[delivery.areas]]\nname = 'x'\nfee = 100.5",
        "delivery.areas[0].fee: CLP has no such fraction",
    ),
    ("locale = 'es_CL'\n[[delivery.areas]]\nname = 'x'\nfee = 0.5", "delivery.areas[0].fee: CLP has no such fraction"),
    ("[[questions]]\nquestion = 'q'", "questions[0].answer: needed"),
]
OF_THE_NAME = [
    ("", "name: needed"),
    ("name = 3", "name: Input should be a valid string"),
    ("name = ' '", "name: String should have at least 1 character"),
]


@pytest.mark.parametrize(("content", "mistake"), [*OF_THE_NAME, *((f"name = 'a'\n{one}", it) for one, it in MISTAKES)])
def test_a_mistake_is_told_with_its_place(tmp_path: Path, content: str, mistake: str) -> None:
    """Alone, and by the name of the file."""
    with pytest.raises(ShopFileInvalid) as raised:
        read_shop(written(tmp_path, content))
    assert raised.value.mistakes == (mistake,)
    assert str(raised.value) == f"{tmp_path / 'shop.toml'}: {mistake}"


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    """Of single values, of keys, and of tables beside each other."""
    content = """
        form = "che"
        timezon = "America/Lima"
        [hours]
        monday = ["25:00-26:00", "x"]
        [[delivery.areas]]
        name = "Sur"
        fee = "free"
        [[delivery.areas]]
        name = "SUR"
    """
    with pytest.raises(ShopFileInvalid) as raised:
        read_shop(written(tmp_path, content))
    places = [mistake.partition(":")[0] for mistake in raised.value.mistakes]
    wanted = {"name", "form", "timezon", "hours.monday[0]", "hours.monday[1]", "delivery.areas[0].fee"}
    assert set(places) == wanted | {"delivery.areas[1]"}
    assert len(places) == len(set(places))


@pytest.mark.parametrize(
    ("content", "told"),
    [(b"name = ", "not valid TOML"), (b"name = '\xff'", "not valid TOML"), (b"a = [09:00-1]", "line 1, column")],
)
def test_what_is_no_toml_is_told_too(tmp_path: Path, content: bytes, told: str) -> None:
    """With the line, where the reader of TOML names one."""
    file = tmp_path / "shop.toml"
    file.write_bytes(content)
    with pytest.raises(ShopFileInvalid, match=told):
        read_shop(file)


KEYS = [
    *ShopTable.model_fields,
    *(f"{table}.{key}" for table in ("hours", "delivery", "contact") for key in TABLES[table].model_fields),
    "delivery.areas.0.fee",
    "delivery.hours.monday",
]
VALUES = ("1", "-1.5", "nan", "true", "''", "'x'", "[]", "[1]", "[[]]", "['x']", "{}", "{a=1}", "[{}]", "2026-12-25")


@pytest.mark.parametrize("key", KEYS)
def test_whatever_stands_at_a_key_is_taken_or_told(tmp_path: Path, key: str) -> None:
    """No value of TOML is anything else than right or a mistake."""
    named = "" if key == "name" else "name = 'a'\n"
    for value in VALUES:
        with suppress(ShopFileInvalid):
            read_shop(written(tmp_path, f"{named}{key} = {value}")).facts()


def test_a_file_that_is_not_there_is_a_configuration_error(tmp_path: Path) -> None:
    """As any other setting that does not fit."""
    with pytest.raises(ConfigurationError, match="cannot be read: No such file"):
        load_shop(read_settings({"SHOP_FILE": str(tmp_path / "none.toml")}))


def test_without_a_file_the_name_alone_is_known() -> None:
    """As it was before there were files: pesos of Argentina, vos."""
    shop = load_shop(read_settings({"SHOP_NAME": "Doña Rosa"}))
    assert (shop.name, shop.currency, shop.locale, shop.form) == ("Doña Rosa", "ARS", "es_AR", "vos")
    assert (shop.payments, shop.pickup, shop.areas, shop.branches) == ((), None, (), ())


def test_a_name_is_enough(tmp_path: Path) -> None:
    """Nothing else is made up; the file's name counts, not that of the environment."""
    file = written(tmp_path, 'name = "Kiosco"')
    shop = load_shop(read_settings({"SHOP_FILE": str(file), "SHOP_NAME": "x"}))
    assert shop == Shop("Kiosco", timezone="America/Argentina/Buenos_Aires")
    assert set(shop.facts()) == {"name", "address_customers_as", "write_money_as", "currency"}


@pytest.mark.parametrize(
    ("content", "found"),
    [
        ('currency = "COP"', ("COP", "es_CO", "usted", "America/Bogota")),
        ('locale = "es-UY"', ("UYU", "es_UY", "vos", "America/Montevideo")),
        ('currency = "CLP"', ("CLP", "es_CL", "tu", None)),
        ('currency = "EUR"\nform = "usted"', ("EUR", "es_ES", "usted", None)),
        ('currency = "PEN"\nform = "tú"', ("PEN", "es_PE", "tu", "America/Lima")),
        ('currency = "USD"\nlocale = "es_AR"', ("USD", "es_AR", "vos", "America/Argentina/Buenos_Aires")),
    ],
)
def test_what_follows_from_the_country(tmp_path: Path, content: str, found: tuple[str | None, ...]) -> None:
    """Locale from currency or the other way round; the form of address; the time zone where there is one."""
    shop = shop_of(tmp_path, f'name = "a"\n{content}')
    assert (shop.currency, shop.locale, shop.form, shop.timezone) == found


def test_a_whole_file(tmp_path: Path) -> None:
    """Every part is where others look for it."""
    shop = shop_of(tmp_path, MEXICAN)
    assert (shop.currency, shop.locale, shop.form, shop.pickup) == ("MXN", "es_MX", "tu", True)
    assert [(area.name, area.names, area.fee, area.minimum, area.free_from) for area in shop.areas] == [
        ("Roma", (), Decimal("35.5"), Decimal(200), Decimal(500)),
        ("Roma Norte", ("Plaza Río de Janeiro",), Decimal(45), None, None),
    ]
    centro, roma = shop.branches
    assert centro.hours == shop.hours
    assert roma.hours is not None
    assert roma.hours.on(date(2026, 12, 4)) == (Span(20 * 60, 26 * 60),)
    assert roma.hours.on(date(2026, 12, 3)) is None, "a day that is not told is not known"
    assert roma.hours.on(date(2026, 12, 25)) == (), "a holiday of the shop is one of its branches"
    assert shop.delivers is True


def test_a_branch_may_be_open_on_a_holiday_of_the_shop(tmp_path: Path) -> None:
    """Its own exceptions count before the shop's."""
    content = """
        name = "a"
        [hours]
        exceptions.2026-12-25 = "closed"
        [[branches]]
        name = "Sur"
        hours.exceptions.2026-12-25 = ["10:00-12:00"]
    """
    (branch,) = shop_of(tmp_path, content).branches
    assert branch.hours is not None
    assert branch.hours.on(date(2026, 12, 25)) == (Span(600, 720),)


def test_the_sample_is_right() -> None:
    """That of the demo, which is there to be copied."""
    shop = read_shop(REPOSITORY / "worker" / "devkit" / "sample_shop.toml")
    assert len(shop.areas) == 2
    assert shop.hours
    assert shop.payments
    assert shop.pickup is True


def test_conventions_are_of_places_that_exist() -> None:
    """Currencies, locales and time zones that the libraries know."""
    for locale, convention in CONVENTIONS.items():
        assert load_shop(read_settings({})).amount(Decimal(1))
        Shop("a", convention.currency, locale, timezone=convention.timezone).facts()


DOCUMENT = (REPOSITORY / "docs" / "shop.md").read_text("utf-8")
EXAMPLES = re.findall(r"^```toml\n(.*?)^```$", DOCUMENT, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("example", EXAMPLES)
def test_the_documents_examples_are_right(tmp_path: Path, example: str) -> None:
    """Each by itself, with a name where it has none."""
    assert shop_of(tmp_path, example if example.startswith("name") else f'name = "a"\n{example}').told


def test_the_document_has_every_key() -> None:
    """Of the file, and of each of its tables."""
    keys = {key for table in (ShopTable, *TABLES.values()) for key in table.model_fields}
    assert {key for key in keys if not re.search(rf"\b{key}\b", DOCUMENT)} - {
        "tuesday",
        "wednesday",
        "thursday",
    } == set()


def test_the_document_writes_money_as_we_do() -> None:
    """The table of countries is what follows from the file."""
    rows = re.findall(r"^\| ([A-Z]{3}) \| (es_\w\w) \| (.+?) \| (\w+) \|$", DOCUMENT, re.MULTILINE)
    assert len(rows) > 5
    for currency, locale, amount, form in rows:
        assert Shop("a", currency, locale).amount(Decimal(1850)) == amount
        assert (CONVENTIONS[locale].currency, CONVENTIONS[locale].form) == (currency, form)
