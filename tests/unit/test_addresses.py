"""Addresses: what is one and nothing else, and what only has a number in it."""

from __future__ import annotations

import pytest
from helpers.conversations import GROCER, Conversation
from helpers.turns import MILK_ITEM

from worker.language.topics import is_address
from worker.session.session import Checkout

ADDRESSES = """
    Av. Rivadavia 4975|Mitre 450|calle San Martín 12, piso 3 depto B|Av. La Plata 1200|9 de Julio 1234
    San Juan 1520 entre 9 de julio y 25 de mayo|manzana 4 lote 12|Jirón Ayacucho 345, Lima|Belgrano 1200 timbre 2
    Av. Corrientes 3456 y Medrano|Carrera 7 # 45-10|barrio Norte, calle 5 n° 20
    vivo en Lavalle 320|El Salvador 4500, timbre roto|Las Heras 1200|San Telmo, Estados Unidos 700
"""
NONE = """
    Av. Rivadavia 4975 y también 2 cocas|no vivo mas en Av. Mitre 450|paso por Av. Rivadavia 4975|pago con 10000
    coca cola 2250|somos 4 personas|quiero 2 panes|me dijeron que demoran 30 min|leche 1000|arroz gallo 1000
    Av. Mitre 450 y sumá 3 panes|efectivo 5000|tengo un billete de 2000|Mitre 450?|sin envío, Mitre 450
    mi pedido 1234|son como 1500|antes salía 1200|depende, cobran 900|llego tipo 1930
    el código postal 1414|me faltan 200
"""


def lines(text: str) -> list[str]:
    """The phrases of a list."""
    return [phrase for line in text.strip().splitlines() for phrase in line.strip().split("|")]


@pytest.mark.parametrize("said", lines(ADDRESSES))
def test_an_address(said: str) -> None:
    """A street or a quarter, and a number."""
    assert is_address(said)


@pytest.mark.parametrize("said", lines(NONE))
def test_no_address(said: str) -> None:
    """Goods, money, people, minutes, a denial, a question, or a shop to fetch it from."""
    assert not is_address(said)


@pytest.mark.parametrize(
    "said", ["somos 4 personas", "me dijeron que demoran 30 min", "Av. Rivadavia 4975 y también 2 cocas"]
)
def test_what_is_no_address_becomes_none(said: str) -> None:
    """Although one was asked for, whatever a model makes of it."""
    talk = Conversation(cart=(MILK_ITEM,), state="waiting_address", context={"asking": "address"})
    assert talk.act(said) is None
    talk.answered(said, intent="support", reply="Entiendo.")
    assert talk.session.context.checkout.address == ""


def test_a_payment_beside_a_wish() -> None:
    """ "Efectivo, sin bolsa" pays in cash; what is denied pays nothing."""
    for said, payment in (
        ("efectivo, sin bolsa", "efectivo"),
        ("no, efectivo", "efectivo"),
        ("Mercado Pago no, efectivo", "efectivo"),
        ("efectivo, no", ""),
        ("efectivo no", ""),
    ):
        context = {"asking": "payment", "checkout": {"delivery": "pickup"}}
        talk = Conversation(cart=(MILK_ITEM,), state="checkout", context=context)
        talk.answered(said, intent="support", reply="Bien.")
        assert talk.session.context.checkout == Checkout(delivery="pickup", payment=payment), said


def test_an_address_that_names_two_areas_is_asked_about() -> None:
    """Neither is guessed, nor its fee."""
    context = {"asking": "address", "checkout": {"payment": "efectivo"}}
    talk = Conversation(GROCER, cart=(MILK_ITEM,), state="waiting_address", context=context)
    decision = talk.done("Av. Centro 450, Palermo")
    assert talk.session.context.asking == "area"
    assert decision.choices is not None
