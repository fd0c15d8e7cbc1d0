"""Status of a customer's order: asked in words, answered from the order itself. Pure: no I/O."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from worker.language.patterns import patterns_of
from worker.language.topics import topics
from worker.replies.buttons import PERSON, buttons
from worker.session.outcome import Decision
from worker.shop.shop import Shop

_P = patterns_of(__file__)
#: Who does any of these too wants more than to know where an order is.
_CHANGING = frozenset({"add", "modify", "remove", "clear", "checkout", "complaint"})


def asks_for_order(plain: str) -> bool:
    """Returns whether a normalised text asks where an order is, and does nothing else; who complains of one, or orders
    more, needs more than that.
    """
    is_spoken_of = _P["ordered"].search(plain) or (_P["on_its_way"].search(plain) and not _P["how_long"].search(plain))
    return bool(is_spoken_of and _P["asking"].search(plain)) and not (
        _P["goods"].search(plain) or _CHANGING.intersection(topics(plain))
    )


def order_status(shop: Shop, order: Mapping[str, Any]) -> Decision:
    """The decision that tells the status of an order. order: row of `db.orders.last_orders`."""
    text = shop.text(
        "order.status",
        id=order["id"],
        total=shop.amount(Decimal(order["total"]), order["currency"]),
        status=shop.text(f"order.status_{order['status']}"),
    )
    return Decision("support", 1.0, reply=text, quick_replies=buttons(shop, PERSON))
