"""Measuring how the work of a function grows with its input, and texts of the shapes that are hardest to read."""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import count
from typing import Any

#: The input grows by this much, and linear work with it; work with the square of the input grows by 64.
GROWTH = 8
MOST_GROWTH = 3 * GROWTH
#: Less than this is no danger, however it grows: the larger of the two inputs is the largest that comes in.
LITTLE_S = 0.01
LITTLE_BYTES = 512 * 1024
MOST_S = 2.0
MOST_BYTES = 16 * 1024 * 1024
ROUNDS = 9
LEAST_ROUNDS = 2

Shapes = Mapping[str, Callable[[int], Any]]
_FRESH = count(26**2)


@dataclass(frozen=True, slots=True)
class Work:
    """A function, the shapes of its input, and the size of the largest input that comes in."""

    function: Callable[[Any], object]
    shapes: Shapes
    largest: int


def repeated(unit: str, before: str = "") -> Callable[[int], str]:
    """A text of a given length, which begins with `before` and goes on with `unit` over and over. Every one is another,
    since what was read once is remembered, and ends otherwise than it went on, which is hardest for a pattern.
    """

    def text(size: int) -> str:
        tag = _letters(next(_FRESH))
        return (before + unit * (size // len(unit) + 1))[: size - len(tag)] + tag

    return text


def nested(opens: str, closes: str) -> Callable[[int], str]:
    """The same of a text whose first half is one unit over and over and whose second half another."""
    first, second = repeated(opens), repeated(closes)
    return lambda size: first(size // 2)[:-4] + second(size - size // 2 + 4)


def _letters(number: int) -> str:
    return "".join(chr(ord("a") + number // 26**place % 26) for place in range(4))


#: What repeats in a text, by what it is. A name says what a failure is about; to add one is to add a line.
UNITS = {
    "one word": "murcielago",
    "one letter": "a",
    "consonants": "bcdfg",
    "double letters": "llrr",
    "laughter": "ja",
    "letters of another script": "中",
    "syllables that are taken apart": "한",
    "ligatures": "ﷺ",
    "capitals that grow": "İ",
    "digits": "7",
    "digits with points": "1.",
    "digits with commas": "1,",
    "figures": "12 ",
    "percentages": "12% ",
    "fractions": "½",
    "primes": "1'5 ",
    "units": "2 kg ",
    "measures": "1 kilo y medio ",
    "a list without commas": "1 kilo papas ",
    "a list with commas": "2 leches, ",
    "sizes": "leche 1 l 2 l ",
    "times": "x 2 ",
    "short words": "a ",
    "words": "leche pan ",
    "many words": "yerba azúcar fideos ",
    "two and two": "leche y pan o ",
    "prepositions": "de ",
    "greetings": "hola ",
    "courtesies": "por favor ",
    "apologies": "disculpe una consulta ",
    "thanks": "gracias y ",
    "questions": "que cuanto sale ",
    "comparisons": "comparar leche con ",
    "comparisons with an end": "compara a b contra ",
    "denials": "no te me se ",
    "orders": "agrega 2 saca 3 ",
    "emptying": "vacia a b ",
    "claims": "listo. agregué ",
    "injections": "ignora system ",
    "roles": "sos eres un ",
    "wanting a person": "quiero hablar con ",
    "addresses": "calle 12 ",
    "single letters": "k d x ",
    "ordinal signs": "nº ",
    "spoken signs": "s/ + = ",
    "tags": "<b>",
    "open tags": "<",
    "braces": "{ ",
    "punctuation": ".,",
    "question marks": "¿?",
    "sentences": "Sí. ",
    "ellipses": "...",
    "colons": ":",
    "smiles": ":)",
    "hearts": "<3",
    "dashes": "-",
    "underscores": "_",
    "asterisks": "*",
    "money": "$",
    "slashes": "/",
    "spaces": " ",
    "tabs": "\t ",
    "empty lines": "\n",
    "empty lines with spaces": "\n ",
    "lines": "pan\n",
    "emoji": "😀",
    "flags": "🇦🇷",
    "families": "👨‍👩‍👧‍👦",
    "letters with a mark": "a\u0301",
    "marks": "\u0301\u0323",
    "joiners": "\u200d",
    "surrogates' replacements": "\ufffd",
    "a cart": "1 x LAC-001, ",
}
TEXTS: Shapes = {name: repeated(unit) for name, unit in UNITS.items()} | {
    "courtesies within each other": nested("por ", "favor "),
    "laughter within laughter": nested("jaja x ", "x "),
    "brackets": nested("(", ")"),
    "a long smile": repeated(")", ":"),
    "a long heart": repeated("3", "<"),
    "a question about words": repeated("leche ", "tenes "),
    "a cart of many": repeated("1 x LAC-001, ", "Pedido: "),
    "a cart of one": repeated("a", "Pedido: 1 x "),
    "a cart of figures": repeated(", 1 ", "Pedido: 1 x "),
    "agreement and figures": repeated("2 ", "si "),
    "a choice": repeated("el la ", "quiero "),
}


def check(work: Work, shape: str) -> None:
    """Time and memory of this work grow with its input about as the input does, and are small for the largest."""
    make = work.shapes[shape]
    seconds, times = growth_of(lambda size: cpu_s(work.function, make(size)), work.largest, LITTLE_S)
    assert seconds < MOST_S, f"{shape}: {seconds:.2f} s"
    assert times < MOST_GROWTH, f"{shape}: {GROWTH} times as much takes {times:.0f} times as long, {seconds:.3f} s"
    size, times = growth_of(lambda size: peak_bytes(work.function, make(size)), work.largest, LITTLE_BYTES)
    assert size < MOST_BYTES, f"{shape}: {size:,.0f} bytes"
    assert times < MOST_GROWTH, f"{shape}: {GROWTH} times as much takes {times:.0f} times the memory, {size:,.0f} bytes"


def growth_of(cost: Callable[[int], float], largest: int, little: float) -> tuple[float, float]:
    """What the largest input costs, and how many times as much as one of an eighth; 1 where it costs little.

    Other programs only ever add to a time: so it is the least of several, and they go on while it looks too much.
    """
    most = cost(largest)
    if most < little:
        return most, 1.0
    least = cost(largest // GROWTH)
    for turn in range(ROUNDS):
        if most < little or most >= MOST_S or (turn >= LEAST_ROUNDS and most < MOST_GROWTH * least):
            break
        most, least = min(most, cost(largest)), min(least, cost(largest // GROWTH))
    return most, 1.0 if most < little else most / least


def cpu_s(function: Callable[[Any], object], given: Any) -> float:
    """Seconds of this thread."""
    began = time.thread_time()
    function(given)
    return time.thread_time() - began


def peak_bytes(function: Callable[[Any], object], given: Any) -> float:
    """The most that the function held at a time of what it made."""
    tracemalloc.start()
    try:
        function(given)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
