"""Spanish as it is typed on a telephone, brought to one form."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from worker.language.normalise import normalised, without_accents

SPELLINGS = [
    (
        "hola",
        ["Hola!!", "HOLA", "  hola  ", "¡Hola!", "holaaaaa", "hóla", "hola 👋🏽", "Hola,", "hola\n", "𝐇𝐨𝐥𝐚"],
    ),
    (
        "tenes leche",
        ["¿Tenés leche?", "tenes  leche", "TENES LECHE???", "tenés, leche", "tenes\tleche ❤️"],
    ),
    ("que tal", ["¿Qué tal?", "que_tal", "qué-tal", "(que tal)", "que tal;"]),
    ("año nuevo", ["AÑO NUEVO", unicodedata.normalize("NFD", "Año nuevo"), "año   nuevo!"]),
    ("coca 1,5 l", ["Coca 1,5 L", "coca, 1,5 l.", "COCA: 1,5 l"]),
    ("leche 0%", ["Leche 0%", "leche, 0% !"]),
    ("2", ["2", " 2. ", "2️⃣", "(2)", "#2"]),
    ("", ["", "   ", "!!!", "👍", "...", "\n\n"]),
]


@pytest.mark.parametrize(("plain", "typed"), [(plain, typed) for plain, many in SPELLINGS for typed in many])
def test_one_form_for_all_spellings(plain: str, typed: str) -> None:
    """Case, accents, space, punctuation, emoji and stretched letters make no difference."""
    assert normalised(typed) == plain


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("sin sal", "con sal"),
        ("no quiero leche", "quiero leche"),
        ("año", "ano"),
        ("1,5 l", "15 l"),
        ("1,5 l", "1.5 l"),
        ("2 leches", "3 leches"),
        ("leche 0%", "leche 0"),
        ("1 l", "1 kg"),
        ("cola", "hola"),
        ("perro", "pero"),
        ("1000", "10"),
    ],
)
def test_what_means_something_is_kept(one: str, other: str) -> None:
    """Words, numbers, units, negations and double letters are not touched."""
    assert normalised(one) != normalised(other)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.text())
def test_normalised_text_stays_as_it_is(text: str) -> None:
    """Bringing a text to its form twice is the same as once, so a form may be stored and compared."""
    once = normalised(text)
    assert normalised(once) == once


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.text())
def test_the_form_has_no_capital_and_no_loose_space(text: str) -> None:
    """Whatever was typed, the form is lower case, trimmed, with single spaces."""
    form = normalised(text)
    assert form == form.lower()
    assert form == " ".join(form.split())


def test_accents_go_and_the_enye_stays() -> None:
    """Only the marks of a vowel are decoration."""
    assert without_accents("ÁÉÍÓÚÜ Ñandú") == "aeiouu ñandu"


def test_no_sign_becomes_a_sentence() -> None:
    """Unicode takes some signs apart into many letters: a text of them becomes at most seven times as long."""
    assert without_accents("ﷺleche ﷻ") == " leche  "
    for sign in ("ﷺ", "ﷻ", "㈝", "㌖", "½", "İ"):
        assert len(without_accents(sign * 100)) <= 700


def test_courtesies_within_each_other_are_read_a_few_times() -> None:
    """As deep as anybody may mean it they go; deeper they stay, since each would cost another reading."""
    assert normalised("por por favor favor pan") == "pan"
    assert normalised("por " * 40 + "favor " * 40 + "pan").endswith("favor pan")
