"""What is cut is cut where a reader sees a seam: between graphemes, words, sentences."""

from __future__ import annotations

import pytest
from grapheme import graphemes
from hypothesis import given, settings
from hypothesis import strategies as st

from worker.messages.fields import readable
from worker.messages.text import MAX_MARKS, clip, clip_at_sentence, stream_safe

ARGENTINA, BRAZIL = "🇦🇷", "🇧🇷"
FAMILY = "👨‍👩‍👧‍👦"
ACCENTED = "e\u0301"
PIECES = (ARGENTINA, FAMILY, ACCENTED, "👍🏽", "1️⃣", "🏳️‍🌈", "🏴󠁧󠁢󠁥󠁮󠁧󠁿", "क्षि", "한", "ñ", "a", " ", "\r\n", "leche")


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        pytest.param(f"Ofertasdehoybrasil{ARGENTINA}{BRAZIL}", "Ofertasdehoybrasil…", id="flag"),
        pytest.param(f"Ofertasdehoybrasi{ARGENTINA}{BRAZIL}", f"Ofertasdehoybrasi{ARGENTINA}…", id="between flags"),
        pytest.param(f"Combosfamiliar{FAMILY}", "Combosfamiliar…", id="family"),
        pytest.param(f"Combosfamiliares123{ACCENTED}", "Combosfamiliares123…", id="accent"),
        pytest.param(f"Combosfamiliares12{ACCENTED}s", "Combosfamiliares12…", id="before its accent"),
        pytest.param(f"Combosfamiliares1{ACCENTED}ss", f"Combosfamiliares1{ACCENTED}…", id="behind its accent"),
        pytest.param(f"Combosfamiliares 1{'👍🏽' * 2}", "Combosfamiliares…", id="skin"),
        pytest.param("Combosfamiliares 181️⃣", "Combosfamiliares…", id="keycap"),
        pytest.param("Combosfamiliare 12👍🏽", "Combosfamiliare 12👍🏽", id="what fits"),
    ],
)
def test_a_title_is_cut_at_a_grapheme(title: str, expected: str) -> None:
    """No half a flag, no family without its children, no letter that loses its accent."""
    assert clip(title, 20) == expected
    assert len(expected) <= 20


def test_one_grapheme_that_does_not_fit_is_cut_inside() -> None:
    """Rather than nothing at all: an empty title would lose its button."""
    assert clip("a" + "\u0301" * 30, 20) == "a" + "\u0301" * 18 + "…"


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.lists(st.sampled_from(PIECES), max_size=20).map("".join), st.integers(20, 60))
def test_the_graphemes_that_are_kept_are_those_of_the_text(text: str, limit: int) -> None:
    """Whatever is cut off, the last of what stays is whole."""
    for cut in (clip(text, limit), clip_at_sentence(text, limit)):
        assert len(cut) <= limit
        kept = cut.removesuffix("…")
        assert list(graphemes(text))[: len(list(graphemes(kept)))] == list(graphemes(kept))


TOLD = "Hola Ana. Tenemos leche entera de 1 l a $ 1.850,50 la unidad. ¿Te llevo 2? ¡Gracias! 😊 Chau"


@pytest.mark.parametrize(
    ("text", "limit", "expected"),
    [
        (TOLD, len(TOLD), TOLD),
        (TOLD, len(TOLD) - 1, TOLD.removesuffix(" Chau")),
        (TOLD, 86, TOLD[:86]),
        (TOLD, 85, TOLD[:84]),
        (TOLD, 83, TOLD[:74]),
        (TOLD, 73, TOLD[:61]),
        (TOLD, 61, TOLD[:61]),
        (TOLD, 60, "Hola Ana. Tenemos leche entera de 1 l a $ 1.850,50 la…"),
        (TOLD, 12, "Hola Ana."),
        ("Sale $ 1.850. Y el de 2 l, $ 2.100. Chau", 38, "Sale $ 1.850. Y el de 2 l, $ 2.100."),
        ("Estamos en Avda. Rivadavia 123, a 2 cuadras", 40, "Estamos en Avda. Rivadavia 123, a 2…"),
        ("Tenemos:\n1. Leche\n2. Pan lactal blanco", 30, "Tenemos:\n1. Leche"),
        ("Tenemos esto:\nLeche entera 1 litro", 20, "Tenemos esto:\nLeche…"),
        ("Dijo «sí, claro.» Y después vino otra vez", 30, "Dijo «sí, claro.»"),
        ("Espera... y ya está listo todo", 16, "Espera..."),
        ("Supermercadísimamente", 20, "Supermercadísimamen…"),
        ("¡Sí! " + "a" * 40, 20, "¡Sí! aaaaaaaaaaaaaa…"),
    ],
)
def test_a_reply_is_cut_at_the_end_of_a_sentence(text: str, limit: int, expected: str) -> None:
    """Or of a line; a point in a price, in a list's number or behind "Avda" ends none, and an emoji stays with its own.

    Where little would be left, it is cut as any other text.
    """
    assert clip_at_sentence(text, limit) == expected
    assert len(expected) <= limit


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.text(st.sampled_from("ab .!?…\n:1,😊)«»¿é")), st.integers(2, 40))
def test_a_reply_that_is_cut_is_a_beginning_of_what_it_was(text: str, limit: int) -> None:
    """Never longer than allowed, and unchanged where it fits."""
    cut = clip_at_sentence(text, limit)
    assert len(cut) <= limit
    assert cut == text if len(text) <= limit else text.startswith(cut.removesuffix("…"))


def test_marks_on_a_letter_are_few() -> None:
    """At most 30, as Unicode's Stream-Safe Text Format has it; what languages use stays, and so does all else."""
    assert stream_safe("a" + "\u0301" * 99 + "b") == "a" + "\u0301" * MAX_MARKS + "b"
    for text in ("", "leche", "ñandú e\u0301\u0323", FAMILY, ARGENTINA, "a" + "\u0301" * MAX_MARKS):
        assert stream_safe(text) == text
    assert readable("sí" + "\u0301" * 99) == "sí" + "\u0301" * MAX_MARKS
