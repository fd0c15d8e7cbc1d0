"""Spanish as it is written on WhatsApp, brought to one form. Pure thought."""

from __future__ import annotations

import re
import unicodedata

STRETCHED = re.compile(r"([^\W\d_])\1{2,}")
#: Between digits a point or comma is part of the number ("1,5 l"), and "%" belongs to its number; all other signs go.
NOISE = re.compile(r"(?<!\d)[.,](?!\d)|(?<=\d)[.,](?!\d)|(?<!\d)[.,](?=\d)|[^\w\s.,%]|_")
SPACES = re.compile(r"\s+")


def without_accents(text: str) -> str:
    """Lower case, accents removed; ñ stays a letter of its own, since "año" is not "ano"."""
    kept = text.lower().replace("ñ", "\0")
    plain = "".join(sign for sign in unicodedata.normalize("NFKD", kept) if not unicodedata.combining(sign))
    return plain.replace("\0", "ñ")


def normalised(text: str) -> str:
    """One form for texts that differ only in case, accents, space, punctuation, emoji and stretched letters.

    Words, numbers, units and negations are never touched: "sin sal" and "con sal" stay two texts.
    """
    plain = STRETCHED.sub(r"\1", without_accents(text))
    return SPACES.sub(" ", NOISE.sub(" ", plain)).strip()
