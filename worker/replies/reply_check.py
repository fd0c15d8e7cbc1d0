"""Rejecting words that are no answer for a customer: an echo, a loop, a label, JSON, our own instructions, English.

Small models write such things in a form that is otherwise valid, and a cache would keep them. Pure: no I/O.
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import lru_cache
from operator import eq
from typing import get_args

from worker.language.normalise import without_accents
from worker.language.patterns import patterns_of, read_data
from worker.replies.decision import Intent, InvalidDecision, State

_P = patterns_of(__file__)
#: Also what programs write where there is nothing.
_LABELS = frozenset({*get_args(Intent), *get_args(State), "null", "none", "undefined", "nan"})
#: Names that stand in our instructions and in no shop's words.
_NAMES = re.compile(
    r"\b(?:cart_operations|next_state|quick_replies|requires_human|product_id|json|prompts?|"
    + "|".join(sorted(label for label in _LABELS if "_" in label))
    + r")\b",
    re.IGNORECASE,
)
#: Letters of alphabets that no customer of a shop in Spanish need know; a model may fall into one for a word or two.
_OTHER_ALPHABET = re.compile(
    "[\u0400-\u052f\u0590-\u06ff\u0900-\u0e7f\u1100-\u11ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af]"
)
#: So many words of a row from our instructions are no accident.
_QUOTED_WORDS = 8
#: Words that come so often one behind the other, and make more than this share of a reply, are a loop.
_REPEATS, _MOST = 3, 0.6
#: Longer phrases than this are not looked for.
_LONGEST_PHRASE = 40
#: Fewer small words of a language may be a brand's name.
_LEAST_LANGUAGE_WORDS = 3
#: Shorter messages may well be said back ("dos leches").
_LEAST_ECHO_WORDS = 3
_DATA = read_data(__file__, "function_words")
_LANGUAGES = {name: frozenset(words.split()) for name, words in _DATA["languages"].items()}
#: Who is greeted or thanked answers in kind, often with the very same words.
_IN_KIND = frozenset(_DATA["greeting"]["in_kind"].split())


class UnfitReply(InvalidDecision):
    """A reply in a valid form that is no answer. A customer can provoke one, so it is no failure of the provider's."""


def check_reply(reply: str, said: str, instructions: str, facts: str = "") -> None:
    """Raises InvalidDecision, with the reason but without a word of it, for a reply that nobody should get.

    Args:
        said: the customer's message.
        instructions: the system text that the model was given.
        facts: the rest of its request.
    """
    words = _words(reply)
    is_said_back = _is_echo(reply, said)
    for problem, found in (
        ("holds JSON or names of the instructions", _P["json"].search(reply) or _NAMES.search(reply)),
        ("is a label or a figure and no sentence", "_".join(words) in _LABELS or not words),
        ("repeats the customer's message", is_said_back),
        ("says the same again and again", _is_loop(_P["token"].findall(reply.lower()))),
        ("quotes the instructions", not _rows(words).isdisjoint(_rows_of(instructions))),
        ("is not in the customer's language", _is_foreign(words, _words(said))),
        ("holds letters of another alphabet", _is_unreadable(reply, said, (instructions, facts))),
    ):
        if found:
            raise UnfitReply(f"reply: {problem}")


def _words(text: str) -> list[str]:
    return _P["word"].findall(_P["address"].sub(" ", text.lower()))


def _is_echo(reply: str, said: str) -> bool:
    """The customer's words and no other, whoever sets the accents. A question that comes back as a sentence has been
    answered.
    """
    if ("?" in reply) != ("?" in said):
        return False
    words, asked = (_P["token"].findall(without_accents(text)) for text in (reply, said))
    words = words[:-1] if words[-1:] in (["ok"], ["si"]) and asked[-1:] != words[-1:] else words
    return words == asked and len(asked) >= _LEAST_ECHO_WORDS and not _IN_KIND.issuperset(asked)


def _is_loop(tokens: Sequence[str]) -> bool:
    """The same words again and again, one behind the other, make most of it."""
    if any(
        one == two == three and one.isalpha() for one, two, three in zip(tokens, tokens[1:], tokens[2:], strict=False)
    ):
        return True
    # A run leaves out what it repeats, and only the rest can be words of their own.
    if len(set(tokens)) >= (1 - _MOST + _MOST / _REPEATS) * len(tokens):
        return False
    longest_phrase = min(_LONGEST_PHRASE, len(tokens) // _REPEATS)
    return any(_repeated(tokens, size) > _MOST * len(tokens) for size in range(2, longest_phrase + 1))


def _repeated(tokens: Sequence[str], size: int) -> int:
    """Counts the words of the longest run in which a phrase of this size follows itself often enough."""
    is_same = bytes(map(eq, tokens, tokens[size:]))
    longest = max(map(len, is_same.split(b"\0")))
    return longest + size if longest >= size * (_REPEATS - 1) else 0


def _rows(words: list[str]) -> set[tuple[str, ...]]:
    return {tuple(words[first : first + _QUOTED_WORDS]) for first in range(len(words) - _QUOTED_WORDS + 1)}


@lru_cache(maxsize=4)
def _rows_of(instructions: str) -> frozenset[tuple[str, ...]]:
    """Returns the rows of words of the instructions without examples and categories, which may well be quoted."""
    return frozenset(_rows(_words(instructions.partition("For example:")[0])))


def _is_foreign(words: list[str], said: list[str]) -> bool:
    counts = _language_counts(words)
    best, most = counts.most_common(1)[0] if counts else ("spanish", 0)
    if best == "spanish" or most < _LEAST_LANGUAGE_WORDS or most <= 2 * counts["spanish"]:
        return False
    return _language_counts(said)[best] <= _language_counts(said)["spanish"]


def _is_unreadable(reply: str, said: str, known: Sequence[str]) -> bool:
    """Letters that a reader of Spanish cannot read, unless the customer writes such or a product is so named."""
    if reply.isascii() or _OTHER_ALPHABET.search(said):
        return False
    letters = set(_OTHER_ALPHABET.findall(reply))
    return any(all(letter not in text for text in known) for letter in letters)


def _language_counts(words: Iterable[str]) -> Counter[str]:
    return Counter(name for word in words for name, small in _LANGUAGES.items() if word in small)
