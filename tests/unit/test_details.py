"""Details of an order: asked for one by one, taken from plain answers and from the customer's own words alone."""

from __future__ import annotations

import pytest
from helpers.checkouts import READY, summed_up
from helpers.conversations import GROCER, SILENT_SHOP, Conversation, add, tap
from helpers.turns import MILK_ITEM, RICE, message
from msgspec.structs import replace

from worker.session.session import Checkout
from worker.shop.shop import Shop


def test_an_address_in_no_known_area_asks_for_one() -> None:
    """Rows, their numbers, their names; an area that is not there is for a person."""
    talk = Conversation(cart=(MILK_ITEM,))
    talk.done(tap("checkout"))
    talk.done(tap("delivery:delivery"))
    talk.done("Av. Siempreviva 742")
    assert talk.lines == ["¿En qué zona estás? Repartimos en estas:", "1. Palermo", "2. Centro"]
    assert talk.offers == ["area:0", "area:1", "area:?"]
    talk.done(tap("area:?"))
    assert talk.lines == ["A otras zonas no sé si llegamos: lo dice una persona del equipo."]
    assert talk.offers == ["delivery:pickup", "human"]
    talk.done("en el centro")
    assert talk.session.context.checkout.area == "Centro"
    assert talk.session.context.asking == "payment"


@pytest.mark.parametrize(
    ("said", "area"), [("2", "Centro"), ("palermo soho", "Palermo"), ("Vivo en Palermo", "Palermo")]
)
def test_an_area_by_its_number_or_name(said: str, area: str) -> None:
    """Also by another name that customers call it."""
    talk = asked_for_area()
    talk.done(said)
    assert talk.session.context.checkout.area == area


@pytest.mark.parametrize(
    "said", ["?", "0", "3", "no estoy en Palermo", "llegan a Palermo?", "Palermo y agregame 2 leches", "Mordor"]
)
def test_what_names_no_area_plainly_is_for_a_model(said: str) -> None:
    """A question, a denial, a number of no row, more than the name."""
    talk = asked_for_area()
    assert talk.act(said) is None


def asked_for_area() -> Conversation:
    """A customer who was asked for the area."""
    details = Checkout(delivery="delivery", address="Av. Siempreviva 742")
    talk = Conversation(cart=(MILK_ITEM,), context={"checkout": details})
    talk.done("finalizar")
    assert talk.session.context.asking == "area"
    return talk


CARDS = replace(GROCER, payments=("efectivo", "Tarjeta de crédito", "Tarjeta de débito", "Mercado Pago"))


def asked_for_payment(shop: Shop = CARDS) -> Conversation:
    """A customer who was asked how to pay."""
    talk = Conversation(shop, cart=(MILK_ITEM,), context={"checkout": replace(READY, payment="")})
    talk.done("finalizar")
    assert talk.session.context.asking == "payment"
    return talk


def test_many_payment_methods_are_a_list() -> None:
    """Numbered in the text, for who cannot tap."""
    talk = asked_for_payment()
    assert talk.lines[:2] == ["¿Cómo querés pagar?", "1. efectivo"]
    assert talk.offers == ["pay:0", "pay:1", "pay:2", "pay:3"]


@pytest.mark.parametrize(
    ("said", "payment"),
    [
        ("1", "efectivo"),
        ("la 3", "Tarjeta de débito"),
        ("EFECTIVO!", "efectivo"),
        ("pago con mercado pago", "Mercado Pago"),
        ("débito", "Tarjeta de débito"),
        ("con credito por favor", "Tarjeta de crédito"),
        ("en efe", "efectivo"),
        ("MP", "Mercado Pago"),
        ("pago con deb", "Tarjeta de débito"),
    ],
)
def test_a_payment_method_by_its_number_or_name(said: str, payment: str) -> None:
    """Also by a word that no other has."""
    talk = asked_for_payment()
    talk.done(said)
    assert talk.session.context.checkout.payment == payment
    assert talk.session.context.asking == "confirm"


@pytest.mark.parametrize(
    "said",
    [
        "0",
        "5",
        "tarjeta",
        "no tengo efectivo",
        "efectivo o débito",
        "efectivo?",
        "efectivo y sumá 2 leches",
        "bitcoin",
        "mp?",
        "mp o efe",
        "mitad efe mitad mp",
    ],
)
def test_what_names_no_payment_plainly_is_for_a_model(said: str) -> None:
    """Two, none, a denial, a question, more than the name."""
    assert asked_for_payment().act(said) is None


@pytest.mark.parametrize("said", ["no tengo efectivo", "sin efectivo"])
def test_a_denied_payment_method_is_not_taken(said: str) -> None:
    """Also not by the way of a model's answer."""
    talk = asked_for_payment()
    talk.answered(said, intent="checkout", reply="¿Con cuál entonces?")
    assert talk.session.context.checkout.payment == ""


@pytest.mark.parametrize(
    "said", ["mandame también 2 leches", "¿hacen envío?", "envío o retiro?", "sin envío", "busco arroz"]
)
def test_what_names_no_way_of_delivery_plainly_is_for_a_model(said: str) -> None:
    """ "Mandame" alone is one; with goods behind it, it is an order."""
    talk = Conversation(cart=(MILK_ITEM,))
    talk.done("finalizar")
    assert talk.act(said) is None


def test_words_about_goods_move_no_delivery() -> None:
    """ "Busco arroz" in the middle of a checkout fetches nothing."""
    talk = summed_up()
    talk.answered("busco también arroz", intent="add_to_cart", reply="Va.", cart_operations=[add(RICE)])
    assert talk.session.context.checkout.delivery == "delivery"


@pytest.mark.parametrize(
    "said", ["Av. Corrientes 1234 y sumame 2 leches", "dónde queda Corrientes 1234?", "no sé", "lo paso a buscar"]
)
def test_what_is_no_plain_address_is_for_a_model(said: str) -> None:
    """An address with goods behind it would lose them."""
    talk = Conversation(SILENT_SHOP, cart=(MILK_ITEM,))
    talk.done("finalizar")
    assert talk.act(said) is None
    assert talk.session.context.checkout.address == ""


def test_who_was_asked_for_an_address_may_fetch_it_instead() -> None:
    """Where the shop hands out; else a model says what it knows."""
    for asked in (Checkout(delivery="delivery"), Checkout(delivery="delivery", address="Av. Siempreviva 742")):
        talk = Conversation(cart=(MILK_ITEM,), context={"checkout": asked})
        talk.done("finalizar")
        talk.done("mejor lo paso a buscar")
        assert (talk.session.context.checkout.delivery, talk.session.context.asking) == ("pickup", "payment")
    silent = Conversation(SILENT_SHOP, cart=(MILK_ITEM,))
    silent.done("finalizar")
    silent.answered("retiro yo", intent="checkout", reply="No sé si se puede.")
    assert silent.session.context.checkout.delivery == "delivery"


def test_a_place_on_the_map_is_an_address() -> None:
    """Only where one was asked for."""
    place = message("📍 Casa (-34.6, -58.4)", type="location")
    talk = Conversation(SILENT_SHOP, cart=(MILK_ITEM,))
    assert talk.act(place) is None
    talk.done("finalizar")
    talk.done(place)
    assert "Entrega: 📍 Casa (-34.6, -58.4)" in talk.lines


def test_the_address_is_the_one_we_asked_for_even_where_no_model_understood_it() -> None:
    """A model's answer without it does not lose it."""
    talk = Conversation(SILENT_SHOP, cart=(MILK_ITEM,))
    talk.done("finalizar")
    talk.answered("mz 4 casa 12 los pinos", intent="checkout", reply="Gracias.")
    assert talk.session.context.checkout.address == "mz 4 casa 12 los pinos"
    assert "Entrega: mz 4 casa 12 los pinos" in talk.lines


@pytest.mark.parametrize("said", ["lo retiro yo a las 18", "no, espera 5 minutos", "cuánto tardan? 30 minutos?"])
def test_a_figure_makes_no_address(said: str) -> None:
    """Where another thing is spoken of."""
    talk = Conversation(SILENT_SHOP, cart=(MILK_ITEM,))
    talk.done("finalizar")
    talk.answered(said, intent="support", reply="Bien.")
    assert talk.session.context.checkout.address == ""


def test_an_address_nobody_gave_is_not_taken() -> None:
    """A model's address must stand in the customer's words, as whole words."""
    for made_up in ("Calle Falsa 123", "Thames 12", "Thames"):
        talk = Conversation(cart=(MILK_ITEM,))
        talk.answered("mandalo a Thames 1234", intent="checkout", reply="Bien.", entities={"address": made_up})
        assert talk.session.context.checkout.address == ""
    talk.answered("mandalo a Thames 1234", intent="checkout", reply="Bien.", entities={"address": "Thames 1234"})
    assert talk.session.context.checkout.address == "Thames 1234"


def test_a_new_address_takes_the_place_of_the_old_one_and_of_its_area() -> None:
    """Said again in the history, the old one does not come back."""
    talk = asked_for_area()
    talk.done("centro")
    talk.done(tap("pay:0"))
    given = {"intent": "checkout", "reply": "Bien."}
    talk.answered("mejor a Thames 1234 palermo", **given, entities={"address": "Thames 1234 palermo"})
    assert talk.session.context.checkout.area == "Palermo"
    talk.answered("gracias", **given, entities={"address": "Thames 1234 palermo"})
    assert talk.session.context.checkout.area == "Palermo"
    assert talk.session.context.checkout.payment == "efectivo"


def test_the_same_address_said_again_keeps_the_area_that_was_chosen() -> None:
    """A model repeats what stands in the history."""
    talk = asked_for_area()
    talk.done("centro")
    before = talk.session.context.checkout
    talk.answered("ok", intent="checkout", reply="Bien.", entities={"address": "Av. Siempreviva 742"})
    assert talk.session.context.checkout == before


def test_a_wish_for_the_order_is_kept_in_the_customers_words() -> None:
    """What a model makes up is not."""
    talk = summed_up()
    talk.answered("sin bolsa por favor", intent="checkout", reply="Bien.", entities={"note": "sin bolsa"})
    assert "Nota: sin bolsa" in talk.lines
    talk.answered("dale", intent="checkout", reply="Bien.", entities={"note": "dejar en portería"})
    assert talk.session.context.checkout.note == "sin bolsa"


@pytest.mark.parametrize(("form", "words"), [("tu", "¿Cómo quieres pagar?"), ("usted", "¿Cómo desea pagar?")])
def test_it_speaks_in_the_shops_form_of_address(form: str, words: str) -> None:
    """As its file says, or its country."""
    assert asked_for_payment(replace(CARDS, form=form)).lines[0] == words


def test_a_button_of_every_answer_is_there_although_the_cart_has_just_changed() -> None:
    """The way back stands behind them."""
    shop = replace(GROCER, payments=("efectivo", "débito", "QR"))
    talk = asked_for_payment(shop)
    talk.done(tap("add:ALM-8"))
    assert talk.offers == ["pay:0", "pay:1", "pay:2", "undo:token2"]
