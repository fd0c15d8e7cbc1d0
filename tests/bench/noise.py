"""How people type on a phone: without accents, in any case, with a slip now and then. Shares are of messages, 0..1."""

from __future__ import annotations

import re
from random import Random
from typing import Final

from bench.phrases import EMOJI

#: Hardly anybody writes accents in a chat; who does, writes all of them.
WITHOUT_ACCENTS: Final = 0.7
#: The keyboard makes the first letter a capital unless it is told not to; few people shout.
FIRST_CAPITAL: Final = 0.45
ALL_CAPITALS: Final = 0.07
#: Closing signs are left out or doubled; the opening ones, which Spanish asks for, are hardly ever written.
WITHOUT_SIGNS: Final = 0.45
DOUBLED_SIGN: Final = 0.12
OPENING_SIGN: Final = 0.06
STRETCHED: Final = 0.04
WITH_EMOJI: Final = 0.06
EXTRA_SPACE: Final = 0.03
#: After the keyboard's own corrections about one word in seventy keeps a slip, and a question has three or four.
TYPO: Final = 0.05
SHORTEST_WITH_TYPO: Final = 4
ACCENTS = str.maketrans("áéíóúüÁÉÍÓÚÜ", "aeiouuAEIOUU")
LAST_VOWEL = re.compile(r"[aeiouáéíóú](?=s?\W*$)", re.IGNORECASE)
WORD = re.compile(r"[^\W\d_]+")


def noisy(rng: Random, text: str) -> str:
    """The text as somebody types it: the same words, at most one of them with a slip."""
    typed = with_typo(rng, text) if rng.random() < TYPO else text
    if rng.random() < WITHOUT_ACCENTS:
        typed = typed.translate(ACCENTS)
    typed = _signs(rng, typed)
    if rng.random() < STRETCHED:
        typed = LAST_VOWEL.sub(lambda vowel: vowel[0] * rng.randint(3, 5), typed)
    if rng.random() < EXTRA_SPACE:
        typed = rng.choice((f"{typed} ", f" {typed}", typed.replace(" ", "  ", 1)))
    if rng.random() < WITH_EMOJI:
        typed = f"{typed} {rng.choice(EMOJI)}"
    return _case(rng, typed)


def _signs(rng: Random, text: str) -> str:
    drawn = rng.random()
    if drawn < WITHOUT_SIGNS:
        return text.rstrip("?!")
    if drawn < WITHOUT_SIGNS + DOUBLED_SIGN and text[-1] in "?!":
        return text + text[-1]
    if drawn > 1 - OPENING_SIGN and text.endswith("?"):
        return f"¿{text}"
    return text


def _case(rng: Random, text: str) -> str:
    drawn = rng.random()
    if drawn < ALL_CAPITALS:
        return text.upper()
    return text[0].upper() + text[1:] if drawn < ALL_CAPITALS + FIRST_CAPITAL else text


def with_typo(rng: Random, text: str) -> str:
    """The text with two letters swapped, one left out or one doubled, in one word of at least four letters; the first
    letter of a word is hit on purpose and stays. As it was where no word is long enough.
    """
    words = [found for found in WORD.finditer(text) if len(found[0]) >= SHORTEST_WITH_TYPO]
    if not words:
        return text
    word = rng.choice(words)
    at = word.start() + rng.randrange(1, len(word[0]) - 1)
    before, here, following, after = text[:at], text[at], text[at + 1], text[at + 2 :]
    slips = (following + here, following, here + here + following)
    return before + rng.choice(slips) + after
