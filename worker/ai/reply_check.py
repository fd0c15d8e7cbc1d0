"""Rejecting words that are no answer for a customer: an echo, a loop, a label, JSON, our own instructions, English.

Small models write such things in a form that is otherwise valid, and a cache would keep them. Pure thought.
"""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import get_args

from worker.ai.decision import Intent, InvalidDecision, State
from worker.ai.language import without_accents

_WORD = re.compile(r"[^\W\d_]+")
_LABELS = frozenset({*get_args(Intent), *get_args(State)})
#: Names that stand in our instructions and in no shop's words.
_NAMES = re.compile(
    r"\b(?:cart_operations|next_state|quick_replies|requires_human|product_id|json|"
    + "|".join(sorted(label for label in _LABELS if "_" in label))
    + r")\b",
    re.IGNORECASE,
)
_JSON = re.compile(r'^\s*\{|\[\s*[{"]|\{\s*"|"\s*:\s*["\[{]')
#: So many words of a row from our instructions are no accident.
_QUOTED_WORDS = 8
#: A sentence or three words in a row that come so often, and make more than this share of a reply, are a loop.
_REPEATS, _MOST = 3, 0.6
#: Shorter texts hold too few small words to tell a language by.
_LEAST_LANGUAGE_WORDS = 4
#: Shorter messages may well be said back ("dos leches").
_LEAST_ECHO_WORDS = 3
#: Who is greeted or thanked answers in kind, often with the very same words.
_IN_KIND = frozenset(
    """
    hola buenas buenos buen muy dia dias tardes noches muchas mil gracias igualmente feliz navidad año nuevo que tengas
    tengan un una linda lindo semana finde
    """.split()  # noqa: SIM905 - a list of so many strings cannot be read
)
_LANGUAGES: dict[str, frozenset[str]] = {
    name: frozenset(words.split())
    for name, words in tomllib.loads(Path(__file__).with_name("function_words.toml").read_text("utf-8")).items()
}


def check_reply(reply: str, said: str, instructions: str) -> None:
    """Raises InvalidDecision, with the reason but without a word of it, for a reply that nobody should get.

    Args:
        said: the customer's message.
        instructions: the system text that the model was given.
    """
    words = _words(reply)
    for problem, found in (
        ("holds JSON or names of the instructions", _JSON.search(reply) or _NAMES.search(reply)),
        ("is a label or a figure and no sentence", reply.strip().lower() in _LABELS or not words),
        ("repeats the customer's message", _is_echo(words, _words(said))),
        ("says the same again and again", _is_loop(reply, words)),
        ("quotes the instructions", _quotes(words, instructions)),
        ("is not in the customer's language", _is_foreign(words, _words(said))),
    ):
        if found:
            raise InvalidDecision(f"reply: {problem}")


def _words(text: str) -> list[str]:
    return _WORD.findall(text.lower())


def _is_echo(words: list[str], said: list[str]) -> bool:
    """The customer's words and hardly any other, whoever sets the accents."""
    if len(said) < _LEAST_ECHO_WORDS or len(words) > len(said) + 2:
        return False
    plain = [without_accents(word) for word in said]
    return [without_accents(word) for word in words[: len(said)]] == plain and not _IN_KIND.issuperset(plain)


def _is_loop(reply: str, words: list[str]) -> bool:
    """The same sentence, or the same three words, make most of it. A list of products may begin its lines alike."""
    sentences = Counter(tuple(_words(line)) for line in re.split(r"[\n.!?]", reply))
    threes = Counter(zip(words, words[1:], words[2:], strict=False))
    stammers = any(one == two == three for one, two, three in threes)
    repeated = [len(row) * times for row, times in (*sentences.items(), *threes.items()) if times >= _REPEATS]
    return stammers or max(repeated, default=0) > _MOST * len(words)


def _quotes(words: list[str], instructions: str) -> bool:
    return not _rows(words).isdisjoint(_rows_of(instructions))


def _rows(words: list[str]) -> set[tuple[str, ...]]:
    return {tuple(words[first : first + _QUOTED_WORDS]) for first in range(len(words) - _QUOTED_WORDS + 1)}


@lru_cache(maxsize=4)
def _rows_of(instructions: str) -> frozenset[tuple[str, ...]]:
    """Of the instructions before the examples and the categories, which may well be quoted."""
    return frozenset(_rows(_words(instructions.partition("For example:")[0])))


def _is_foreign(words: list[str], said: list[str]) -> bool:
    counts = _language_counts(words)
    best, most = counts.most_common(1)[0] if counts else ("spanish", 0)
    if best == "spanish" or len(words) < _LEAST_LANGUAGE_WORDS or most <= 2 * counts["spanish"]:
        return False
    return _language_counts(said)[best] <= _language_counts(said)["spanish"]


def _language_counts(words: Iterable[str]) -> Counter[str]:
    return Counter(name for word in words for name, small in _LANGUAGES.items() if word in small)
