"""Automaton that finds phrases in words: patterns with alternatives, the longest match at each place.

Written out the patterns are millions of phrases. They are kept as a graph of words, and the steps between the
sets of its nodes that a text can be in are computed when a text first takes them.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import product
from typing import Final, Generic, TypeVar

Meaning = TypeVar("Meaning")
#: "(a|b|)", a word, or space; what stands together without space is one word.
_PART: Final = re.compile(r"\(([^)]*)\)|([^()\s]+)|\s+")
#: Steps from a set of nodes that are kept; what customers say goes through some hundred sets.
MOST_STEPS: Final = 20_000
_START: Final = frozenset((0,))


class PhraseAutomaton(Generic[Meaning]):
    """Finder of phrases. Of two of one length that which was given last counts.

    Args:
        patterns: phrases with their meanings; "(a|b|)" in a phrase is one of these or nothing.
    """

    def __init__(self, patterns: Iterable[tuple[str, Meaning]]) -> None:
        self._edges: list[dict[str, list[int]]] = [defaultdict(list)]
        self._meanings: dict[int, Meaning] = {}
        for pattern, meaning in patterns:
            self._add(pattern, meaning)
        self.words: Final = frozenset(word for edges in self._edges for word in edges)
        self._step = lru_cache(maxsize=MOST_STEPS)(self._reached)

    def read(self, words: Sequence[str]) -> Iterator[tuple[Meaning | None, Sequence[str]]]:
        """Reads words from left to right, the longest phrase at each place: yields its meaning, None for a word of no
        phrase, and its own words.
        """
        at = 0
        while at < len(words):
            length, meaning = self._longest(words, at)
            yield meaning, words[at : at + length]
            at += length

    def _longest(self, words: Sequence[str], at: int) -> tuple[int, Meaning | None]:
        """Number of words and meaning of the longest phrase that begins at a place."""
        nodes = _START
        found: tuple[int, Meaning | None] = (1, None)
        for behind in range(at, len(words)):
            # No word of a customer's is kept that stands in no phrase.
            nodes, meaning = self._step(nodes, words[behind]) if words[behind] in self.words else (frozenset(), None)
            if not nodes:
                break
            if meaning is not None:
                found = behind + 1 - at, meaning
        return found

    def _reached(self, nodes: frozenset[int], word: str) -> tuple[frozenset[int], Meaning | None]:
        """The nodes behind a word, and what it means to stop there."""
        reached = frozenset(node for each in nodes for node in self._edges[each].get(word, ()))
        last = max(self._meanings.keys() & reached, default=None)
        return reached, None if last is None else self._meanings[last]

    def _add(self, pattern: str, meaning: Meaning) -> None:
        ends = [0]
        for choices in _parts(pattern):
            behind = self._new_node()
            for node, words in product(ends, filter(None, choices)):
                self._join(node, words, behind)
            ends = [*ends, behind] if () in choices else [behind]
        self._meanings |= dict.fromkeys(ends, meaning)

    def _join(self, node: int, words: Sequence[str], behind: int) -> None:
        for word in words[:-1]:
            following = self._new_node()
            self._edges[node][word].append(following)
            node = following
        self._edges[node][words[-1]].append(behind)

    def _new_node(self) -> int:
        self._edges.append(defaultdict(list))
        return len(self._edges) - 1


def _parts(pattern: str) -> Iterator[list[tuple[str, ...]]]:
    """Each place of a pattern with all that may stand there, in words."""
    glued: list[list[str]] = []
    for found in _PART.finditer(f"{pattern} "):
        if found[0].isspace():
            yield list(dict.fromkeys(tuple("".join(chosen).split()) for chosen in product(*glued)))
            glued = []
        else:
            glued.append(found[1].split("|") if found[1] is not None else [found[0]])
