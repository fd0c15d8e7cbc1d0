"""Intent of a message, guessed from patterns, for replies that no model makes.

A guess is only a guess: nothing is ever changed in a cart because of one.
"""

from __future__ import annotations

import re

from worker.language.normalise import normalised
from worker.language.phrases import MENU, NOW, asked, is_fact
from worker.language.product_names import is_on_sale
from worker.language.small_talk import CHAT, is_answer, is_chat
from worker.language.topics import ADDRESS, LIST, STREET, topics
from worker.language.vocabulary import GROCERIES, SECTIONS

INTENTS = {
    "complaint": "support",
    "person": "support",
    "status": "support",
    "delivery": "support",
    "hours": "support",
    "place": "support",
    "payment": "support",
    "buying": "support",
    "advice": "search_product",
    "clear": "clear_cart",
    "view": "view_cart",
    "remove": "remove_from_cart",
    "modify": "modify_cart_quantity",
    "checkout": "checkout",
    "add": "add_to_cart",
    "search": "search_product",
}
_SECTION = "|".join(sorted(SECTIONS - {"vinos", "cervezas", "gaseosas"}))
BROWSE = re.compile(
    rf"(?:^|\b(?:que|de|en|las|los|ver|tenes|tienes|tienen|hay|venden|para) )(?<!precio de )(?:{_SECTION})"
    r"(?: (?:tenes|tienes|tienen|hay|venden))?$"
)
#: The beginning of a long story says what it is about.
MAX_CHARS = 300
#: Whatever else stands in the message, these want a person's attention first.
URGENT = ("complaint", "person", "advice")


def guess_intent(text: str) -> str:
    """Guesses one of the intents of a decision (`worker.replies.decision.Intent`); of several the first; "unknown"
    where only the session could tell, as for "2" or "ese".
    """
    plain = normalised(text)[:MAX_CHARS]
    if CHAT.fullmatch(plain):
        return "greeting"
    question = asked(plain)
    if MENU.fullmatch(question):
        return "browse_category"
    if is_fact(plain):
        return "support"
    if is_answer(plain):
        return "checkout" if "confirm" in plain else "unknown"
    return _of_topics(plain, question)


def _of_topics(plain: str, question: str) -> str:
    found = topics(plain)
    urgent = next((topic for topic in URGENT if topic in found), None)
    if urgent:
        return INTENTS[urgent]
    if _is_address(plain, found):
        return "checkout"
    if LIST.match(plain) and "search" not in found[:1]:
        return "add_to_cart"
    if found and found[0] != "search":
        return INTENTS[found[0]]
    if BROWSE.search(NOW.sub("", question)):
        return "browse_category"
    if found or is_on_sale(question, GROCERIES) or plain.startswith("y "):
        return "search_product"
    return "greeting" if is_chat(plain) else "unknown"


def _is_address(plain: str, found: list[str]) -> bool:
    """A street in a question is part of the question; a bare name and number is an address only if nothing is asked."""
    named = bool(ADDRESS.search(plain)) and not {"search", "advice"} & {*found}
    return named or (not found and bool(STREET.match(plain)))
