"""Judgements of the language room about a text as it was written, for tests of it."""

from __future__ import annotations

from worker.language import classifier, sharing
from worker.language.classifier import count_features, counts_of, order_features, word_features, words_of
from worker.language.normalise import normalised
from worker.language.product_words import USUAL_PRODUCT_WORDS, ProductWords


def complexity(text: str) -> str:
    """simple, medium or complex."""
    return classifier.complexity(normalised(text))


def common_form(text: str, product_words: ProductWords = USUAL_PRODUCT_WORDS) -> str | None:
    """The form that everybody may share, if any."""
    return sharing.judged(text, normalised(text), product_words).form


def means_the_same_everywhere(text: str) -> bool:
    """Whether an answer made without the session fits every customer."""
    return common_form(text) is not None


def features_of(plain: str) -> list[str]:
    """The features of a normalised text; a feature that it has twice stands there twice."""
    words = words_of(plain)
    found = order_features(words)
    for word in words:
        found += word_features(word)
    for name, count in counts_of(words).items():
        found += count_features(name, count)
    return found
