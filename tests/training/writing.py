"""Spelling of customers: accents, signs and letters that are left out, abbreviations, slips."""

from __future__ import annotations

import random
from typing import Final

WITHOUT_ACCENTS: Final = str.maketrans("áéíóúÁÉÍÓÚ", "aeiouAEIOU")
ABBREVIATED: Final = {
    "qué": "q ke", "que": "q k", "por": "x", "de": "d", "cuánto": "cto cuant", "cuanto": "cto", "también": "tmb tb",
    "te": "t", "dónde": "dnd dnde", "donde": "dnd", "quiero": "kiero", "quería": "keria", "buenas": "bnas",
    "gracias": "grx", "hay": "ay", "hola": "ola", "porque": "xq", "bien": "bn", "ustedes": "uds", "mensaje": "msj",
    "tienen": "tinen", "precio": "presio", "llegó": "yego", "vale": "bale", "venden": "benden", "hacen": "asen",
    "necesito": "nesesito", "hasta": "asta", "mañana": "mñn", "están": "stan", "favor": "fvr", "usted": "ud",
}  # fmt: skip


def as_typed(text: str, chance: random.Random) -> str:
    """A text as somebody in a hurry types it."""
    if chance.random() < 0.45:
        text = text.translate(WITHOUT_ACCENTS)
    if chance.random() < 0.18:
        text = " ".join(_abbreviated(word, chance) for word in text.split())
    if chance.random() < 0.12:
        text = _with_slip(text, chance)
    if chance.random() < 0.3:
        text = text.replace(",", "")
    return text


def _abbreviated(word: str, chance: random.Random) -> str:
    return chance.choice(ABBREVIATED[word].split()) if word in ABBREVIATED and chance.random() < 0.4 else word


def _with_slip(text: str, chance: random.Random) -> str:
    """A text of which two letters have changed places, one is missing, or one is there twice."""
    if len(text) < 9:
        return text
    at = chance.randrange(1, len(text) - 2)
    one, other = text[at], text[at + 1]
    if not (one.isalpha() and other.isalpha()):
        return text
    return text[:at] + chance.choice((other + one, other, one + one + other)) + text[at + 2 :]
