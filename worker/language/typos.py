"""Typing errors: a letter left out, doubled or swapped. Everything is in normalised form."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

LETTERS = "abcdefghijklmnñopqrstuvwxyz"
#: Said twice they are other sounds: "pera" and "perra", "polos" and "pollos" are different things.
DOUBLED_SOUND = re.compile(r"([lr])\1")


def meant_by(word: str, known: Iterable[frozenset[str]], fits: Callable[[str], bool]) -> str:
    """Corrects an unknown word to the one known word that fits and of which it is a typing error: a letter left out,
    one too many, or two swapped, anywhere but at the beginning, which is hit on purpose. As it was if there are none
    or several.
    """
    slips = _slips(word)
    meant = {meant for words in known for meant in slips & words if fits(meant)}
    return meant.pop() if len(meant) == 1 else word


def sound_alike(one: str, other: str) -> bool:
    """Returns whether two words differ in nothing but a doubled "l" or "r", which makes them different words in
    Spanish.
    """
    return DOUBLED_SOUND.sub(r"\1", one) == DOUBLED_SOUND.sub(r"\1", other)


def _slips(word: str) -> set[str]:
    splits = [(word[:at], word[at : at + 1], word[at + 1 :]) for at in range(1, len(word) + 1)]
    missing = {before + letter + here + behind for before, here, behind in splits for letter in LETTERS}
    too_many = {before + behind for before, here, behind in splits if here}
    swapped = {before + behind[:1] + here + behind[1:] for before, here, behind in splits if here}
    return missing | too_many | swapped
