"""Lexicon: phrases of customers and the concepts they stand for (`data/lexicon.toml`), and frames: questions that
everybody may ask, by the concepts that a message must have (`data/frames.toml`). Everything is normalised.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, NamedTuple

from worker.language.patterns import read_data
from worker.language.phrase_automaton import PhraseAutomaton
from worker.language.vocabulary import OF_AN_HOUR

_DATA: Final[dict[str, Any]] = read_data(__file__, "lexicon")
#: Concepts that ask nothing.
SMALL_TALK: Final = frozenset(("hello", "thanks", "bye", "wish"))
#: Concepts that ask what there is in all.
MENU: Final = frozenset(("menu", "catalogue", "categories", "what_sold"))
_PLACE: Final = re.compile(r"\{(\w+)\}")


class Token(NamedTuple):
    """A phrase of a message.

    Args:
        concept: what it stands for; empty for a word of no phrase.
        value: which of a kind it is ("los domingos"); the words as they stand where its concept has no kinds.
    """

    concept: str
    value: str


def _patterns() -> Iterator[tuple[str, Token]]:
    kinds_by_concept = {concept: {"": lines} for concept, lines in _DATA["phrases"].items()}
    for concept, kinds in (*kinds_by_concept.items(), *_DATA["values"].items()):
        for kind, lines in kinds.items():
            yield from ((line, Token(concept, kind)) for line in filter(None, lines.splitlines()))


_PHRASES: Final = PhraseAutomaton(_patterns())
#: All words of phrases: no slips of other words.
PHRASE_WORDS: Final = _PHRASES.words


def phrases(words: Sequence[str]) -> Iterator[tuple[Token, Sequence[str]]]:
    """Reads words from left to right, the longest phrase at each place; yields each with its own words."""
    for meaning, own in _PHRASES.read(words):
        concept, value = meaning or ("", "")
        yield Token(concept, value or " ".join(own)), own


def is_small_talk(plain: str) -> bool:
    """Returns whether a normalised text greets, thanks or says goodbye, and nothing else."""
    return all(token.concept in SMALL_TALK | {"noise"} for token, _ in phrases(plain.split()))


def asks_for_menu(plain: str) -> bool:
    """Returns whether a normalised text asks what there is in all, and nothing else."""
    concepts = {token.concept for token, _ in phrases(plain.split())}
    return bool(concepts & MENU) and concepts <= MENU | SMALL_TALK | {"noise", "ask", "have"}


def depends_on_hour(plain: str) -> bool:
    """Returns whether the answer to a normalised text may be another one at another hour. In doubt it may: a request
    that says what time it is costs a few words, and a cached answer about yesterday a customer. A mere greeting
    ("buenas tardes") never does.
    """
    return not OF_AN_HOUR.isdisjoint(plain.split()) and not is_small_talk(plain)


@dataclass(frozen=True, slots=True)
class Frame:
    """One question.

    Args:
        form: as everybody could have asked it, with its open places.
        needs: sets of concepts, one of each of which a message must have.
        allowed: all concepts that it may have.
        places: names of the open places.
    """

    form: str
    needs: tuple[frozenset[str], ...]
    allowed: frozenset[str]
    places: tuple[str, ...]


def _frame(row: Mapping[str, str]) -> Frame:
    needs = tuple(frozenset(need.split("|")) for need in row["needs"].split())
    allowed = frozenset(row.get("may", "").split()).union(*needs)
    return Frame(row["form"], needs, allowed, tuple(_PLACE.findall(row["form"])))


_FRAMES: Final = tuple(map(_frame, read_data(__file__, "frames")["frames"]))


@lru_cache(maxsize=4096)
def frames_of(concepts: frozenset[str]) -> tuple[Frame, ...]:
    """The questions that a message of these concepts may be. Looking through all takes longer than all else that is
    done to a message, and messages have the same concepts again and again.
    """
    fitting = (frame for frame in _FRAMES if concepts <= frame.allowed)
    return tuple(frame for frame in fitting if not any(need.isdisjoint(concepts) for need in frame.needs))
