"""Classifier of messages: what one wants and how hard it is, learned from labelled lines by `make train`.

A linear model with a weight for each feature and class. The weights of a feature for all classes stand side by side in
one large number, so that one addition adds them all.
"""

import math
import struct
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import msgspec

from worker.language.features import STEPS, count_features, counts_of, order_features, word_features, words_of
from worker.language.normalise import normalised

SIMPLE, MEDIUM, COMPLEX = "simple", "medium", "complex"
WEIGHTS = Path(__file__).with_name("data") / "classifier.msgpack"
#: Weights are stored as whole numbers from 0 to 255; this one is nought.
NOUGHT = 128


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
        self._intents = _places([intent for intent, _ in weights.classes])
        self._complexities = _places([complexity for _, complexity in weights.classes])

    def kind_of(self, plain: str) -> Kind:
        """The kind of a normalised text. Every class gives its probability to its intent and its complexity."""
        scores = self._scores(plain)
        highest = max(scores)
        odds = [math.exp(score - highest) for score in scores]
        return Kind(_likeliest(self._intents, odds), _likeliest(self._complexities, odds))

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


def _places(names: list[str]) -> dict[str, list[int]]:
    """The places at which each name stands."""
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
