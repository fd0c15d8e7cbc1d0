"""Complexity of a message (simple, medium, complex), which chooses the model's price."""

from __future__ import annotations

from worker.language.classifier import classifier

SIMPLE, MEDIUM, COMPLEX = "simple", "medium", "complex"


def complexity(plain: str) -> str:
    """Returns the complexity of a normalised text, as the labelled lines have it (`data/lines`).

    `simple`: small talk, thanks, yes and no, numbers, the menu. `medium`: products, one question about the shop or
    several, cart and order, a complaint in few words, asking for a person, and all else. `complex`: comparison, advice,
    recipes, complaints with a story, several different requests in one.
    """
    return classifier().kind_of(plain).complexity
