"""Questions about an order, and what only looks like one."""

from __future__ import annotations

import pytest

from worker.language.normalise import normalised
from worker.replies.order_status import asks_for_order

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
