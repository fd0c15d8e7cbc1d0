"""Customers in the middle of a checkout."""

from __future__ import annotations

from helpers.conversations import GROCER, Conversation
from helpers.turns import MILK_ITEM
from worker.session.session import Checkout
from worker.shop.shop import Shop

ADDRESS = "Thames 1234, Palermo"
READY = Checkout(delivery="delivery", address=ADDRESS, area="Palermo", payment="efectivo")


def summed_up(shop: Shop = GROCER, **session: object) -> Conversation:
    """A customer who looks at the summary of two milks for Palermo."""
    talk = Conversation(shop, **({"cart": (MILK_ITEM,), "context": {"checkout": READY}} | session))
    talk.done("finalizar")
    assert talk.session.context.asking == "confirm"
    return talk
