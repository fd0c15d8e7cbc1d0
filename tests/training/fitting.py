"""Weights of the classifier, fitted to examples by scikit-learn, and how well they do on lines that they never saw."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from helpers.language import features_of
from scipy.sparse import csr_matrix
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from training.lines import Example
from worker.language.classifier import NOUGHT, WORDS, Classifier, Weights, count_features

#: How freely weights may grow; chosen by cross-validation, like the other two.
FREEDOM: Final = 30.0
#: A feature that fewer examples have is not learned.
FEWEST_EXAMPLES: Final = 2
#: Of all features those are kept that weigh most.
KEPT_FEATURES: Final = 16_000
#: A class that is rarer among expected messages than this counts as if it were not.
RAREST: Final = 0.005
FOLDS: Final = 3
#: More change no tenth of a per cent.
STEPS: Final = 120


@dataclass(frozen=True, slots=True)
class Accuracy:
    """Shares of examples whose intent and whose complexity are right, 0 to 1."""

    intent: float
    complexity: float


def fit(examples: Sequence[Example], expected: Mapping[str, float], seed: int, lines: str) -> Weights:
    """Fits weights to examples: first with all features, then with those that weigh most.

    Args:
        expected: the share of each class in what customers write; rarer classes count less.
        lines: the digest that the weights will name.
    """
    found = [features_of(example.plain) for example in examples]
    counted = Counter(feature for features in found for feature in set(features))
    names = sorted(name for name, times in counted.items() if times >= FEWEST_EXAMPLES)
    classes = [example.kind for example in examples]
    counts = _how_much(classes, expected)
    weighs = np.linalg.norm(_fitted(found, names, classes, counts).coef_, axis=0)
    heaviest = {names[at] for at in np.argsort(-weighs, kind="stable")[:KEPT_FEATURES]} | {*count_features(WORDS, 0)}
    kept = [name for name in names if name in heaviest]
    return _weights(_fitted(found, kept, classes, counts), kept, seed, lines)


def _how_much(classes: Sequence[str], expected: Mapping[str, float]) -> list[float]:
    """How much each example counts, by its class: half way, by a root, to where all would be as expected."""
    counted = Counter(classes)
    return [(max(expected.get(name, 0.0), RAREST) * len(classes) / counted[name]) ** 0.5 for name in classes]


def _fitted(
    found: Sequence[Sequence[str]], names: Sequence[str], classes: Sequence[str], counts: Sequence[float]
) -> LogisticRegression:
    model = LogisticRegression(C=FREEDOM, max_iter=STEPS, tol=1e-3)
    # One thread: the same sums in the same order on every machine, and no two that wait for each other.
    with threadpool_limits(1):
        return model.fit(_matrix(found, names), classes, sample_weight=counts)


def _matrix(found: Sequence[Sequence[str]], names: Sequence[str]) -> csr_matrix:
    """One row for each text, its features by the root of how many there are, as the classifier has it."""
    places = {name: place for place, name in enumerate(names)}
    rows = [sorted(places[name] for name in features if name in places) for features in found]
    sizes = [len(row) for row in rows]
    values = np.repeat([size**-0.5 for size in sizes], sizes)
    columns = [place for row in rows for place in row]
    return csr_matrix((values, columns, np.cumsum([0, *sizes])), shape=(len(rows), len(names)))


def _weights(model: LogisticRegression, names: Sequence[str], seed: int, lines: str) -> Weights:
    """The weights of a model as whole numbers."""
    scales = np.abs(model.coef_).max(axis=1) / (NOUGHT - 1)
    whole = np.rint(model.coef_ / scales[:, None]).astype(int) + NOUGHT
    classes = tuple((intent, complexity) for intent, complexity in (name.split() for name in model.classes_))
    return Weights(
        seed=seed,
        lines=lines,
        classes=classes,
        features="\n".join(names),
        weights=whole.T.astype(np.uint8).tobytes(),
        scales=tuple(map(float, scales)),
        biases=tuple(map(float, model.intercept_)),
    )


def accuracy(classifier: Classifier, examples: Sequence[Example]) -> Accuracy:
    """The accuracy of a classifier on examples."""
    kinds = [classifier.kind_of(example.plain) for example in examples]
    pairs = list(zip(kinds, examples, strict=True))
    return Accuracy(
        sum(kind.intent == example.intent for kind, example in pairs) / len(pairs),
        sum(kind.complexity == example.complexity for kind, example in pairs) / len(pairs),
    )


def cross_validated(examples: Sequence[Example], expected: Mapping[str, float], judged: range, seed: int) -> Accuracy:
    """The accuracy on lines that were not learned: no example of a line is learned where another of it is judged.

    Args:
        judged: the numbers of the lines on which it is measured; all others are always learned.
    """
    numbers = list(judged)
    random.Random(seed).shuffle(numbers)
    fold = {number: place % FOLDS for place, number in enumerate(numbers)}
    results, sizes = [], []
    for held in range(FOLDS):
        learned = [each for each in examples if fold.get(each.line) != held]
        classifier = Classifier(fit(learned, expected, seed, ""))
        unseen = [each for each in examples if fold.get(each.line) == held]
        results.append(accuracy(classifier, unseen))
        sizes.append(len(unseen))
    return Accuracy(
        float(np.average([result.intent for result in results], weights=sizes)),
        float(np.average([result.complexity for result in results], weights=sizes)),
    )
