"""Lexicon: phrases of customers and the concepts they stand for (`data/lexicon.toml`). Everything is normalised."""

from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

from worker.language.phrase_automaton import PhraseAutomaton
from worker.language.vocabulary import OF_AN_HOUR, read_data

_DATA: Final[dict[str, Any]] = read_data("lexicon")


class Token(NamedTuple):
    """A phrase of a message.

    Args:
        concept: what it stands for; empty for a word of no phrase.
        value: which of a kind it is ("los domingos"); the words as they stand where its concept has no kinds.
    """

    concept: str
    value: str


def _patterns() -> Iterator[tuple[str, Token]]:
    """All lines with what they stand for."""
    for concept, lines in _DATA["phrases"].items():
        yield from ((line, Token(concept, "")) for line in filter(None, lines.splitlines()))
    for concept, kinds in _DATA["values"].items():
        for kind, lines in kinds.items():
            yield from ((line, Token(concept, kind)) for line in filter(None, lines.splitlines()))


_PHRASES: Final = PhraseAutomaton(_patterns())
#: All words of phrases: no slips of other words.
PHRASE_WORDS: Final = _PHRASES.words
#: Concepts that ask nothing.
SMALL_TALK: Final = frozenset(("hello", "thanks", "bye", "wish"))


def phrases(words: Sequence[str]) -> Iterator[tuple[Token, Sequence[str]]]:
    """Reads words from left to right, the longest phrase at each place; yields each with its own words."""
    at = 0
    while at < len(words):
        found = _PHRASES.longest(words, at)
        length, token = found or (1, Token("", words[at]))
        own = words[at : at + length]
        yield token if token.value else Token(token.concept, " ".join(own)), own
        at += length


def is_small_talk(plain: str) -> bool:
    """Returns whether a normalised text greets, thanks or says goodbye, and nothing else."""
    return all(token.concept in SMALL_TALK | {"noise"} for token, _ in phrases(plain.split()))


def depends_on_hour(plain: str) -> bool:
    """Returns whether the answer to a normalised text may be another one at another hour. In doubt it may: a request
    that says what time it is costs a few words, and a cached answer about yesterday a customer. A mere greeting
    ("buenas tardes") never does.
    """
    return not OF_AN_HOUR.isdisjoint(plain.split()) and not is_small_talk(plain)
