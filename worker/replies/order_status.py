"""Status of a customer's order: asked in words, answered from the order itself. Pure: no I/O."""

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
    r"\b(?:mis? (?:pedidos?|envios?|orden|encargo|compra|repartidor|domicilio|entrega|delivery)"
    r"|(?:el|la|del|de mi) (?:pedido|orden|encargo|repartidor)"
    r"|(?:pedi|encargue|compre|ordene|hice)|en camino)\b"
)
#: Of these, how long they take is asked before anything is ordered.
_ON_ITS_WAY = re.compile(r"\b(?:el|la|del) (?:envio|domicilio|entrega|compra|delivery)\b")
_HOW_LONG = re.compile(r"\bcuanto (?:tiempo )?(?:tarda|demora)")
#: A list of goods wherever it stands: "mi pedido: 2 leches y 1 pan".
_GOODS = re.compile(
    r"\b(?<!n )(?:\d{1,2}|un|una|dos|tres|cuatro|cinco|seis|siete|ocho|nueve|diez|media|medio)"
    r" (?:(?:kg|g|l|ml|docena|kilo|litro) (?:de )?)?"
    r"(?!dias?\b|horas?\b|minutos?\b|semanas?\b|meses\b|mes\b|rato\b|veces\b|vez\b|compra\b|pedidos?\b|orden\b|personas?\b"
    r"|consulta|pregunta|duda|hs?\b|del?\b|ya\b|para\b|que\b|cuando\b|donde\b)[a-zñ]{3,}"
)
#: Who does any of these too wants more than to know where an order is.
_CHANGING = frozenset({"add", "modify", "remove", "clear", "checkout", "complaint"})


def asks_for_order(plain: str) -> bool:
    """Returns whether a normalised text asks where an order is, and does nothing else; who complains of one, or orders
    more, needs more than that.
    """
    is_spoken_of = _ORDERED.search(plain) or (_ON_ITS_WAY.search(plain) and not _HOW_LONG.search(plain))
    return bool(is_spoken_of and _ASKING.search(plain)) and not (
        _GOODS.search(plain) or _CHANGING.intersection(topics(plain))
    )


def order_status(shop: Shop, order: Mapping[str, Any]) -> Decision:
    """The decision that tells the status of an order. order: row of `db.last_orders`."""
    text = shop.text(
        "order.status",
        id=order["id"],
        total=shop.amount(Decimal(order["total"]), order["currency"]),
        status=shop.text(f"order.status_{order['status']}"),
    )
    return Decision("support", 1.0, reply=text, quick_replies=(buttons.person(shop),))
