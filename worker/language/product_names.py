"""Texts that are the name of something sold and nothing else."""

from __future__ import annotations

from contextlib import suppress

from worker.language.name_words import ARTICLES, Leaning, standing_alone
from worker.language.product_words import USUAL_PRODUCT_WORDS, is_any
from worker.language.vocabulary import COUNTED, MEASURES, SECTIONS

Words = frozenset[str]
COUNTS = frozenset((*COUNTED, "medio", "media"))


def is_on_sale(what: str, sold: Words) -> bool:
    """Returns whether the words name a known product or a part of the shop. sold: words that begin names."""
    words = what.split()
    while words and (words[0] in ARTICLES or words[0] in COUNTS or words[0][0].isdecimal()):
        words = words[1:]
    if words[1:2] in (["de"], ["del"]) and words[0] in MEASURES:
        words = words[2:]
    if not words or not (is_any(words[0], sold) or words[0] in SECTIONS):
        return False
    with suppress(Leaning):
        return bool(standing_alone(words, USUAL_PRODUCT_WORDS))
    return False
