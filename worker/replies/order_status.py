"""Where a customer's order is: asked in words, answered from the order itself. Pure: no I/O."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from worker.language.topics import topics
from worker.replies import buttons
from worker.session.outcome import Decision
from worker.shop.shop import Shop

STATUS = "status"


def asks_for_order(plain: str) -> bool:
    """Returns whether a normalised text asks for an order under way before anything else."""
    return topics(plain)[:1] == [STATUS]


def order_status(shop: Shop, order: Mapping[str, Any]) -> Decision:
    """What is known of an order. order: row of `db.queries.last_orders`."""
    text = shop.text(
        "order.status",
        id=order["id"],
        total=shop.amount(Decimal(order["total"]), order["currency"]),
        status=shop.text(f"order.status_{order['status']}"),
    )
    return Decision("support", 1.0, reply=text, quick_replies=(buttons.person(shop),))
