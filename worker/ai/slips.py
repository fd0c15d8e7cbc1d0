"""Words with a slip of the finger put right. Pure thought; all in normalised form."""

from __future__ import annotations

from collections.abc import Callable, Iterator

LETTERS = "abcdefghijklmnñopqrstuvwxyz"
#: Said twice they are other sounds: "pera" and "perra", "polos" and "pollos" are different things.
DOUBLED_SOUNDS = frozenset(("l", "r"))


def meant_by(word: str, is_known: Callable[[str], bool]) -> str:
    """The one known word of which this unknown one is a slip: a letter left out, one too many, or two swapped, anywhere
    but at the beginning, which is hit on purpose. As it was if there are none or several.
    """
    meant = {meant for meant in _meant_by(word) if is_known(meant)}
    return meant.pop() if len(meant) == 1 else word


def _meant_by(word: str) -> Iterator[str]:
    for at in range(1, len(word) + 1):
        before, here, behind = word[:at], word[at : at + 1], word[at + 1 :]
        neighbours = (word[at - 1], here)
        yield from (before + letter + here + behind for letter in LETTERS if not _doubles(letter, neighbours))
        if here:
            yield from (before + behind,) if not _doubles(here, (word[at - 1], behind[:1])) else ()
            yield before + behind[:1] + here + behind[1:]


def _doubles(letter: str, neighbours: tuple[str, str]) -> bool:
    return letter in DOUBLED_SOUNDS and letter in neighbours
