"""Conventions of the countries where Spanish is written, as `conventions.toml` has them. Pure: no I/O but that file."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import msgspec
from msgspec import Struct

#: Form of address: how one customer is spoken to.
Form = Literal["vos", "tu", "usted"]


class Convention(Struct, frozen=True, forbid_unknown_fields=True):
    """Usages of a country.

    Args:
        timezone: None where the country has more than one.
        pattern: of an amount, in CLDR's notation; None where CLDR's own is what shops write.
    """

    currency: str
    form: Form
    timezone: str | None = None
    pattern: str | None = None


#: By locale (`es_AR`).
CONVENTIONS: Mapping[str, Convention] = msgspec.convert(
    tomllib.loads(Path(__file__).with_suffix(".toml").read_text("utf-8")), dict[str, Convention]
)


def locale_of(currency: str) -> str | None:
    """Returns the locale of the country that pays in a currency; None for one of no country here, or of several."""
    found = [locale for locale, convention in CONVENTIONS.items() if convention.currency == currency]
    return found[0] if len(found) == 1 else None
