"""Spelling of words: their forms of number and gender, and typing errors, which leave a letter out, double or swap one.
Everything is in normalised form.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable
from functools import cached_property

from worker.language.vocabulary import SMALL_WORDS

#: Said twice they are other sounds: "pera" and "perra", "polos" and "pollos" are different things.
_DOUBLED, _DOUBLED_SOUND = re.compile(r"(.)\1"), re.compile(r"([lr])\1")


def is_any(word: str, words: frozenset[str]) -> bool:
    """Returns whether a word, or what may be its singular, is one of these."""
    return word in words or word.removesuffix("s") in words or word.removesuffix("es") in words


def stem(word: str) -> str:
    """Stem of a noun or an adjective: what it has in common with its plural and its other gender, as `word_stem` of the
    database takes their endings off.
    """
    one = word.removesuffix("s")
    if len(one) > 3 and one.endswith("ce"):
        return f"{one[:-2]}z"
    if len(one) > 3 and one.endswith("e"):
        word = one[:-1]
        one = word.removesuffix("s")
    if len(one) > 2 and one.endswith(("a", "o")):
        return f"{one[:-1]}o"
    return word[:-1] if len(word) > 3 and word.endswith("s") else word


def stems(name: str) -> tuple[str, ...]:
    """Stems of the words of a name that tell something: little words between them are left out."""
    return tuple(stem(word) for word in name.split() if word not in SMALL_WORDS) or (stem(name),)


class Spelling:
    """Words that may be meant, by what is left of them without one letter: indexed when one is first looked for, since
    most processes that begin never do.
    """

    def __init__(self, words: Iterable[str]) -> None:
        self._words = frozenset(words)

    @cached_property
    def _longer(self) -> dict[str, list[str]]:
        index = defaultdict(list)
        for word in self._words:
            for shorter in _shorter(word):
                index[shorter].append(word)
        return dict(index)

    def meant_by(self, word: str, fits: Callable[[str], bool]) -> str | None:
        """The one known word that fits and of which an unknown one is a typing error: two letters swapped, or else one
        left out or one too many, anywhere but at the beginning, which is hit on purpose. The same word if several may
        be meant, None if none.
        """
        for slips in (self._words & _swapped(word), self._one_letter_apart(word)):
            if meant := {slip for slip in slips if fits(slip)}:
                return meant.pop() if len(meant) == 1 else word
        return None

    def near(self, word: str) -> set[str]:
        """All known words of which a word may be a typing error."""
        return self._one_letter_apart(word) | (self._words & _swapped(word))

    def _one_letter_apart(self, word: str) -> set[str]:
        return {*self._longer.get(word, ()), *(self._words & _shorter(word))}


def sound_alike(one: str, other: str) -> bool:
    """Returns whether two words differ in nothing but a doubled "l" or "r", which makes them different words in
    Spanish.
    """
    return _DOUBLED_SOUND.sub(r"\1", one) == _DOUBLED_SOUND.sub(r"\1", other)


def undoubled(word: str) -> str:
    """A word with each doubled letter once."""
    return _DOUBLED.sub(r"\1", word)


def _shorter(word: str) -> set[str]:
    return {word[:at] + word[at + 1 :] for at in range(1, len(word))}


def _swapped(word: str) -> set[str]:
    return {word[:at] + word[at + 1] + word[at] + word[at + 2 :] for at in range(1, len(word) - 1)}
