"""From a first word to an order, through the whole service, by nothing but what a gateway sends and gets."""

from __future__ import annotations

import time
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from helpers.basics import Servers
from helpers.puppet import always
from helpers.shopping import Shopper, check_form, choices
from helpers.store import Store, open_store
from sqlalchemy import Engine

Json = dict[str, Any]


@pytest.fixture(scope="module")
def opened_store(servers: Servers, shared_engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """The sample shop, open for all tests here."""
    with open_store(servers, shared_engine, tmp_path_factory.mktemp("store")) as made:
        yield made


@pytest.fixture
def store(opened_store: Store) -> Store:
    """The same with a model that is well and full shelves."""
    opened_store.begin()
    return opened_store


MILK = {"LAC-002": "5"}
#: What a customer does, and the order that comes of it: quantities, total with delivery, how it arrives, payment.
SCRIPTS: dict[str, tuple[list[str], dict[str, str], str, str, str]] = {
    "in words": (
        ["agregame 5 leches descremadas", "quiero pagar", "envío", "Av. Rivadavia 4000, Caballito", "efectivo", "sí"],
        MILK,
        "10350.00",
        "delivery",
        "efectivo",
    ),
    "with taps": (
        ["hola", "agregame 5 leches descremadas", "[checkout]", "[delivery:pickup]", "[pay:3]", "[confirm:"],
        MILK,
        "9450.00",
        "pickup",
        "transferencia",
    ),
    "from a list": (
        ["tenés yerba?", "[add:ALM-008]", "[add:ALM-007]", "[checkout]", "[delivery:pickup]", "[pay:0]", "dale"],
        {"ALM-008": "1", "ALM-007": "1"},
        "7280.00",
        "pickup",
        "efectivo",
    ),
    "by the number of a row": (
        ["tenés yerba?", "la 1", "[checkout]", "[delivery:pickup]", "1", "👍"],
        {"*": "1"},
        "*",
        "pickup",
        "efectivo",
    ),
    "a cart of the catalogue": (
        ['{"ALM-001": 2, "LIM-003": 1}', "[checkout]", "retiro", "Mercado Pago", "[confirm:"],
        {"ALM-001": "2", "LIM-003": "1"},
        "13270.00",
        "pickup",
        "Mercado Pago",
    ),
    "an area that must be asked for": (
        [
            '{"LIM-003": 2}',
            "[checkout]",
            "[delivery:delivery]",
            "Gascón 1150, 4to A",
            "[area:1]",
            "tarjeta de débito",
            "[confirm:",
        ],
        {"LIM-003": "2"},
        "21280.00",
        "delivery",
        "tarjeta de débito",
    ),
    "below the minimum": (
        [
            '{"ALM-001": 1}',
            "[checkout]",
            "[delivery:delivery]",
            "Guayaquil 380, Caballito",
            "agregame 4 leches descremadas",
            "[pay:0]",
            "sí, confirmo",
        ],
        {"ALM-001": "1", "LAC-002": "4"},
        "10150.00",
        "delivery",
        "efectivo",
    ),
    "other details after the summary": (
        [
            '{"LAC-002": 5}',
            "[checkout]",
            "[delivery:pickup]",
            "[pay:0]",
            "[change]",
            "[delivery:delivery]",
            "Guayaquil 380, Caballito",
            "[pay:2]",
            "[confirm:",
        ],
        MILK,
        "10350.00",
        "delivery",
        "tarjeta de crédito",
    ),
    "with a change taken back": (
        [
            '{"LAC-002": 5}',
            '{"ALM-001": 9}',
            "[undo:",
            "[checkout]",
            "[delivery:pickup]",
            "[pay:0]",
            "[confirm:",
        ],
        MILK,
        "9450.00",
        "pickup",
        "efectivo",
    ),
    "with a change after the summary": (
        [
            '{"LAC-002": 5}',
            "[checkout]",
            "[delivery:pickup]",
            "[pay:0]",
            "sumame 2 arroz integral",
            "[confirm:",
        ],
        {"LAC-002": "5", "ALM-002": "2"},
        "14410.00",
        "pickup",
        "efectivo",
    ),
    "after a no": (
        ['{"LAC-002": 5}', "[checkout]", "[delivery:pickup]", "[pay:0]", "todavía no", "[checkout]", "si dale"],
        MILK,
        "9450.00",
        "pickup",
        "efectivo",
    ),
    "with a question before the yes": (
        [
            '{"LAC-002": 5}',
            "[checkout]",
            "[delivery:pickup]",
            "[pay:0]",
            "hasta qué hora atienden hoy?",
            "[confirm:",
        ],
        MILK,
        "9450.00",
        "pickup",
        "efectivo",
    ),
    "to a place on the map": (
        [
            '{"LAC-002": 5}',
            "[checkout]",
            "[delivery:delivery]",
            "@Av. Rivadavia 4800, Caballito",
            "[pay:0]",
            "[confirm:",
        ],
        MILK,
        "10350.00",
        "delivery",
        "efectivo",
    ),
}


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_conversation_ends_in_its_order(store: Store, name: str) -> None:
    """One order, of what was put into the cart, at the catalogue's prices, delivered and paid as was said."""
    steps, items, total, delivery, payment = SCRIPTS[name]
    shopper = store.shopper()
    for step in steps:
        assert store.orders(shopper) == [], f"before {step}"
        check_form(shopper.does(step))
    check_order(store, shopper, items, total, delivery, payment)


def check_order(store: Store, shopper: Shopper, items: dict[str, str], total: str, delivery: str, payment: str) -> None:
    """The customer has this one order, and is told what it costs."""
    (order,) = store.orders(shopper)
    if "*" not in items:
        assert {item["sku"]: item["quantity"] for item in order["items"]} == items
        assert order["total"] == total
    assert (order["delivery"], order["payment"], order["status"]) == (delivery, payment, "received")
    assert sum(Decimal(item["total"]) for item in order["items"]) == Decimal(order["subtotal"])
    assert Decimal(order["subtotal"]) + Decimal(order["delivery_fee"]) == Decimal(order["total"])
    assert "quedó registrado" in shopper.last["text"]
    assert f"{Decimal(order['total']):,.2f}".translate(str.maketrans(",.", ".,")) in shopper.last["text"]
    assert shopper.last["session_state"] == "order_completed"


BY_TAPS = {
    "from a list": ["tenés yerba?", "[add:ALM-008]", "[add:ALM-008]", "[checkout]", "[delivery:pickup]", "[pay:0]"],
    "from a cart": ['{"ALM-008": 2}', "[view_cart]", "[checkout]", "[delivery:pickup]", "efectivo"],
    "taken back": ['{"ALM-008": 2}', "leche", "[add:", "[undo:", "[checkout]", "[delivery:pickup]", "[pay:0]"],
}


@pytest.mark.parametrize("name", BY_TAPS)
def test_without_any_model_taps_lead_to_an_order(store: Store, name: str) -> None:
    """All providers are away from the first word to the last."""
    store.model.mind = None
    shopper = store.shopper()
    for step in BY_TAPS[name]:
        check_form(shopper.does(step))
    assert store.orders(shopper) == []
    shopper.taps("confirm:")
    check_order(store, shopper, {"ALM-008": "2"}, "5180.00", "pickup", "efectivo")


def summed_up(store: Store) -> Shopper:
    """A customer with five milks who has just read the summary."""
    shopper = store.shopper()
    for step in ('{"LAC-002": 5}', "[checkout]", "[delivery:pickup]", "[pay:0]"):
        shopper.does(step)
    assert choices(shopper.last, "confirm:")
    assert "9.450,00" in shopper.last["text"]
    return shopper


def test_a_double_tap_places_one_order(store: Store) -> None:
    """Delivered twice, tapped twice, and tapped once more later; the customer is told that it is placed."""
    shopper = summed_up(store)
    taps = [shopper.tapped("confirm:") for _ in range(3)]
    shopper.send(*taps[:2], times=2)
    shopper.send(taps[2])
    assert len(store.orders(shopper)) == 1
    assert "ya está registrado" in shopper.last["text"]


@pytest.mark.parametrize("together", [True, False], ids=["one body", "two bodies"])
def test_two_yeses_at_once_place_one_order(store: Store, together: bool) -> None:
    """However they come."""
    shopper = summed_up(store)
    yes = [shopper.text("sí"), shopper.text("sí")]
    (shopper.send_together if together else shopper.send)(*yes)
    check_order_is_one(store, shopper)


def check_order_is_one(store: Store, shopper: Shopper) -> None:
    """One order, whatever is said of it last."""
    assert [order["total"] for order in store.orders(shopper)] == ["9450.00"]


def test_a_yes_to_an_old_summary_places_nothing(store: Store) -> None:
    """The cart has changed since: its customer gets the new summary, and a yes to that one counts."""
    shopper = summed_up(store)
    old = shopper.tapped("confirm:")
    shopper.does('{"ALM-001": 1}')
    shopper.send(old)
    assert store.orders(shopper) == []
    assert "11.140,00" in shopper.last["text"]
    shopper.taps("confirm:")
    assert [order["total"] for order in store.orders(shopper)] == ["11140.00"]


def test_a_price_that_changes_before_the_yes_is_told_first(store: Store) -> None:
    """The yes was to another price: nothing is placed until the customer agrees to the new one."""
    shopper = summed_up(store)
    store.relist("LAC-002", price="2000.00")
    try:
        reply = shopper.says("sí")
        assert store.orders(shopper) == []
        assert "10.000,00" in reply["text"]
        shopper.taps("confirm:")
        assert [order["total"] for order in store.orders(shopper)] == ["10000.00"]
    finally:
        store.relist("LAC-002")


def test_what_is_sold_out_before_the_yes_is_told_first(store: Store) -> None:
    """Only what is left is offered, and ordered by a yes of its own."""
    shopper = summed_up(store)
    store.relist("LAC-002", stock="2")
    shopper.taps("confirm:")
    assert store.orders(shopper) == []
    assert "3.780,00" in shopper.last["text"]
    shopper.says("sí")
    assert [order["total"] for order in store.orders(shopper)] == ["3780.00"]
    store.relist("LAC-002")


@pytest.mark.parametrize("words", ["no, pará, no confirmes nada", "sí, pero sacá 2 leches", "y si lo dejamos?"])
def test_no_model_places_an_order(store: Store, words: str) -> None:
    """It says that the order is completed, and moves the conversation there; the customer has not said yes."""
    shopper = summed_up(store)
    store.model.mind = always(
        intent="checkout", reply="¡Listo! Tu pedido quedó confirmado.", next_state="order_completed"
    )
    reply = shopper.says(words)
    assert store.orders(shopper) == []
    assert "confirmado" not in reply["text"]
    assert reply["session_state"] != "order_completed"


def test_a_yes_that_was_written_before_the_summary_places_nothing(store: Store) -> None:
    """Nobody can agree to what he has not read."""
    shopper = store.shopper()
    for step in ('{"LAC-002": 5}', "[checkout]", "[delivery:pickup]"):
        shopper.does(step)
    waits = "select count(*) from messages where customer_phone = :phone and state = 'accepted'"

    def slow(context: Json, schema: Json) -> Json:
        """Answers when the yes is there as well."""
        while store.conversation.sql(waits, phone=shopper.phone)[0][0] < 2:
            time.sleep(0.01)
        return always(intent="checkout")(context, schema)

    store.model.mind = slow
    shopper.send(shopper.text("te pago con efectivo cuando paso, a la tarde"), shopper.text("sí"))
    assert store.orders(shopper) == []
    assert choices(shopper.last, "confirm:")
