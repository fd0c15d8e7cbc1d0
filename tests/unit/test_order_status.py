"""Where an order is: who asks for it, and what is told of it."""

from __future__ import annotations

import pytest
from helpers.turns import SHOP
from msgspec.structs import replace

from db.states import ORDER_STATUSES
from worker.language.normalise import normalised
from worker.replies.order_status import asks_for_order, order_status


@pytest.mark.parametrize(
    "said",
    [
        "dónde está mi pedido?",
        "Cuándo llega mi pedido",
        "ya salió mi pedido?",
        "estado de mi pedido",
        "en qué anda el envío?",
        "por dónde viene el repartidor",
        "ya pedí, cuánto falta?",
    ],
)
def test_who_asks_for_an_order(said: str) -> None:
    """In the many ways it is asked."""
    assert asks_for_order(normalised(said))


@pytest.mark.parametrize(
    "said",
    [
        "quiero cancelar mi pedido",
        "mi pedido",
        "mi pedido llegó roto",
        "todavía no llegó mi pedido",
        "cómo hago un pedido?",
        "cuándo llega la leche?",
        "dónde queda el local?",
        "cómo va mi carrito",
    ],
)
def test_who_wants_something_else(said: str) -> None:
    """A complaint needs more than a status; a cart is no order yet."""
    assert not asks_for_order(normalised(said))


@pytest.mark.parametrize("status", ORDER_STATUSES)
@pytest.mark.parametrize("form", ["vos", "usted"])
def test_what_is_told(status: str, form: str) -> None:
    """Number, total and status, in the shop's form of address; a person can be asked for."""
    decision = order_status(
        replace(SHOP, form=form), {"id": 17, "total": "4200.00", "currency": "ARS", "status": status}
    )
    whose = "Su" if form == "usted" else "Tu"
    assert decision.reply.startswith(f"{whose} pedido n.º 17 ($ 4.200,00) ")
    assert [button.id for button in decision.quick_replies] == ["human"]
    assert decision.effects.orders == ()


ASKING = """
    donde esta mi pedido?|cuando llega mi pedido|mi pedido ya salió?|qué pasó con mi pedido|cómo va mi pedido?
    a qué hora llega lo que pedí|hice un pedido ayer, cuándo llega?|lo que pedi ayer, cuando llega?
    en qué estado está el pedido|ya está en camino?|dónde anda el repartidor?|mi compra de ayer ya salió?
"""
NOT_ASKING = """
    agregame 2 leches, y donde esta mi pedido?|agregame 2 leches. cuando llega mi pedido?
    mi pedido: 2 leches y 1 pan. cuando llega?|cancelá mi pedido, ¿ya salió?|cuanto demora el envio
    cuanto tarda la entrega
    sacá el pan de mi pedido, ya salió?|quiero finalizar mi pedido, cuándo llega?|hola|donde estan?
    cambiá mi pedido, ya salió?|mi pedido llegó roto, dónde reclamo?
    3 cocas y media docena de huevos, cuándo llega el pedido?
"""


def lines(text: str) -> list[str]:
    """The phrases of a list."""
    return [phrase for line in text.strip().splitlines() for phrase in line.strip().split("|")]


@pytest.mark.parametrize("said", lines(ASKING))
def test_a_question_about_an_order(said: str) -> None:
    """Answered from the order itself."""
    assert asks_for_order(normalised(said))


@pytest.mark.parametrize("said", lines(NOT_ASKING))
def test_more_than_a_question(said: str) -> None:
    """A status alone would leave goods, changes or complaints unanswered."""
    assert not asks_for_order(normalised(said))
