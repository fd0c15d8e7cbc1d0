"""Telephone numbers as operators write them."""

from __future__ import annotations

import pytest

from worker.errors import BadPayload
from worker.operate.commands.customers import id_of, spellings


@pytest.mark.parametrize(
    "written",
    [
        "5491122334455",
        "+5491122334455",
        "+54 9 11 2233-4455",
        " 549 (11) 2233.4455 ",
        "+54 11 15 2233-4455",
        "54 9 11‑2233‑4455",
    ],
)
def test_one_line_in_several_forms(written: str) -> None:
    """With signs between the digits; what is dialled within a country goes where it is known."""
    assert id_of(written) == "5491122334455"


def test_other_ids_stay_as_they_are() -> None:
    """A business-scoped one, a number that nobody knows as one, and digits alone, whatever a country says of them."""
    given = ["AR.1A2B3C4D", "US.ENT.11", "12345", "541122334455", "5215512345678"]
    assert [id_of(one) for one in given] == given
    assert id_of("+52 1 55 1234 5678") == "5215512345678"


@pytest.mark.parametrize("written", ["", "ana", "12", "+", "AR 1A2B", "54 9 11 2233 4455 x"])
def test_what_is_no_number(written: str) -> None:
    """Is refused."""
    with pytest.raises(BadPayload):
        id_of(written)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("5491122334455", "541122334455"),
        ("5215512345678", "525512345678"),
        ("5511987654321", "551187654321"),
    ],
)
def test_two_spellings_of_a_line(one: str, other: str) -> None:
    """Lead to each other."""
    assert other in spellings(one)
    assert one in spellings(other)


def test_a_number_of_another_country_has_one_spelling() -> None:
    """Nor has what is no number."""
    assert [spellings(phone) for phone in ("573001234567", "12345", "AR.1A2B", "551133334444")] == [()] * 4
