"""Carts that are sent from WhatsApp's catalogue: they name products by their ids, which are our skus. Pure thought."""

from __future__ import annotations

import re
from collections.abc import Mapping

from worker.messages.content import CART_BEGINS

#: Before a sku a search term is no words: `search_products` finds the one product with it.
BY_SKU = "#"
#: More are not told to a model; WhatsApp's carts hold at most 30.
MAX_ORDERED = 30
ITEM = re.compile(rf"(?P<count>(?:^{CART_BEGINS}|, )\d+ x )(?P<sku>.+?)(?=, \d+ x |\. |\n|$)")


def ordered_terms(text: str) -> tuple[str, ...]:
    """Search terms for the products of a cart as `worker.messages.content` writes it; empty for any other text."""
    found = ITEM.finditer(text) if text.startswith(CART_BEGINS) else ()
    return tuple(dict.fromkeys(_term(item) for item in found))[:MAX_ORDERED]


def note_of(text: str) -> str:
    """What the customer wrote beside the cart; the whole text where it is none."""
    return ITEM.sub("", text) if text.startswith(CART_BEGINS) else text


def with_names(text: str, names: Mapping[str, str]) -> str:
    """The cart with names in the place of terms that have one; others keep their id."""
    if not text.startswith(CART_BEGINS):
        return text
    return ITEM.sub(lambda found: found["count"] + names.get(_term(found), found["sku"]), text)


def _term(found: re.Match[str]) -> str:
    return f"{BY_SKU}{found['sku'].strip()}"
