"""Messages whose answer depends on the hour: widely, but for greetings and what is sold."""

from __future__ import annotations

import pytest

from worker.language.lexicon import depends_on_hour
from worker.language.normalise import normalised


@pytest.mark.parametrize(
    "text",
    [
        "¿Están abiertos?",
        "abren hoy?",
        "todavía atienden?",
        "a q hora cierran",
        "¿a qué hora abren los domingos?",
        "horarios",
        "abren mañana x la mañana?",
        "¿Mañana es feriado, atienden?",
        "reparten ahora?",
        "ya cerraron?",
        "hacen envios los sabados",
        "puedo pasar esta tarde a retirar",
        "hasta q hs estan",
        "laburan en navidad?",
        "siguen abiertos",
    ],
)
def test_the_hour_counts(text: str) -> None:
    """However it is written."""
    assert depends_on_hour(normalised(text))


@pytest.mark.parametrize(
    "text",
    [
        "tenes leche?",
        "aceptan tarjeta?",
        "hacen envíos a Palermo?",
        "dónde están",
        "hola, buenas tardes",
        "buenas noches",
        "hasta mañana, gracias",
        "que tengan una linda tarde",
        "formas de pago",
        "",
    ],
)
def test_the_hour_does_not_count(text: str) -> None:
    """A greeting is the same all day, and its cached answer lives."""
    assert not depends_on_hour(normalised(text))
