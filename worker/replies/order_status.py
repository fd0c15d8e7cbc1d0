"""Status of a customer's order: asked in words, answered from the order itself. Pure: no I/O."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from worker.language.topics import topics
from worker.replies import buttons
from worker.session.outcome import Decision
from worker.shop.shop import Shop

_ASKING = re.compile(
    r"\b(?:(?:por )?donde|cuando|a que hora|cuanto (?:tarda|demora|falta)|en que (?:estado|anda|quedo)|que paso con"
    r"|como (?:va|viene|anda|esta|sigue)|(?:ya|todavia no) (?:esta|salio|sale|viene|llega|llego|vienen|salieron)"
    r"|ya salio|estado|seguimiento|rastrear|sal(?:io|ieron)$|novedades)\b"
)
_ORDERED = re.compile(
    r"\b(?:(?:mi|mis|el|la|del|de mi) (?:pedidos?|envio|orden|encargo|compra|repartidor|domicilio|entrega)"
    r"|(?:pedi|encargue|compre|ordene|hice)|en camino|repartidor)\b"
)


def asks_for_order(plain: str) -> bool:
    """Returns whether a normalised text asks where an order is; who complains of one needs more than that."""
    return bool(_ORDERED.search(plain) and _ASKING.search(plain)) and "complaint" not in topics(plain)


def order_status(shop: Shop, order: Mapping[str, Any]) -> Decision:
    """The decision that tells the status of an order. order: row of `db.queries.last_orders`."""
    text = shop.text(
        "order.status",
        id=order["id"],
        total=shop.amount(Decimal(order["total"]), order["currency"]),
        status=shop.text(f"order.status_{order['status']}"),
    )
    return Decision("support", 1.0, reply=text, quick_replies=(buttons.person(shop),))
