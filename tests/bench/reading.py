"""How a person reads a text, whatever way it is typed. Written apart from Chasqui's own reading, which it judges."""

from __future__ import annotations

import re
import unicodedata

#: They tell nothing about the thing: "aceite oliva" is "aceite de oliva". "Con" and "sin" do.
CONNECTING = frozenset(["de", "del", "el", "la", "los", "las", "un", "una", "unos", "unas"])
STRETCHED = re.compile(r"([^\W\d_])\1{2,}")
WORD = re.compile(r"\w+(?:[.,]\d+)?%?")


def as_read(text: str) -> str:
    """The words of a text without case, accents, signs and stretched letters; "ñ" is a letter of its own."""
    kept = unicodedata.normalize("NFKC", text).lower().replace("ñ", "\0")
    letters = unicodedata.normalize("NFKD", kept)
    plain = "".join(letter for letter in letters if not unicodedata.combining(letter)).replace("\0", "ñ")
    return " ".join(WORD.findall(STRETCHED.sub(r"\1", plain)))


def topic(words: str) -> str:
    """What the words are about: without articles and plural endings."""
    return " ".join(stem(word) for word in as_read(words).split() if word not in CONNECTING) or as_read(words)


def stem(word: str) -> str:
    """A read word without its plural ending, so that "leches" is "leche" and "panes" is "pan"."""
    return re.sub(r"(?<=\w\w\w)(es|s|e)$", "", word)
