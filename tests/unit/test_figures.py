"""Numbers as shops write them: one reading, two, or none."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from worker.catalog.numbers import AmbiguousFigure, NoFigure, figure, readings

ONE_READING = [
    ("1850", "1850"),
    ("1850.00", "1850.00"),
    ("1850,00", "1850.00"),
    ("1850.000", "1850"),
    ("1.850,00", "1850.00"),
    ("1,850.00", "1850.00"),
    ("1.850,000", "1850"),
    ("1.234.567", "1234567"),
    ("1,234,567.8", "1234567.8"),
    ("12.5", "12.5"),
    ("12,50", "12.50"),
    ("0.850", "0.850"),
    ("0,999", "0.999"),
    ("007.500", "7.500"),
    (".5", "0.5"),
    ("-3", "-3"),
]
TWO_READINGS = [
    ("1.850", "1850", "1.850"),
    ("1,850", "1.850", "1850"),
    ("12.500", "12500", "12.500"),
    ("123,456", "123.456", "123456"),
    ("1.000", "1000", "1.000"),
    ("-1.850", "-1850", "-1.850"),
]
NO_READING = [
    "",
    "-",
    ".",
    "diez",
    "1e3",
    "NaN",
    "Infinity",
    "5.",
    "1,2,3",
    "1.85,0.5",
    "12.34.567",
    "$ 5",
    "5 000",
    "١٢",
]


@pytest.mark.parametrize(("text", "value"), ONE_READING)
def test_one_reading(text: str, value: str) -> None:
    """Whatever comes after the last sign, and how many digits, leaves one number only."""
    assert figure(text) == Decimal(value)


@pytest.mark.parametrize(("text", "with_comma", "with_point"), TWO_READINGS)
def test_two_readings(text: str, with_comma: str, with_point: str) -> None:
    """Refused with both, and read as the operator says."""
    assert readings(text) == {"comma": Decimal(with_comma), "point": Decimal(with_point)}
    with pytest.raises(AmbiguousFigure) as caught:
        figure(text)
    told = f'"{text}" can be read as {with_comma} (--decimal comma) or {with_point} (--decimal point): say which'
    assert str(caught.value) == told
    assert figure(text, "comma") == Decimal(with_comma)
    assert figure(text, "point") == Decimal(with_point)


@pytest.mark.parametrize("text", NO_READING)
@pytest.mark.parametrize("decimal", [None, "comma", "point"])
def test_no_reading(text: str, decimal: str | None) -> None:
    """No guess, whatever the decimal sign."""
    with pytest.raises(NoFigure):
        figure(text, decimal)


@pytest.mark.parametrize(("text", "decimal"), [("1850.00", "comma"), ("1.850,00", "point"), ("0.850", "comma")])
def test_a_figure_that_contradicts_the_named_sign(text: str, decimal: str) -> None:
    """The whole list is read one way."""
    with pytest.raises(NoFigure, match=f"^is no number with a decimal {decimal}$"):
        figure(text, decimal)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.integers(0, 10**10), st.integers(0, 2), st.sampled_from(["comma", "point"]), st.booleans())
def test_what_is_written_is_what_is_read(cents: int, places: int, decimal: str, grouped: bool) -> None:
    """Every amount comes back from the way it is written, or is refused: never another amount."""
    value = Decimal(cents).scaleb(-places)
    english = f"{value:,f}" if grouped else f"{value:f}"
    text = english if decimal == "point" else english.translate(str.maketrans(",.", ".,"))
    assert figure(text, decimal) == value
    try:
        assert figure(text) == value
    except AmbiguousFigure:
        assert value in readings(text).values()
