"""Classifier of messages: what one wants and how hard it is, learned from labelled lines by `make train`.

It judges by the features of a message: its words and parts of them, their order, and how many. The names of goods, the
parts of a shop and figures are one word each, so that what is learned of one holds of all.

A linear model with a weight for each feature and class. The weights of a feature for all classes stand side by side in
one large number, so that one addition adds them all.
"""

import math
import struct
from collections.abc import Iterable, Sequence
from functools import cache
from itertools import pairwise
from pathlib import Path

import msgspec

from worker.language.normalise import normalised
from worker.language.vocabulary import GROCERIES, SECTIONS

SIMPLE, MEDIUM, COMPLEX = "simple", "medium", "complex"
WEIGHTS = Path(__file__).with_name("data") / "classifier.msgpack"
#: Weights are stored as whole numbers from 0 to 255; this one is nought.
NOUGHT = 128
#: The beginning of a long story says what it is about.
MAX_CHARS = 300
PRODUCT, SECTION, FIGURE = "<product>", "<section>", "<figure>"
#: Goods that are a part of the shop too: "carnes", "bebidas".
RANGE = "<range>"
#: All words together, as something that is counted.
WORDS = "<words>"
#: A text has a feature for each of these numbers that it reaches; 0 gives every text one.
STEPS = {WORDS: (0, 1, 2, 3, 4, 6, 8, 11, 15, 20, 28, 40), PRODUCT: (1, 2, 3, 4), FIGURE: (1, 2, 3)}


class Weights(msgspec.Struct, frozen=True):
    """The file of weights.

    Args:
        seed: of the training, which gives the same weights again from the same lines.
        lines: SHA-256 of the lines that were learned.
        classes: pairs of intent and complexity.
        features: separated by line ends.
        weights: one byte for each class of each feature, in the order of both.
        scales: by class, what 1 is in its weights.
        biases: by class, what its score begins with.
    """

    seed: int
    lines: str
    classes: tuple[tuple[str, str], ...]
    features: str
    weights: bytes
    scales: tuple[float, ...]
    biases: tuple[float, ...]


class Kind(msgspec.Struct, frozen=True):
    """The likeliest intent and complexity of a message."""

    intent: str
    complexity: str


class Classifier:
    """The weights, made ready for adding."""

    def __init__(self, weights: Weights) -> None:
        names = weights.features.split("\n")
        self._scales, self._biases = weights.scales, weights.biases
        #: The last field counts the features.
        self._fields = struct.Struct(f"<{len(weights.classes)}II")
        self._table = dict(zip(names, self._packed(weights.weights, len(weights.classes)), strict=True))
        self._words = {name[1:]: self._sum(word_features(name[1:])) for name in names if name.startswith("=")}
        self._counts = {
            name: [self._sum(count_features(name, count)) for count in range(steps[-1] + 1)]
            for name, steps in STEPS.items()
        }
        self._places = [_places(names) for names in zip(*weights.classes, strict=True)]

    def kind_of(self, plain: str) -> Kind:
        """The kind of a normalised text. Every class gives its probability to its intent and its complexity."""
        scores = self._scores(plain)
        highest = max(scores)
        odds = [math.exp(score - highest) for score in scores]
        intent, complexity = (_likeliest(places, odds) for places in self._places)
        return Kind(intent, complexity)

    def _scores(self, plain: str) -> list[float]:
        """The score of each class: the sum of its weights by the root of how many there are, so that length alone
        decides nothing.
        """
        *sums, known = self._fields.unpack(self._total(plain).to_bytes(self._fields.size, "little"))
        nought, root = NOUGHT * known, math.sqrt(known)
        by_class = zip(sums, self._scales, self._biases, strict=True)
        return [(total - nought) * scale / root + bias for total, scale, bias in by_class]

    def _total(self, plain: str) -> int:
        """The sum over all features of a text; those of a word that was learned are summed already."""
        words = words_of(plain)
        total = self._sum(order_features(words))
        for word in words:
            total += self._words[word] if word in self._words else self._sum(word_features(word))
        for name, count in counts_of(words).items():
            sums = self._counts[name]
            total += sums[min(count, len(sums) - 1)]
        return total

    def _sum(self, features: Iterable[str]) -> int:
        table = self._table
        return sum([table[feature] for feature in features if feature in table])

    def _packed(self, weights: bytes, classes: int) -> list[int]:
        """One number for each feature, four bytes of it for each class: no sum of a text's weights reaches the next."""
        rows = (weights[at : at + classes] for at in range(0, len(weights), classes))
        return [int.from_bytes(self._fields.pack(*row, 1), "little") for row in rows]


def _places(names: Sequence[str]) -> dict[str, list[int]]:
    return {name: [place for place, other in enumerate(names) if other == name] for name in dict.fromkeys(names)}


def _likeliest(places: dict[str, list[int]], odds: list[float]) -> str:
    return max(places, key=lambda name: sum([odds[place] for place in places[name]]))


@cache
def classifier() -> Classifier:
    """The classifier that is shipped."""
    return Classifier(msgspec.msgpack.decode(WEIGHTS.read_bytes(), type=Weights))


def guess_intent(text: str) -> str:
    """Guesses one of the intents of a decision (`worker.replies.decision.Intent`), as the labelled lines have them
    (`data/lines`); "unknown" where only the session could tell, as for "2" or "ese". Nothing is ever changed in a
    cart because of a guess.
    """
    return classifier().kind_of(normalised(text)).intent


def complexity(plain: str) -> str:
    """Returns the complexity of a normalised text, as the labelled lines have it.

    `simple`: small talk, thanks, yes and no, numbers, the menu. `medium`: products, one question about the shop or
    several, cart and order, a complaint in few words, asking for a person, and all else. `complex`: comparison, advice,
    recipes, complaints with a story, several different requests in one.
    """
    return classifier().kind_of(plain).complexity


def words_of(plain: str) -> list[str]:
    """The words of a normalised text, in which goods, parts of a shop and figures are called by their class."""
    classes = _classes()
    words = plain[:MAX_CHARS].split()
    return [classes.get(word) or (FIGURE if word[0].isdigit() else word) for word in words]


def word_features(word: str) -> list[str]:
    """The word itself and, where it is no class, its runs of three and four letters."""
    if word.startswith("<"):
        return [f"={word}"]
    edged = f"_{word}_"
    threes = [edged[at : at + 3] for at in range(len(edged) - 2)]
    return [f"={word}", *threes, *[edged[at : at + 4] for at in range(len(edged) - 3)]]


def order_features(words: list[str]) -> list[str]:
    """The words two by two, with the ends of the text, and three by three."""
    framed = ["^", *words, "$"]
    pairs = [f"{one} {two}" for one, two in pairwise(framed)]
    return pairs + [f"{one} {two} {three}" for one, two, three in zip(words, words[1:], words[2:], strict=False)]


def counts_of(words: list[str]) -> dict[str, int]:
    """Numbers of all words, of goods and of figures."""
    return {WORDS: len(words), PRODUCT: words.count(PRODUCT), FIGURE: words.count(FIGURE)}


def count_features(name: str, count: int) -> list[str]:
    """The steps that a count reaches."""
    return [f"{name}>={step}" for step in STEPS[name] if count >= step]


@cache
def _classes() -> dict[str, str]:
    """PRODUCT, SECTION or RANGE by word, in the singular and the plural."""
    goods = {form for word in GROCERIES for form in (word, f"{word}s", f"{word}es", f"{word.removesuffix('z')}ces")}
    return dict.fromkeys(goods, PRODUCT) | dict.fromkeys(SECTIONS, SECTION) | dict.fromkeys(goods & SECTIONS, RANGE)
