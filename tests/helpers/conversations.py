"""A conversation of one customer with a shop, turn by turn, as the chain has it: acts, else a model's answer."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from itertools import count
from typing import Any

from msgspec.structs import replace

from helpers.turns import CATEGORIES, CHEESE, HUMAN_WAIT_S, MILK, RICE, decision_of, message, session_of, turn_of
from worker.catalog.product import Product
from worker.language.product_words import USUAL_PRODUCT_WORDS
from worker.messages.message import CatalogOrder, OrderItem
from worker.messages.reply import Reply
from worker.replies.closing import Closing, close
from worker.replies.scene import scene_of
from worker.replies.verdict import decide
from worker.session.outcome import Decision, Outcome
from worker.session.session import Session
from worker.session.turn import Turn
from worker.session.turn_message import TurnMessage
from worker.shop.shop import DeliveryArea, Shop
from worker.steps.planning import Planner, acted
from worker.steps.question import Reader

NOW = datetime(2026, 11, 30, 15, 0, tzinfo=UTC)
PALERMO = DeliveryArea("Palermo", ("Palermo Soho",), fee=Decimal(500), minimum=Decimal(3000), free_from=Decimal(20_000))
CENTRO = DeliveryArea("Centro", fee=Decimal("700.50"))
#: Delivers to two areas, hands out, and takes two kinds of money.
GROCER = Shop("Almacén Sol", payments=("efectivo", "Mercado Pago"), pickup=True, areas=(PALERMO, CENTRO))
#: Has told nothing of itself.
SILENT_SHOP = Shop("Almacén Sol")


def tap(action: str, title: str = "Tocado", number: int = 1) -> TurnMessage:
    """A tapped button or row."""
    return message(title, number, type="interactive", selection_id=action)


def cart_of(*items: tuple[str, int], note: str | None = None, number: int = 1) -> TurnMessage:
    """A cart of WhatsApp's catalogue."""
    order = CatalogOrder(tuple(OrderItem(sku, quantity) for sku, quantity in items), note)
    return message(order.words(), number, type="order", order=order)


class Conversation:
    """Conversation of one customer; `closing` is the end of its last turn.

    Args:
        sold: the catalogue; a search finds all of it.
    """

    def __init__(self, shop: Shop = GROCER, sold: Sequence[Product] = (MILK, RICE, CHEESE), **session: Any) -> None:
        self.shop, self.sold = shop, sold
        self.session: Session = session_of(**session)
        self.closing: Closing | None = None
        self._tokens = (f"token-{number}" for number in count(1))

    def turn(self, *messages: TurnMessage | str) -> Turn:
        """A turn of these messages with the session as it is now."""
        given = [message(one, 1 + place) if isinstance(one, str) else one for place, one in enumerate(messages)]
        return turn_of(token=next(self._tokens), messages=tuple(given), session=self.session)

    def act(self, *messages: TurnMessage | str) -> Decision | None:
        """The decision that needs no model; the session stays as it was where one does."""
        turn = self.turn(*messages)
        by_sku = {f"#{product.sku}": (product,) for product in self.sold}
        done = acted(turn, Reader(USUAL_PRODUCT_WORDS).question(turn), self.shop, defaultdict(tuple, by_sku))
        return self._closed(done) if done.outcome else None

    def done(self, *messages: TurnMessage | str) -> Decision:
        """The decision of acts that need no model."""
        decision = self.act(*messages)
        assert decision is not None, "a model is needed"
        return decision

    def answered(self, text: str, **answer: Any) -> Decision:
        """The decision about a model's answer to a text."""
        turn = self.turn(text)
        planner = Planner(self.shop, CATEGORIES, defaultdict(lambda: tuple(self.sold)))
        turn = planner.planned(turn, replace(Reader(USUAL_PRODUCT_WORDS).question(turn), shared_form=None))
        decision = decide(json.dumps(decision_of(**answer)), turn.planned(), scene_of(turn, self.shop))
        return self._closed(replace(turn, outcome=Outcome("ai", decision, "deepseek")))

    def _closed(self, turn: Turn) -> Decision:
        self.closing = close(turn, self.shop, NOW, HUMAN_WAIT_S)
        assert self.closing.session is not None
        self.session = self.closing.session
        return turn.decided().decision

    @property
    def reply(self) -> Reply:
        """What the customer gets at last, within WhatsApp's limits."""
        assert self.closing is not None
        assert self.closing.reply is not None
        return self.closing.reply

    @property
    def lines(self) -> list[str]:
        """The lines of the last reply."""
        return self.reply.text.splitlines()

    @property
    def offers(self) -> list[str]:
        """Ids of what can be tapped now."""
        rows = self.reply.choices.rows if self.reply.choices else ()
        return [button.id for button in (*self.reply.quick_replies, *rows)]

    @property
    def quantities(self) -> dict[str, str]:
        """Quantities in the cart, by sku."""
        return {item.sku: str(item.quantity.normalize()) for item in self.session.cart}


def add(product: Product, quantity: float | str = 1, op: str = "add") -> dict[str, Any]:
    """A cart operation as a model writes it."""
    return {"op": op, "product_id": product.id, "quantity": float(quantity)}
