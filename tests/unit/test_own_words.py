"""Questions that the catalogue answers completely: what is told, and what is left to a model."""

from __future__ import annotations

from decimal import Decimal

import pytest
from helpers.conversations import GROCER
from helpers.turns import MILK, RICE
from msgspec.structs import replace

from worker.catalog.product import Product
from worker.replies.open_question import means_rows, open_question
from worker.replies.own_words import decided_by_catalog
from worker.shop.shop import FORMS

#: More of the same, dearer, cheaper, by weight, and sold out.
SKIMMED = replace(MILK, id=21, sku="LAC-21", name="Leche descremada", price=Decimal("1700.00"))
OAT = replace(MILK, id=22, sku="BEB-22", name="Bebida de avena", price=Decimal("2500.00"))
LOOSE_RICE = replace(RICE, id=23, sku="ALM-23", name="Arroz suelto", unit="kg", price=Decimal("900.00"))
NO_MILK = replace(MILK, id=24, sku="LAC-24", name="Leche de oferta", price=Decimal("1.00"), stock=Decimal(0))
NAMES = ["Esto encontré:", "1. Arroz largo", "2. Leche descremada", "3. Leche entera", "El de menor precio"]


def told(form: str, *found: Product) -> list[str]:
    """Lines of the reply; none where a model must answer."""
    decision = decided_by_catalog(GROCER, form, found)
    return decision.reply.split("\n") if decision else []


def test_two_things_are_compared_by_price() -> None:
    """Each by its own prices, and the cheapest of all is named; what is sold out is none of them."""
    lines = told("que es mas barato, arroz o leche", MILK, NO_MILK, SKIMMED, OAT, RICE)
    assert [line[: len(name)] for line, name in zip(lines, NAMES, strict=True)] == NAMES
    assert lines[-1] == "El de menor precio: Arroz largo 1 kg, a $ 1.200,50. ¿Cuál querés?"


def test_the_cheapest_of_one_thing() -> None:
    """By its price, the lowest first."""
    lines = told("que leche es mas barato", MILK, SKIMMED, OAT)
    assert lines[1].startswith("1. Leche descremada")
    assert lines[-1].startswith("El de menor precio: Leche descremada Nubelinda 1 L, a $ 1.700")
    assert told("que leche es mas barato", MILK)[-1] == "¿Cuántas unidades querés?"


def test_of_two_at_one_price_none_is_named() -> None:
    """Both stand in the list."""
    twin = replace(SKIMMED, price=MILK.price)
    assert not any("menor precio" in line for line in told("que leche es mas barato", MILK, twin))


def test_prices_for_different_amounts_are_told_without_a_verdict() -> None:
    """A kilo and a packet."""
    lines = told("que arroz es mas barato", RICE, LOOSE_RICE)
    assert [line[:9] for line in lines[1:3]] == ["1. Arroz ", "2. Arroz "]
    assert not any("menor precio" in line for line in lines)


@pytest.mark.parametrize(
    "form",
    [
        "que es mas barato, leche o manteca",
        "que es mas barato, leche de cabra o arroz",
        "que manteca es mas barato",
        "que es mas barato, leche o leche entera",
        "compara arroz y leche",
        "que leche me recomendas",
    ],
)
def test_what_is_left_to_a_model(form: str) -> None:
    """A thing that is not there, and whatever is not about a price."""
    assert told(form, MILK, RICE) == []


def test_the_list_has_the_order_of_its_lines() -> None:
    """Also where names are too long for a line, and the cheapest is named in full behind them."""
    long = [replace(one, name=f"{one.name} ultracongelada en su bolsa de tamaño familiar") for one in (MILK, SKIMMED)]
    decision = decided_by_catalog(GROCER, "que es mas barato, arroz o leche", [*long, RICE])
    assert decision is not None
    assert decision.choices is not None
    assert means_rows(decision.reply, decision.choices)


@pytest.mark.parametrize("form", FORMS)
def test_a_comparison_asks_which(form: str) -> None:
    """With a number for each row; what points at one may mean the cheapest."""
    decision = decided_by_catalog(replace(GROCER, form=form), "que es mas barato, arroz o leche", (MILK, RICE))
    assert decision is not None
    assert decision.choices is not None
    assert [row.id for row in decision.choices.rows] == [f"add:{RICE.sku}", f"add:{MILK.sku}"]
    assert open_question(decision.reply, decision.choices, numbered=True) == "which"
