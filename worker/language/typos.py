"""Typing errors: a letter left out, doubled or swapped. Everything is in normalised form."""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable

#: Said twice they are other sounds: "pera" and "perra", "polos" and "pollos" are different things.
DOUBLED = re.compile(r"(.)\1")
DOUBLED_SOUND = re.compile(r"([lr])\1")


class Spelling:
    """Words that may be meant, by what is left of them without one letter: indexed when one is first looked for, since
    most processes that begin never do.
    """

    def __init__(self, words: Iterable[str]) -> None:
        self._words = frozenset(words)
        self._index: dict[str, list[str]] | None = None

    def _shortened(self) -> dict[str, list[str]]:
        if self._index is None:
            index = defaultdict(list)
            for word in self._words:
                for shorter in _shorter(word):
                    index[shorter].append(word)
            self._index = dict(index)
        return self._index

    def meant_by(self, word: str, fits: Callable[[str], bool]) -> str | None:
        """The one known word that fits and of which an unknown one is a typing error: two letters swapped, or else one
        left out or one too many, anywhere but at the beginning, which is hit on purpose. The same word if several may
        be meant, None if none.
        """
        swapped = self._words & _swapped(word)
        for slips in (swapped, {*self._shortened().get(word, ()), *(self._words & _shorter(word))}):
            if meant := {slip for slip in slips if fits(slip)}:
                return meant.pop() if len(meant) == 1 else word
        return None

    def near(self, word: str) -> set[str]:
        """All known words of which a word may be a typing error."""
        return {*self._shortened().get(word, ()), *(self._words & (_shorter(word) | _swapped(word)))}


def sound_alike(one: str, other: str) -> bool:
    """Returns whether two words differ in nothing but a doubled "l" or "r", which makes them different words in
    Spanish.
    """
    return DOUBLED_SOUND.sub(r"\1", one) == DOUBLED_SOUND.sub(r"\1", other)


def undoubled(word: str) -> str:
    """A word with each doubled letter once."""
    return DOUBLED.sub(r"\1", word)


def _shorter(word: str) -> set[str]:
    return {word[:at] + word[at + 1 :] for at in range(1, len(word))}


def _swapped(word: str) -> set[str]:
    return {word[:at] + word[at + 1] + word[at] + word[at + 2 :] for at in range(1, len(word) - 1)}
