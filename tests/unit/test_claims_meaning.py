"""Claims in replies as models write them: the honest may be said, the dishonest may not."""

from __future__ import annotations

import tomllib
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson
import pytest
from helpers.turns import CATEGORIES, CHEESE, MILK, MILK_ITEM, RICE, decision_of, made, plan_of, session_of
from msgspec.structs import replace

from worker.catalog.product import Product
from worker.replies.claims import facts_of, problem_of, without_changes
from worker.replies.prompt import AiRequest, render
from worker.replies.scene import Scene
from worker.replies.verdict import decide
from worker.session.session import Exchange
from worker.shop.hours import Hours, span_of
from worker.shop.shop import DeliveryArea, Shop

DATA = tomllib.loads(Path(__file__).parents[1].joinpath("data/claims.toml").read_text("utf-8"))
SHOP = Shop(
    "Súper Sol",
    pickup=True,
    payments=("efectivo", "tarjeta"),
    areas=(DeliveryArea("Centro", fee=Decimal(500), minimum=Decimal(5000), free_from=Decimal(20_000)),),
    timezone="America/Argentina/Buenos_Aires",
    hours=Hours(((span_of("09:00-20:00"),),) * 6 + ((),)),
    delivery_hours=Hours(((span_of("10:00-20:00"),),) * 6 + ((),)),
    returns="Dentro de las 48 horas, con el ticket.",
)
#: A Monday at 11 in the morning.
NOW = datetime(2026, 11, 30, 14, tzinfo=UTC)


def _sold(number: int, name: str, size: str, price: str) -> Product:
    return replace(RICE, id=number, name=name, format=size, price=Decimal(price), sku=f"X-{number}")


PRODUCTS = (
    MILK,
    RICE,
    CHEESE,
    _sold(10, "Coca-Cola", "2,25 L", "4300.00"),
    _sold(11, "Mermelada sin azúcares agregados", "454 g", "3290.00"),
    _sold(12, "Aceite de girasol", "900 ml", "2660.00"),
    _sold(13, "Yerba mate", "1 kg", "5400.00"),
)


def cases(name: str) -> list[tuple[str, str]]:
    """Messages with their replies."""
    lines = (line.split(" => ") for line in DATA[name].strip().splitlines())
    return [(said, reply) for said, reply in lines]


def request_to(said: str, **facts: Any) -> AiRequest:
    """The request about these words."""
    session = session_of(cart=facts.pop("cart", (MILK_ITEM,)), **facts)
    return render(SHOP, said, CATEGORIES, PRODUCTS, session, SHOP.now_facts(NOW))


def problem(said: str, reply: str, **facts: Any) -> str | None:
    """Why a reply to these words may not be sent; None where it may."""
    request = request_to(said, **facts)
    return problem_of(reply, facts_of(request.user, request.system), changes=False)


def left_of(said: str, reply: str) -> str:
    """What stays of a reply beside a change of the cart."""
    request = request_to(said)
    return without_changes(made(reply=reply), facts_of(request.user, request.system)).reply


@pytest.mark.parametrize(("said", "reply"), cases("honest"))
def test_an_honest_reply(said: str, reply: str) -> None:
    """Recipes, what goods are made of, sums, the shop's own terms: each refusal would cost another call."""
    assert problem(said, reply) is None


@pytest.mark.parametrize(("said", "reply"), cases("dishonest"))
def test_a_dishonest_reply(said: str, reply: str) -> None:
    """About the cart, an order, a delivery, money or a discount."""
    assert problem(said, reply)


@pytest.mark.parametrize(("said", "reply"), cases("dishonest_with_a_change"))
def test_a_reply_that_tells_of_a_change(said: str, reply: str) -> None:
    """What the model says of it is left out, for we tell it; what else it claims is refused."""
    left = left_of(said, reply)
    assert len(left) < len(reply) or problem(said, reply)
    assert "panes" not in left
    assert "8 leches" not in left


def test_other_sentences_stay_beside_a_change() -> None:
    """A question, a piece of advice."""
    reply = "¡Buenísimo! Agregué la leche. Va muy bien con el café.\n¿Querés algo más?"
    assert left_of("leche", reply) == "¡Buenísimo! Va muy bien con el café.\n¿Querés algo más?"


def test_an_order_is_not_told_of_beside_a_change() -> None:
    """We tell of it, once there is one: the change is made without another call."""
    reply = "Dale. Tu pedido ya está confirmado y va en camino. ¿Querés algo más?"
    assert left_of("sí, y sumá un pan", reply) == "Dale. ¿Querés algo más?"


def test_an_empty_cart_is_said_to_be_empty() -> None:
    """By whoever sees it."""
    assert problem("que tengo?", "Tu carrito está vacío.", cart=()) is None
    assert problem("que tengo?", "Tu carrito está vacío.")


def test_what_is_in_the_cart_may_be_said() -> None:
    """In as many as there are."""
    assert problem("agregá leche", "Ya tenés 2 leches en tu carrito. ¿Sumo otra?") is None
    assert problem("agregá leche", "Ya tenés 5 leches en tu carrito.")


def test_a_status_that_we_have_told_may_be_said_again() -> None:
    """Of an order: the same, and no other."""
    context = {"history": [Exchange("y mi pedido?", "Tu pedido n.º 12 está en camino.")]}
    assert problem("seguro?", "Sí, tu pedido está en camino.", context=context) is None
    assert problem("seguro?", "Sí, tu pedido fue cancelado.", context=context)


def test_a_day_that_was_spoken_of_before_is_no_fact() -> None:
    """Only the shop and this moment tell of deliveries."""
    context = {"history": [Exchange("hola", "Mañana abrimos de 9 a 20.")]}
    assert problem("y el pedido?", "Te llega mañana.", context=context)


def test_a_large_cart_is_delivered_for_nothing() -> None:
    """From the amount on that the shop has told."""
    assert problem("envío?", "El envío es gratis para vos.", cart=(replace(MILK_ITEM, quantity=Decimal(11)),)) is None
    assert problem("envío?", "El envío es gratis para vos.")


def test_titles_of_buttons() -> None:
    """Ours say what ours say, and none claims what is not so."""
    given = [
        {"id": "checkout", "title": "Pagar $ 1"},
        {"id": "promo", "title": "Quiero 50 % off"},
        {"id": "menu", "title": "Ver el menú"},
    ]
    plan = plan_of("hola", shared=False)
    decision = decide(orjson.dumps(decision_of(quick_replies=given)).decode(), plan, Scene(SHOP, session_of(), "v"))
    assert [button.title for button in decision.quick_replies] == [SHOP.text("button.checkout"), "Ver el menú"]
