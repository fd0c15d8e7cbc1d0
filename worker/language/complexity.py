"""Complexity of a message (simple, medium, complex), which chooses the model's price."""

from __future__ import annotations

from worker.language.phrases import is_fact
from worker.language.small_talk import CHAT, is_answer, is_chat
from worker.language.topics import topics

SIMPLE, MEDIUM, COMPLEX = "simple", "medium", "complex"
#: Longer texts (characters) tell a story, and a story needs the best model.
LONG_TEXT_CHARS = 220
#: What takes weighing, or care.
HARD_TOPICS = frozenset({"complaint", "advice"})
#: Questions about the shop, which have one short answer.
SHOP_TOPICS = frozenset({"delivery", "hours", "place", "payment", "buying"})


def complexity(plain: str) -> str:
    """Returns the complexity of a normalised text.

    `simple`: small talk, yes and no, numbers, the menu, one question about the shop. `complex`: comparison, advice,
    recipes, complaints, long stories, several requests in one. `medium`: products, cart and order, and all else.
    """
    if len(plain) > LONG_TEXT_CHARS:
        return COMPLEX
    if not plain or CHAT.fullmatch(plain) or is_answer(plain) or is_fact(plain):
        return SIMPLE
    requests = set(topics(plain))
    if not requests and is_chat(plain):
        return SIMPLE
    if requests & HARD_TOPICS or len(requests) > 1:
        return COMPLEX
    return SIMPLE if requests and requests <= SHOP_TOPICS else MEDIUM
