"""Judgements of the language room about a text as it was written, for tests of it."""

from __future__ import annotations

from worker.language import classifier, sharing
from worker.language.normalise import normalised
from worker.language.product_words import USUAL_PRODUCT_WORDS, ProductWords


def complexity(text: str) -> str:
    """simple, medium or complex."""
    return classifier.complexity(normalised(text))


def common_form(text: str, product_words: ProductWords = USUAL_PRODUCT_WORDS) -> str | None:
    """The form that everybody may share, if any."""
    return sharing.common_form(text, normalised(text), product_words)


def means_the_same_everywhere(text: str) -> bool:
    """Whether an answer made without the session fits every customer."""
    return common_form(text) is not None
