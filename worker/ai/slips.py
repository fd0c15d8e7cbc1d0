"""Words with a slip of the finger put right. Pure thought; all in normalised form."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

LETTERS = "abcdefghijklmnñopqrstuvwxyz"
#: Said twice they are other sounds: "pera" and "perra", "polos" and "pollos" are different things.
DOUBLED_SOUND = re.compile(r"([lr])\1")


def meant_by(word: str, is_known: Callable[[str], bool]) -> str:
    """The one known word of which this unknown one is a slip: a letter left out, one too many, or two swapped, anywhere
    but at the beginning, which is hit on purpose. As it was if there are none or several.
    """
    meant = {meant for meant in _slipped_from(word) if is_known(meant)}
    return meant.pop() if len(meant) == 1 else word


def sound_alike(one: str, other: str) -> bool:
    """Whether two words differ in nothing but a doubled "l" or "r", which makes them different words in Spanish."""
    return DOUBLED_SOUND.sub(r"\1", one) == DOUBLED_SOUND.sub(r"\1", other)


def _slipped_from(word: str) -> Iterator[str]:
    for at in range(1, len(word) + 1):
        before, here, behind = word[:at], word[at : at + 1], word[at + 1 :]
        yield from (before + letter + here + behind for letter in LETTERS)
        if here:
            yield before + behind
            yield before + behind[:1] + here + behind[1:]
