"""Fixed texts for customers: each in three forms of address, with the same places to fill in."""

from __future__ import annotations

import re
from string import Formatter

import pytest

from worker.messages.reply import MAX_TITLE_CHARS
from worker.shop.shop import FORMS, Shop, texts

#: Verbs and pronouns that give a form of address away; "estás" is said to a "tú" as well.
VOS = re.compile(
    r"\b(?:\w+[áéí]s|vos|probá|elegí|contame|decime)\b(?<!más)(?<!quizás)(?<!atrás)(?<!estás)", re.IGNORECASE
)
TO_ONE_CLOSE = re.compile(r"\b(?:tu|tus|te|ti|contigo|tuyos?|\w+(?:arte|erte|irte))\b", re.IGNORECASE)
TO_ONE_DISTANT = re.compile(r"\b(?:su|sus|usted|suyos?)\b", re.IGNORECASE)


def places(text: str) -> set[str]:
    """Names of the places of a text."""
    return {name for _, name, _, _ in Formatter().parse(text) if name}


@pytest.mark.parametrize("name", texts())
def test_a_text_has_all_forms_with_the_same_places(name: str) -> None:
    """None is empty, and none lacks what another says."""
    forms = texts()[name]
    assert tuple(forms) == FORMS
    assert all(forms.values())
    assert len({frozenset(places(text)) for text in forms.values()}) == 1


@pytest.mark.parametrize("name", texts())
def test_a_form_keeps_to_itself(name: str) -> None:
    """No "vos" in "tú" or "usted", no "tu" in "usted"."""
    forms = texts()[name]
    assert not VOS.search(forms["tu"]), forms["tu"]
    assert not VOS.search(forms["usted"]), forms["usted"]
    assert not TO_ONE_CLOSE.search(forms["usted"]), forms["usted"]
    assert not TO_ONE_DISTANT.search(forms["vos"] + forms["tu"])


def test_the_forms_differ_where_a_customer_is_spoken_to() -> None:
    """A text that is the same in all is given once."""
    differing = [name for name, forms in texts().items() if len(set(forms.values())) > 1]
    assert {"unreadable.audio", "fallback.kept", "cart.empty", "apology.dead_letter"} <= set(differing)
    assert len(differing) > 20


def test_a_text_with_its_values() -> None:
    """By its name, in the form of the shop."""
    assert Shop("x", form="tu").text("cart.too_many", name="Leche", most=99) == (
        "De Leche puedes llevar hasta 99 por pedido: no cambié nada de eso."
    )
    assert Shop("x", form="usted").text("cart.empty") == "Su carrito está vacío."
    assert texts() is texts()
    assert Shop("x").has_text("unreadable.audio")
    assert not Shop("x").has_text("unreadable.hologram")


@pytest.mark.parametrize(("name", "values"), [("cart.none", {}), ("cart.too_many", {"name": "x"})])
def test_what_is_not_there_is_an_error(name: str, values: dict[str, str]) -> None:
    """A text, or a value for one of its places."""
    with pytest.raises(KeyError):
        Shop("x", form="vos").text(name, **values)


def test_titles_of_buttons_fit() -> None:
    """WhatsApp refuses longer ones."""
    titles = [text for name, forms in texts().items() if name.startswith("button.") for text in forms.values()]
    assert titles
    assert all(len(title) <= MAX_TITLE_CHARS for title in titles)
