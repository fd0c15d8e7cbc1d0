"""The shop's facts, its areas and what a delivery costs; only what is known is told, and always in one order."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from helpers.basics import REPOSITORY
from helpers.shops import MEXICAN, shop_of

from worker.shop.shop import Branch, DeliveryArea, Shop
from worker.shop.shop_file import read_shop

AREAS = (
    DeliveryArea("Palermo", ("Palermo Viejo",), Decimal(500), Decimal(8000), Decimal(20000)),
    DeliveryArea("Palermo Soho", fee=Decimal(700)),
    DeliveryArea("Núñez", free_from=Decimal(100)),
    DeliveryArea("Ñuñoa"),
    DeliveryArea("Once"),
)
SHOP = Shop("a", areas=AREAS)
PALERMO, SOHO, NUNEZ, NUNOA, ONCE = AREAS


@pytest.mark.parametrize(
    ("text", "area"),
    [
        ("Av. Santa Fe 3200, Palermo", PALERMO),
        ("hacen envios a PALERMO?", PALERMO),
        ("palermo  viejo, Gorriti 4500", PALERMO),
        ("Honduras 4800 palermo-soho", SOHO),
        ("de Palermo a Palermo Soho", SOHO),
        ("nunez", NUNEZ),
        ("NÚÑEZ!", NUNEZ),
        ("vivo en nunoa", NUNOA),
        ("calle Palermo 33, Once", None),
        ("palermitano", None),
        ("Belgrano", None),
        ("", None),
    ],
)
def test_the_area_an_address_names(text: str, area: DeliveryArea | None) -> None:
    """Whole words, whatever their case and accents; of two areas none."""
    assert SHOP.area_of(text) == area


def test_of_two_areas_none_is_meant() -> None:
    """A street has the name of a quarter: which is which, the customer is asked."""
    shop = Shop(
        "a", areas=(DeliveryArea("Flores"), DeliveryArea("San Martín", fee=Decimal(900)), DeliveryArea("Olivos"))
    )
    for text in ("San Martín 500, Flores", "Flores 1200, Olivos", "Olivos 1200, Flores"):
        assert shop.area_of(text) is None
    assert shop.area_of("Rivadavia 500, Flores, Flores") == shop.areas[0]


@pytest.mark.parametrize(
    ("area", "subtotal", "fee", "minimum"),
    [
        (PALERMO, "7999.99", "500", "8000"),
        (PALERMO, "8000", "500", None),
        (PALERMO, "20000", "0", None),
        (SOHO, "1", "700", None),
        (NUNEZ, "99", None, None),
        (NUNEZ, "100", "0", None),
        (ONCE, "1", None, None),
    ],
)
def test_what_a_delivery_costs(area: DeliveryArea, subtotal: str, fee: str | None, minimum: str | None) -> None:
    """Nothing from free_from on; None where it is not known."""
    assert area.fee_of(Decimal(subtotal)) == (None if fee is None else Decimal(fee))
    assert area.missed_minimum(Decimal(subtotal)) == (None if minimum is None else Decimal(minimum))


def test_facts_of_another_country(tmp_path: Path) -> None:
    """Money as it is written there; a branch's own hours beside it; nothing that is not known."""
    assert shop_of(tmp_path, MEXICAN).facts() == {
        "name": "Abarrotes Lupita",
        "address_customers_as": "tú",
        "write_money_as": "$1,850.00",
        "currency": "MXN",
        "branches": [
            {"name": "Centro", "address": "Madero 5"},
            {
                "name": "Roma",
                "address": "Orizaba 6",
                "hours": {"viernes y sábado": "20:00-02:00", "12/12/2026": "cerrado", "25/12/2026": "cerrado"},
            },
        ],
        "hours": {
            "lunes a viernes": "09:00-14:00, 16:00-21:00",
            "sábado": "10:00-15:00",
            "domingo": "cerrado",
            "12/12/2026": "cerrado",
            "25/12/2026": "cerrado",
        },
        "delivery": {
            "hours": {"lunes": "10:00-20:00", "domingo": "cerrado"},
            "areas": [
                {"area": "Roma", "fee": "$35.50", "minimum": "$200.00", "free_from": "$500.00"},
                {"area": "Roma Norte", "also": ["Plaza Río de Janeiro"], "fee": "$45.00"},
            ],
        },
        "pickup": True,
        "payments": ["efectivo", "tarjeta"],
        "returns": "Se cambia con el ticket en 3 días.",
    }


def test_the_same_file_tells_the_same_to_the_byte(tmp_path: Path) -> None:
    """The facts are part of every cache key; another file is another key by itself."""
    one, again = shop_of(tmp_path, MEXICAN), shop_of(tmp_path, MEXICAN)
    assert one.told == again.told
    assert json.loads(one.told) == {"shop": one.facts()}
    assert shop_of(tmp_path, MEXICAN.replace("35.5", "36")).told != one.told


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("", None),
        ("[delivery]\noffered = false", False),
        ("[delivery]\noffered = true", True),
        ("pickup = false", None),
    ],
)
def test_whether_there_is_a_delivery(tmp_path: Path, content: str, told: bool | None) -> None:
    """Not known, none, or some of which nothing else is known."""
    assert shop_of(tmp_path, f'name = "a"\n{content}').facts().get("delivery") is told


def test_no_is_a_fact(tmp_path: Path) -> None:
    """Other than what is not known."""
    assert shop_of(tmp_path, 'name = "a"\npickup = false').facts()["pickup"] is False


def test_a_shop_of_one_kind_of_hours_is_told_in_one(tmp_path: Path) -> None:
    """Whether they stand at the shop or at its only branch, or two branches have the same."""
    monday = datetime(2026, 11, 30, 15, 0, tzinfo=UTC)
    told = {"today": "lunes 30 de noviembre", "open": True, "closes": "13:00"}
    of_all = 'name = "a"\n[hours]\nmonday = ["09:00-13:00"]'
    of_one = 'name = "a"\n[[branches]]\nname = "x"\nhours.monday = ["09:00-13:00"]'
    two = f'{of_all}\n[[branches]]\nname = "x"\n[[branches]]\nname = "y"'
    assert [shop_of(tmp_path, content).now_facts(monday) for content in (of_all, of_one, two)] == [told] * 3


def test_a_branch_that_tells_no_hours_is_not_taken_for_the_other(tmp_path: Path) -> None:
    """Only what is known is told, beside the name of the branch it is known of."""
    content = 'name = "a"\n[[branches]]\nname = "x"\n[[branches]]\naddress = "y 1"\nhours.monday = ["09:00-13:00"]'
    now = shop_of(tmp_path, content).now_facts(datetime(2026, 11, 30, 15, 0, tzinfo=UTC))
    assert now == {"today": "lunes 30 de noviembre", "branches": {"y 1": {"open": True, "closes": "13:00"}}}


def test_areas_with_hours_of_their_own(tmp_path: Path) -> None:
    """Each by its name; the others follow the shop's."""
    content = """
        name = "a"
        delivery.hours.monday = ["10:00-20:00"]
        [[delivery.areas]]
        name = "Norte"
        [[delivery.areas]]
        name = "Sur"
        hours.monday = "closed"
        hours.tuesday = ["10:00-12:00"]
    """
    shop = shop_of(tmp_path, content)
    assert shop.now_facts(datetime(2026, 11, 30, 15, 0, tzinfo=UTC))["delivery_today"] == {"Norte": True, "Sur": False}
    assert shop.facts()["delivery"]["areas"][1]["hours"] == {"lunes": "cerrado", "martes": "10:00-12:00"}


def test_a_shop_without_hours_says_nothing_about_now() -> None:
    """So its requests, and their keys, never change with the clock."""
    moment = datetime(2026, 11, 30, 15, 0, tzinfo=UTC)
    assert Shop("a").now_facts(moment) == {}
    assert Shop("a", timezone="America/Lima", branches=(Branch("x"),)).now_facts(moment) == {}


def test_the_sample_is_short() -> None:
    """Facts are paid for with every call: about 400 tokens for a whole shop."""
    shop = read_shop(REPOSITORY / "worker" / "devkit" / "sample_shop.toml")
    assert len(shop.told) < 1_600
