"""Data files of words: each word stands in one of them, unless it means two things."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterator
from itertools import chain
from typing import Any

from worker.language import vocabulary
from worker.language.patterns import read_data
from worker.language.vocabulary import (
    COMMON_WORDS,
    GROCERIES,
    NAMELESS,
    POINTING,
    SMALL_WORDS,
    SPELLINGS,
)

GOODS, WORDS, UNITS, LEXICON = (read_data(vocabulary.__file__, name) for name in ("goods", "words", "units", "lexicon"))
NAME = re.compile(r"[^,=]+")
#: Lists whose words are names of goods or of packings too, and say another thing where the list is asked.
SAY_ANOTHER_THING = {
    "reasons": "dishes that people tell us they will cook",
    "said_of_things": "what another thing tastes of, is made of, or comes in",
    "packed": "a bag of it is another thing than the thing",
    "teas": "words behind `te` where it is tea",
}
#: Other words of two files, with the two things that they mean.
MEAN_TWO_THINGS = {
    "almacen": "a part of the shop; the shop itself",
    "alimento": "a bag of it is sold by the kilo; alone it is nobody's",
    "arena": "for cats; alone it may be a part of something",
    "atado": "a bundle of something; alone it is one that was named before",
    "cuarto": "a part of a kilo; the fourth",
    "cuidado": "a part of the shop; take care",
    "dulces": "a part of the shop; how things taste",
    "factura": "a pastry, and an invoice",
    "falda": "a cut of meat, and a skirt",
    "formula": "milk for babies, and what something is made by",
    "medio": "half a kilo; the one between",
    "molida": "minced meat, and coffee that is ground",
    "palo": "a broomstick; of every day, near `polo`",
    "papel": "paper; of every day, near `papas`",
    "pasas": "raisins, and `me pasas`",
    "pata": "sold by weight; of every day, near `papa`",
    "peine": "a comb; of every day, near `pan`",
    "picada": "minced meat, and how things are cut",
    "porcion": "how much of something; alone it is one that was named before",
    "pote": "a packing, and a thing to keep food in",
    "pulpa": "sold by weight; of every day, near `pulpo`",
    "regla": "a ruler; of every day",
    "reserva": "a wine; to reserve",
    "rodaja": "how much of something; a form of one that was named before",
    "sachet": "a packing that looks like a verb",
    "sobre": "a packing; upon",
    "tapa": "a cut of meat, and a lid",
    "uds": "pieces, and you",
    "un": "a piece, as price lists write it; one",
}


def words_of_files() -> Iterator[tuple[str, str, str]]:
    """Each word of a list with its file and its list. Names in brackets are words of other things, and say so."""
    for name in chain.from_iterable(NAME.findall(line) for line in chain(*GOODS["names"].values())):
        yield name.strip(), "goods", "names"
    lists = {
        "goods": GOODS["lists"],
        "words": {name: text for name, text in WORDS.items() if name != "spellings"},
        "units": UNITS["said"] | UNITS["search"] | {"units": " ".join(chain(*UNITS["units"].items()))},
    }
    for file, texts in lists.items():
        for name, text in texts.items():
            yield from ((word, file, name) for word in text.split())


def test_no_word_stands_in_two_files_for_one_reason() -> None:
    """Whoever adds one then knows where: what shops sell, what is said around it, how much of it."""
    places = defaultdict[str, dict[str, str]](dict)
    for word, file, name in words_of_files():
        if name not in SAY_ANOTHER_THING:
            places[word].setdefault(file, name)
    twice = {word: found for word, found in places.items() if len(found) > 1}
    assert {word: found for word, found in twice.items() if word not in MEAN_TWO_THINGS} == {}
    assert MEAN_TWO_THINGS.keys() - twice.keys() == set()


def test_words_stand_as_normalising_leaves_them() -> None:
    """Else none of them is ever found: no accents, and no spelling that is put right before."""
    phrases: dict[str, Any] = {"phrases": LEXICON["phrases"], **LEXICON["values"]}
    said = re.findall(r"\w+", " ".join(chain.from_iterable(lines.values() for lines in phrases.values())))
    found = {word for word in chain(said, (word.strip("()") for word, _, _ in words_of_files())) if word in SPELLINGS}
    accents = {word for word in said if "\N{COMBINING ACUTE ACCENT}" in unicodedata.normalize("NFD", word)}
    assert (found, accents) == (set(), set())


def test_a_name_is_in_brackets_everywhere_or_nowhere() -> None:
    """It is a word of other things too on whatever line."""
    names = {name for name, _, where in words_of_files() if where == "names"}
    assert {name for name in names if f"({name})" in names} == set()


def test_what_has_several_names_stands_on_a_line() -> None:
    """And no more among the goods that have one."""
    named = {name.strip("()") for name, _, where in words_of_files() if where == "names"}
    assert named & set(GOODS["lists"]["goods"].split()) == set()


def test_what_is_common_is_said_once() -> None:
    """The list of frequent words has none that another list makes one."""
    written = WORDS["common"].split()
    assert len(written) == len(set(written))
    assert set(written) & (SMALL_WORDS | NAMELESS | POINTING | GROCERIES) == set()
    assert set(written) < COMMON_WORDS
