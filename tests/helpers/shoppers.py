"""What customers type when they look for a product: some of its words, carelessly, and with slips of the finger."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from string import ascii_lowercase

Row = Mapping[str, str]
ROWS_OF_KEYS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
NEIGHBOURS = {
    key: row[max(place - 1, 0) : place] + row[place + 1 : place + 2]
    for row in ROWS_OF_KEYS
    for place, key in enumerate(row)
}
#: Nobody looks for a product by these.
LITTLE = frozenset({"con", "del", "las", "los", "para", "por", "sin", "una"})


@dataclass(frozen=True, slots=True)
class Wish:
    """What is typed, and the words that are meant: folded."""

    typed: str
    meant: frozenset[str]


def folded(text: str) -> str:
    """Lower case without accents."""
    signs = unicodedata.normalize("NFD", text.lower())
    return "".join(sign for sign in signs if not unicodedata.combining(sign))


def words_of(row: Row) -> frozenset[str]:
    """All words of a product's name, brand and format, folded."""
    text = f"{row['name']} {row['brand']} {row['format']}"
    return frozenset(re.findall(r"[a-z0-9]+", folded(text)))


def wishes(rows: Sequence[Row], number: int, seed: int, *, slips: bool) -> Iterator[Wish]:
    """Two to four words of a random product's name and brand, as a customer may type them; with `slips`, one in every
    word of four letters or more.
    """
    random = Random(seed)
    for _ in range(number):
        words = _telling_words(random.choice(rows))
        while len(words) < 2:
            words = _telling_words(random.choice(rows))
        chosen = _chosen(words, random)
        typed = [_typed(word, random, slips=slips) for word in chosen]
        yield Wish(" ".join(typed), frozenset(map(folded, chosen)))


def _telling_words(row: Row) -> list[str]:
    words = re.findall(r"[^\W\d_]{3,}", f"{row['name']} {row['brand']}".lower())
    return [word for word in dict.fromkeys(words) if folded(word) not in LITTLE]


def _chosen(words: list[str], random: Random) -> list[str]:
    places = random.sample(range(len(words)), min(random.randint(2, 4), len(words)))
    return [words[place] for place in (places if random.random() < 0.3 else sorted(places))]


def _typed(word: str, random: Random, *, slips: bool) -> str:
    plain = folded(word) if random.random() < 0.7 else word
    return slipped(plain, random) if slips and len(plain) >= 4 else plain


def slipped(word: str, random: Random) -> str:
    """The word with one letter more, missing, mistaken for its neighbour on the keyboard, or swapped with the next."""
    place = random.randrange(len(word) - 1)
    before, letter, after = word[:place], word[place], word[place + 1 :]
    match random.choice(("more", "missing", "mistaken", "swapped")):
        case "more":
            return before + random.choice(ascii_lowercase) + letter + after
        case "missing":
            return before + after
        case "mistaken":
            return before + random.choice(NEIGHBOURS.get(folded(letter), ascii_lowercase)) + after
        case _:
            return before + after[0] + letter + after[1:]
