"""What no customer should read, told by signs that need no understanding: echoes, English, loops, labels, JSON.

Independent of what the service itself looks at: these are the checker's own signs.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Sequence
from typing import Final

WORDS: Final = re.compile(r"[a-zñ0-9_]+")
#: Small words that are one language's alone, as they stand in any text of some length.
ENGLISH: Final = frozenset(
    """
    the and you your is are was of to for with this that it i can have has what which how please thank thanks hello hi
    be will would we our my they from at not do does if or an as by there here help need customer message reply
    """.split()  # noqa: SIM905  a list of words reads best as words
)
SPANISH: Final = frozenset(
    """
    el la los las un una unos unas y de del que en por para con sin se te le les lo su sus tu tus mi es son esta estan
    hay como cuando donde cual cuanto este esta eso ese muy mas pero si no ya hola gracias quiero tengo tenemos puedo
    podes queres algo otra otro al me nos
    """.split()  # noqa: SIM905  a list of words reads best as words
)
#: Fewer words are no sentence of any language.
LEAST_WORDS: Final = 4
#: A greeting may well be the customer's own.
LEAST_ECHO: Final = 3
#: A phrase of so many words that stands so often one after the other, or text of which so little is new, is a loop.
LOOP_TIMES: Final = 3
LOOP_WORDS, LOOP_NEW = 16, 0.35
LOOP: Final = re.compile(rf"\b((?:\w+\W+){{1,8}}?)(?:\1){{{LOOP_TIMES - 1},}}|(\S)\2{{9,}}")
#: So many words of the instructions in a row are no coincidence.
QUOTED_WORDS: Final = 8
JSON: Final = re.compile(r"^\s*\{|^\s*\[\s*[\[{\"]|\"\w+\"\s*:")
EXAMPLE: Final = re.compile(r'"reply": "([^"]+)"')
GREETING: Final = re.compile(r"\W*(?:hola|buen[oa]s?)\b", re.IGNORECASE)
#: What a reply consists of that is the name of something in the request or the answer.
LABEL: Final = re.compile(
    r"\W*(?:[a-z]+(?:_[a-z]+)+|reply|intent|message|text|customer|response|answer|string)\W*", re.IGNORECASE
)


def faults(reply: str, said: str = "", instructions: str = "") -> list[str]:
    """Names of what is wrong with a reply. said: what it answers; instructions: of the request, in English."""
    words = words_of(reply)
    signs = {
        "a figure alone": not any(sign.isalpha() for sign in reply),
        "JSON": bool(JSON.search(reply)),
        "a label": bool(LABEL.fullmatch(reply.strip())),
        "an echo": is_echo(words, words_of(said)),
        "a loop": is_loop(words, reply),
        "mostly English": is_english(words) and not is_english(words_of(said)),
        "prompt text": quotes(words, words_of(instructions)) or is_example(words, said, instructions),
    }
    return [name for name, is_so in signs.items() if is_so]


def words_of(text: str) -> list[str]:
    """The words in lower case without accents."""
    signs = unicodedata.normalize("NFD", text.lower().replace("ñ", "\0"))
    return WORDS.findall("".join(sign for sign in signs if not unicodedata.combining(sign)).replace("\0", "ñ"))


def is_echo(words: Sequence[str], said: Sequence[str]) -> bool:
    """Whether the words are the customer's own, of which there are some, and nothing besides."""
    return len(said) >= LEAST_ECHO and list(words) == list(said)


def is_loop(words: Sequence[str], text: str) -> bool:
    """Whether a phrase comes again and again."""
    return bool(LOOP.search(text.lower())) or (len(words) >= LOOP_WORDS and len(set(words)) < LOOP_NEW * len(words))


def is_english(words: Collection[str]) -> bool:
    """Whether small words of English outnumber those of Spanish by far."""
    english, spanish = (sum(word in small for word in words) for small in (ENGLISH, SPANISH))
    return len(words) >= LEAST_WORDS and english > max(2 * spanish, 1)


def quotes(words: Sequence[str], instructions: Sequence[str]) -> bool:
    """Whether a sentence of the instructions stands in it. They are English; names of the shop's sections are not."""
    return any(sum(word in ENGLISH for word in row) > 1 for row in _rows(words) & _rows(instructions))


def is_example(words: Sequence[str], said: str, instructions: str) -> bool:
    """Whether it is word by word a reply that stands in the instructions as an example; one to a greeting may greet."""
    return not GREETING.match(said) and any(words_of(reply) == list(words) for reply in EXAMPLE.findall(instructions))


def _rows(words: Sequence[str]) -> set[tuple[str, ...]]:
    return set(zip(*(words[place:] for place in range(QUOTED_WORDS)), strict=False))
