"""Automaton that finds phrases in words: patterns with alternatives, the longest match at each place.

Written out the patterns are millions of phrases. They are kept as a graph of words, and the sets of its nodes that a
text can be in, with their next words, are computed when a text first gets there.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import product
from typing import Final, Generic, TypeVar

Meaning = TypeVar("Meaning")
#: "(a|b|)", a word, or space; what stands together without space is one word.
_PART: Final = re.compile(r"\(([^)]*)\)|([^()\s]+)|\s+")
#: Sets of nodes that are kept; what customers say goes through some hundred.
MOST_STATES: Final = 20_000


class State(Generic[Meaning]):
    """A set of nodes: what it means to stop here, and the states by the next word."""

    __slots__ = ("following", "meaning", "nodes")

    def __init__(self, nodes: frozenset[int], meaning: Meaning | None) -> None:
        self.nodes = nodes
        self.meaning = meaning
        self.following: dict[str, State[Meaning]] = {}


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
        self._states: dict[frozenset[int], State[Meaning]] = {}
        self._start = self._state(frozenset((0,)))

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
        state = self._start
        found: tuple[int, Meaning | None] = (1, None)
        for behind in range(at, len(words)):
            word = words[behind]
            following = state.following.get(word)
            if following is None:
                if word not in self.words:
                    break
                following = self._follow(state, word)
            if not following.nodes:
                break
            state = following
            if state.meaning is not None:
                found = behind + 1 - at, state.meaning
        return found

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

    def _follow(self, state: State[Meaning], word: str) -> State[Meaning]:
        if len(self._states) > MOST_STATES:
            self._states.clear()
            self._start = self._state(frozenset((0,)))
        reached = frozenset(node for each in state.nodes for node in self._edges[each].get(word, ()))
        following = state.following[word] = self._state(reached)
        return following

    def _state(self, nodes: frozenset[int]) -> State[Meaning]:
        if nodes not in self._states:
            last = max((node for node in nodes if node in self._meanings), default=None)
            self._states[nodes] = State(nodes, None if last is None else self._meanings[last])
        return self._states[nodes]


def _parts(pattern: str) -> Iterator[list[tuple[str, ...]]]:
    """Each place of a pattern with all that may stand there, in words."""
    glued: list[list[str]] = []
    for found in _PART.finditer(f"{pattern} "):
        if found[0].isspace():
            yield list(dict.fromkeys(tuple("".join(chosen).split()) for chosen in product(*glued)))
            glued = []
        else:
            glued.append(found[1].split("|") if found[1] is not None else [found[0]])
