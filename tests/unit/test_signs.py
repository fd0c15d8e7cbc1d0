"""Signs that make another question of the same words."""

from __future__ import annotations

import pytest
from helpers.language import common_form


@pytest.mark.parametrize(
    "sign",
    ["< 5000", "> 5000", "<5000", "≥5000", "≤5000", "-5000", "~5000", "±5000", "≈5000", "↓5000", "↑5000", "- 5000"],
)
def test_a_limit_is_no_number(sign: str) -> None:
    """Cheaper and dearer are opposite questions."""
    assert common_form(f"tenes vino {sign}?") is None


@pytest.mark.parametrize(
    "text",
    [
        "cuanto sale pan .5 kg",
        "cuanto sale pan ,5 kg",
        "tenes agua .500 l",
        "tenes leche 1·5 l",
        "tenes leche 1_5 l",
        "tenes leche 1*5 l",
        "tenes leche 1×5 l",
        "tenes leche 1;5 l",
        "tenes leche 1–2 l",
        "tenes leche 1-2 l",
        "tenes queso 1 / 2 kg",
        "tenes queso 1, 2 kg",
        "tenes leche ½-½ l",
    ],
)
def test_a_number_keeps_its_signs(text: str) -> None:
    """Half a kilo is not five."""
    assert common_form(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "tenes pan -sal",
        "tenes pan - sal",
        "tenes pan –sal",
        "tenes gaseosa (-azucar)",
        "tenes leche ✗ lactosa",
        "tenes leche ❎ lactosa",
        "tenes leche 🙅?",
        "tenes !vino",
        "tenes ¬vino",
        "tenes pan con/sin sal",
    ],
)
def test_what_is_crossed_out_is_not_asked_for(text: str) -> None:
    """It is asked for what is without."""
    assert common_form(text) is None


@pytest.mark.parametrize("thing", ["🍊", "🍎", "🥥", "🐐", "🇦🇷", "♀", "🤍", "🖤"])
def test_a_picture_of_a_thing_is_a_word(thing: str) -> None:
    """Orange juice is not apple juice."""
    assert common_form(f"tenes jugo {thing}?") is None
    assert common_form("tenes jugo?") is not None


@pytest.mark.parametrize(
    ("decorated", "plain"),
    [
        ("¿Tenés leche? 🙏🏽😊", "tenes leche"),
        ("*tenés leche* ❤️ :)", "tenes leche"),
        ("«tenes leche» … <3", "tenes leche"),
        ("tenes coca-cola?", "tenes coca cola"),
        ("hola!! (tenes 'leche'?)", "tenes leche"),
        ("tenes pan s/ sal", "tenes pan sin sal"),
        ("tenes leche 1,5 l. gracias!", "tenes leche 1,5 l"),
        ("¿Tene\u0301s leche? 🤷🏽\u200d♀️", "tenes leche"),
        ("!Hola! tenes leche❓", "tenes leche"),
        ("hola... 1/2 kg de pan cuanto sale", "cuanto sale 1/2 kg de pan"),
    ],
)
def test_decoration_changes_nothing(decorated: str, plain: str) -> None:
    """Faces, hands, hearts, quotes and what marks letters as bold."""
    assert common_form(decorated) is not None
    assert common_form(decorated) == common_form(plain)
