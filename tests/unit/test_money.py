"""Money and quantities as countries write them."""

from __future__ import annotations

from decimal import Decimal

import pytest

from worker.shop.conventions import CONVENTIONS
from worker.shop.money import amount, quantity


@pytest.mark.parametrize(
    ("value", "currency", "locale", "written"),
    [
        ("1850", "ARS", "es_AR", "$ 1.850,00"),
        ("1234567.5", "ARS", "es_AR", "$ 1.234.567,50"),
        ("0", "ARS", "es_AR", "$ 0,00"),
        ("1850", "CLP", "es_CL", "$1.850"),
        ("1850", "EUR", "es_ES", "1.850,00 €"),
        ("0.99", "EUR", "es_ES", "0,99 €"),
        ("1850", "MXN", "es_MX", "$1,850.00"),
        ("1850", "COP", "es_CO", "$ 1.850"),
        ("1850.5", "COP", "es_CO", "$ 1.850,50"),
        ("1850", "UYU", "es_UY", "$ 1.850,00"),
        ("1850", "PEN", "es_PE", "S/ 1,850.00"),
        ("1850", "PYG", "es_PY", "Gs. 1.850"),
        ("10", "USD", "es_AR", "US$ 10,00"),
        ("10", "USD", "es_EC", "$10,00"),
        ("1850", "CRC", "es_CR", "₡1 850,00"),
    ],
)
def test_amounts(value: str, currency: str, locale: str, written: str) -> None:
    """With plain spaces, and never rounded."""
    assert amount(Decimal(value), currency, locale) == written


@pytest.mark.parametrize("locale", CONVENTIONS)
def test_every_country_writes_its_money(locale: str) -> None:
    """Without a space that does not break, with every figure."""
    written = amount(Decimal("1234.5"), CONVENTIONS[locale].currency, locale)
    assert written.isprintable()
    assert "".join(filter(str.isdigit, written)) in ("123450", "12345")


@pytest.mark.parametrize(
    ("value", "unit", "locale", "written"),
    [
        ("2", "u", "es_AR", "2"),
        ("1200", "u", "es_AR", "1.200"),
        ("0.5", "u", "es_AR", "0,5"),
        ("2.000", "u", "es_AR", "2"),
        ("0.25", "kg", "es_AR", "250 g"),
        ("0.5", "kg", "es_MX", "500 g"),
        ("1.5", "kg", "es_AR", "1,5 kg"),
        ("1.5", "kg", "es_MX", "1.5 kg"),
        ("1", "kg", "es_AR", "1 kg"),
        ("0.0005", "kg", "es_AR", "0,0005 kg"),
        ("1.5", "l", "es_AR", "1,5 l"),
        ("0.75", "l", "es_CL", "750 ml"),
        ("0", "kg", "es_AR", "0 kg"),
    ],
)
def test_quantities(value: str, unit: str, locale: str, written: str) -> None:
    """As at the counter: grams below a kilo."""
    assert quantity(Decimal(value), unit, locale) == written
