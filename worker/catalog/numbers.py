"""Numbers as shops write them: "1850.50", "1.850,50", and those with two readings. Pure: no I/O."""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Final

#: The decimal sign under each name that --decimal takes.
DECIMAL_SIGNS: Final[Mapping[str, str]] = {"comma": ",", "point": "."}


class NoFigure(ValueError):
    """Text that is no number, or none with the decimal sign that was named."""


class AmbiguousFigure(ValueError):
    """Text that is one number with a decimal comma and another one with a decimal point."""


def _pattern(decimal: str) -> re.Pattern[str]:
    """Returns a pattern of digits, bare or in groups of three with the other sign between them, and then decimals."""
    (thousands,) = {",", "."} - {decimal}
    grouped = rf"[1-9][0-9]{{0,2}}(?:{re.escape(thousands)}[0-9]{{3}})+"
    return re.compile(rf"(?=.*[0-9])-?(?:{grouped}|[0-9]*)(?:{re.escape(decimal)}[0-9]+)?")


_PATTERNS: Final = {name: _pattern(sign) for name, sign in DECIMAL_SIGNS.items()}


def readings(text: str) -> dict[str, Decimal]:
    """Returns values by the name of the decimal sign, for each sign with which the text is a well-formed number."""
    if text.isdecimal() and text.isascii():
        return dict.fromkeys(DECIMAL_SIGNS, Decimal(text))
    plain = {"comma": text.replace(".", "").replace(",", "."), "point": text.replace(",", "")}
    return {name: Decimal(plain[name]) for name, pattern in _PATTERNS.items() if pattern.fullmatch(text)}


def figure(text: str, decimal: str | None = None) -> Decimal:
    """Returns the number that a text means, as exact as it is written.

    Args:
        decimal: `comma` or `point`, the only way to read it; None: it must have one reading.

    Raises:
        NoFigure: without the text.
        AmbiguousFigure: with both readings.
    """
    found = readings(text)
    if decimal is not None:
        if decimal not in found:
            raise NoFigure(f"is no number with a decimal {decimal}")
        return found[decimal]
    if not found:
        raise NoFigure("is no number like 1850.50 or 1.850,50")
    if len(set(found.values())) > 1:
        ways = " or ".join(f"{value:f} (--decimal {name})" for name, value in found.items())
        raise AmbiguousFigure(f'"{text}" can be read as {ways}: say which')
    return next(iter(found.values()))
