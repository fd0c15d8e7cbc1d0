"""Numbers that a customer writes next: a row of the list, or something else."""

from __future__ import annotations

from decimal import Decimal

import pytest
from helpers.conversations import Conversation
from helpers.turns import MILK, MILK_ITEM, RICE
from msgspec.structs import replace

from worker.replies.telling import by_mention

LARGE = replace(MILK, id=20, name="Leche", brand="", format="2 L", price=Decimal("3400.00"), sku="LAC-20")


@pytest.mark.parametrize(
    "reply",
    [
        "Tenemos leche y arroz. ¿Cuántas querés?",
        "¿Cuantas leches te llevo?",
        "1. Pan lactal (agotado)\n2. Leche entera",
        "1) Arroz largo\n2) Arroz integral",
        "3. Leche entera",
        "Tenemos:\n• Lácteos\n• Almacén\n¿Qué te gustaría ver?",
        "- Arroz integral\n- Arroz largo",
    ],
)
def test_a_number_that_means_no_row(reply: str) -> None:
    """Where a quantity was asked for, or the reply numbers otherwise than the list."""
    talk = Conversation(sold=(MILK, RICE))
    decision = talk.answered("tenes leche?", intent="search_product", reply=reply)
    assert decision.choices is not None
    assert talk.act("2") is None
    assert talk.session.cart == ()


@pytest.mark.parametrize(
    "reply",
    [
        "Tenemos leche entera y arroz largo. ¿Cuál querés?",
        "1. Arroz largo 1 kg: $ 1.200,50\n2. Leche entera: $ 1.850,00",
        "• Arroz largo 1 kg: $ 1.200,50\n• Leche entera: $ 1.850,00",
        "1. Arroz largo: 1.200,50 pesos\n2. Leche entera: ARS 1.850,00",
    ],
)
def test_a_number_that_means_a_row(reply: str) -> None:
    """In the order of the reply."""
    talk = Conversation(sold=(MILK, RICE))
    talk.answered("tenes leche?", intent="search_product", reply=reply)
    talk.done("2")
    (item,) = talk.session.cart
    assert item.sku == ("ALM-8" if reply.startswith("Tenemos") else "LAC-7")


def test_two_sizes_of_one_name() -> None:
    """Their prices tell that the reply numbers them otherwise than the list."""
    talk = Conversation(sold=(MILK, replace(LARGE, name="Leche entera")))
    reply = "1. Leche entera 2 L: $ 3.400,00\n2. Leche entera 1 L: $ 1.850,00"
    talk.answered("tenes leche?", intent="search_product", reply=reply)
    assert talk.act("1") is None


def test_a_short_name_within_a_longer_one() -> None:
    """ "Leche 2 L" is where its whole name stands, not within "Leche entera"."""
    assert by_mention("1. Leche entera Nubelinda 1 L\n2. Leche 2 L", [LARGE, MILK]) == [MILK, LARGE]


def test_a_question_of_how_many_closes_that_of_the_payment() -> None:
    """ "2" is an answer to it, and no way to pay."""
    context = {"asking": "payment", "checkout": {"delivery": "pickup"}}
    talk = Conversation(cart=(MILK_ITEM,), state="checkout", context=context)
    talk.answered("quiero pan tambien", intent="add_to_cart", reply="¿Cuántos panes?")
    assert talk.act("2") is None
