"""Amounts of money and quantities as a country writes them, by Unicode's CLDR (Babel). Pure: no I/O."""

import re
from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache

from babel import Locale
from babel.numbers import format_currency, format_decimal, get_currency_precision

from worker.shop.conventions import CONVENTIONS

CENT = Decimal("0.01")
#: The figures of a pattern, `#,##0.00`.
_FIGURES = re.compile(r"#[#,.0]*")
#: Spaces that do not break, which CLDR puts between a sign and an amount. Customers search and copy plain ones.
_SPACES = str.maketrans("\u00a0\u202f", "  ")
#: A thousandth of these is what people ask for: 250 g of ham, 500 ml of cream.
_SMALLER = {"kg": "g", "l": "ml"}


@lru_cache(maxsize=4096)
def amount(value: Decimal, currency: str, locale: str) -> str:
    """Returns an amount as shops of the country write it: `$ 1.850,00` (es_AR), `$1.850` (es_CL), `1.850,00 €` (es_ES).

    Decimals are those of the currency, none for CLP, COP and PYG; an amount that has more is never rounded away, it
    shows two.

    Args:
        currency: ISO 4217.
        locale: as `es_AR`.
    """
    digits = get_currency_precision(currency)
    if value != round(value, digits):
        digits = 2
    written = format_currency(value, currency, _pattern(locale, digits), locale=locale, currency_digits=False)
    return written.translate(_SPACES)


def rounded(value: Decimal, currency: str, like: Decimal = Decimal(0)) -> Decimal:
    """Returns an amount in the smallest coin of its currency, halves up: cents, whole pesos in Chile.

    Args:
        like: an amount that was given; one in cents leaves cents, whatever the currency has.
    """
    digits = get_currency_precision(currency)
    return value.quantize(CENT if like != round(like, digits) else Decimal(1).scaleb(-digits), ROUND_HALF_UP)


@lru_cache(maxsize=64)
def _pattern(locale: str, digits: int) -> str:
    usual = CONVENTIONS[locale].pattern if locale in CONVENTIONS else None
    pattern = usual or Locale.parse(locale).currency_formats["standard"].pattern
    return _FIGURES.sub(f"#,##0{'.' if digits else ''}{'0' * digits}", pattern)


def quantity(value: Decimal, unit: str, locale: str) -> str:
    """Returns a quantity as it is said at the counter: `2` pieces, `1,5 kg`, `1,5 l`; below one kilo or litre in grams
    or millilitres (`250 g`, `500 ml`) where that is a whole number.

    Args:
        unit: u, kg or l.
    """
    smaller = _SMALLER.get(unit)
    if smaller and 0 < value < 1 and value * 1000 == int(value * 1000):
        return f"{_figure(value * 1000, locale)} {smaller}"
    return _figure(value, locale) + (f" {unit}" if smaller else "")


def _figure(value: Decimal, locale: str) -> str:
    return str(format_decimal(value, "#,##0.######", locale=locale)).translate(_SPACES)
