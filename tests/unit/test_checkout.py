"""The checkout: one question after the other, and an order only by a yes to the summary of this very cart."""

from __future__ import annotations

from decimal import Decimal

import pytest
from helpers.checkouts import ADDRESS, summed_up
from helpers.conversations import CENTRO, GROCER, PALERMO, SILENT_SHOP, Conversation, tap
from helpers.turns import MILK_ITEM, message
from msgspec.structs import replace

from worker.replies.acts import LATE_S, OLDEST_S, Act, acts_of
from worker.session.session import Checkout
from worker.shop.shop import Shop


def test_the_whole_way_by_words() -> None:
    """Delivery, address, payment, summary, yes: one question a turn, without any model."""
    talk = Conversation(cart=(MILK_ITEM,))
    asked = []
    for said in ("quiero pagar", "envío", ADDRESS, "en efectivo por favor"):
        talk.done(said)
        asked.append((talk.session.context.asking, talk.session.state))
    assert asked == [
        ("delivery", "checkout"),
        ("address", "waiting_address"),
        ("payment", "checkout"),
        ("confirm", "confirming_order"),
    ]
    assert talk.lines == [
        "Tu pedido:",
        "• 2 × Leche entera Nubelinda 1 L: $ 3.700,00",
        "Subtotal: $ 3.700,00",
        "Envío: $ 500,00",
        "Total: $ 4.200,00",
        "Entrega: Thames 1234, Palermo",
        "Pago: efectivo",
        "¿Lo confirmo?",
    ]
    talk.done("sí, dale!")
    assert talk.closing is not None
    (order,) = talk.closing.orders
    assert (order.subtotal, order.delivery_fee, order.total) == (Decimal(3700), Decimal(500), Decimal(4200))
    assert (order.delivery, order.address, order.payment, order.currency) == ("delivery", ADDRESS, "efectivo", "ARS")
    assert order.items == (MILK_ITEM,)
    assert (talk.session.cart, talk.session.state, talk.session.context.checkout) == (
        (),
        "order_completed",
        Checkout(),
    )
    assert talk.lines[0] == "¡Gracias! Tu pedido quedó registrado."
    assert "Total: $ 4.200,00" in talk.lines
    assert "¿Lo confirmo?" not in talk.lines


def test_the_whole_way_by_taps() -> None:
    """Each question's answers are buttons or rows."""
    talk = Conversation(cart=(MILK_ITEM,))
    talk.done(tap("checkout"))
    assert talk.offers == ["delivery:delivery", "delivery:pickup"]
    talk.done(tap("delivery:pickup"))
    assert talk.offers == ["pay:0", "pay:1"]
    talk.done(tap("pay:1"))
    assert "Entrega: retiro en la tienda" in talk.lines
    assert "Total: $ 3.700,00" in talk.lines
    confirm = talk.offers[0]
    assert confirm == f"confirm:{talk.session.context.version}"
    talk.done(tap(confirm))
    assert talk.closing is not None
    (order,) = talk.closing.orders
    assert (order.delivery, order.address, order.payment, order.total) == (
        "pickup",
        None,
        "Mercado Pago",
        Decimal(3700),
    )


def test_a_shop_that_has_told_nothing_asks_for_the_address_alone() -> None:
    """Its fee is unknown, and nothing is made up."""
    talk = Conversation(SILENT_SHOP, cart=(MILK_ITEM,))
    talk.done("finalizar compra")
    assert talk.session.context.asking == "address"
    talk.done("Av. Corrientes 1234 piso 2")
    assert "Envío: lo confirma la tienda" in talk.lines
    talk.done("si")
    assert talk.closing is not None
    assert [(order.delivery_fee, order.payment) for order in talk.closing.orders] == [(Decimal("0.00"), None)]


def test_what_leaves_no_choice_is_not_asked() -> None:
    """One way of delivery and one payment method."""
    talk = Conversation(Shop("x", pickup=True, payments=("efectivo",)), cart=(MILK_ITEM,))
    talk.done(tap("checkout"))
    assert talk.session.context.asking == "confirm"
    assert talk.lines[-3:] == ["Entrega: retiro en la tienda", "Pago: efectivo", "¿Lo confirmo?"]


def test_an_empty_cart_has_no_checkout() -> None:
    """Neither a question nor a summary."""
    talk = Conversation()
    talk.done("finalizar")
    assert talk.lines == ["Tu carrito está vacío."]
    assert (talk.session.context.asking, talk.session.context.version) == ("", "")


@pytest.mark.parametrize(
    "said",
    [
        "No, pará",
        "le pregunto a mi mujer",
        "sí, pero sin el arroz",
        "si, pero mañana",
        "?",
        "sí?",
        "¿sí",
        "no",
        "todavía no",
        "sí y también",
        "dale, agregá un pan",
        "si no hay otra",
        "👍👎",
        "no 👍",
        "ya",
        "gracias",
        "hola",
        "2",
        "jajaja",
        "espera",
        "confirmar compra",
        "quiero confirmar",
        "está bien, gracias",
        "no, todo bien, gracias",
        "bueno...",
        "ya confirmo",
    ],
)
def test_no_order_without_a_plain_yes(said: str) -> None:
    """Whatever else is said: no order, and the cart stays."""
    talk = summed_up()
    talk.act(said)
    assert talk.closing is not None
    assert talk.closing.orders == ()
    assert talk.session.cart == (MILK_ITEM,)


@pytest.mark.parametrize("said", ["sí", "SI!!", "dale", "ok, gracias", "👍", "siii", "confirmo el pedido", "sí jaja"])
def test_a_plain_yes_places_the_order(said: str) -> None:
    """In the many ways it is written."""
    talk = summed_up()
    talk.done(said)
    assert talk.closing is not None
    assert len(talk.closing.orders) == 1


def test_no_model_places_an_order() -> None:
    """Neither by its state, nor by its intent, nor by its words."""
    talk = summed_up()
    answer = {"intent": "checkout", "next_state": "order_completed", "reply": "Perfecto."}
    decision = talk.answered("sí, confirmo todo eso que dijiste", **answer)
    assert decision.effects.orders == ()
    assert talk.session.cart == (MILK_ITEM,)
    assert talk.session.state == "confirming_order"


def test_a_second_yes_is_the_same_order() -> None:
    """Tapped again or said again, it is told that there is one already."""
    talk = summed_up()
    confirm = talk.offers[0]
    talk.done(tap(confirm))
    for again in (tap(confirm), "sí", "dale"):
        talk.done(again)
        assert talk.closing is not None
        assert talk.closing.orders == ()
        assert talk.lines == ["Ese pedido ya está registrado: no hice otro."]


def test_a_yes_after_the_order_may_be_meant_for_something_else() -> None:
    """Once something else was talked of, a model reads it."""
    talk = summed_up()
    talk.done("sí")
    talk.answered("tenés arroz?", intent="search_product", reply="Arroz largo 1 kg a $ 1.200,50. ¿Te agrego uno?")
    assert talk.act("sí") is None
    talk = summed_up()
    talk.done("sí")
    assert talk.act("no") is None


def test_a_yes_that_was_written_before_the_summary_confirms_nothing() -> None:
    """It waited behind the message that was answered with it; who taps has seen it."""
    talk = summed_up()
    early = replace(talk.turn("sí"), waited=True)
    assert acts_of(early) == (Act("checkout"),)
    tapped = replace(talk.turn(tap(talk.offers[0])), waited=True)
    assert acts_of(tapped) == (Act("confirm", talk.session.context.version),)


@pytest.mark.parametrize(
    ("early_s", "swept", "is_yes"),
    [
        (-5, False, True),
        (LATE_S, False, True),
        (LATE_S + 1, False, False),
        (0, True, True),
        (1, True, False),
        # Meta has given up such a message: the sender's clock is wrong.
        (OLDEST_S + 1, True, True),
    ],
)
def test_a_yes_that_comes_late_confirms_no_summary_that_was_made_meanwhile(
    early_s: int, swept: bool, is_yes: bool
) -> None:
    """Held up on its way, or brought by the sweep, its own time tells."""
    talk = summed_up()
    said = message("sí", sent_at_s=talk.session.context.summed_at_s - early_s)
    acts = acts_of(replace(talk.turn(said), swept=swept))
    assert acts == ((Act("confirm", talk.session.context.version),) if is_yes else (Act("checkout"),))


@pytest.mark.parametrize(
    "shop",
    [
        replace(GROCER, areas=(replace(PALERMO, fee=Decimal(900)), CENTRO)),
        replace(GROCER, areas=(replace(PALERMO, minimum=Decimal(5000)), CENTRO)),
        replace(GROCER, areas=(CENTRO,)),
        replace(GROCER, areas=()),
        replace(GROCER, payments=("Mercado Pago", "débito")),
    ],
)
def test_the_shops_file_is_looked_at_again_with_the_yes(shop: Shop) -> None:
    """Another fee, minimum, area or payment since the summary: it is asked or summed up anew."""
    talk = summed_up()
    confirm = talk.offers[0]
    talk.shop = shop
    for yes in (tap(confirm), "sí"):
        talk.session = replace(talk.session, context=replace(talk.session.context, asking="confirm"))
        talk.done(yes)
        assert talk.closing is not None
        assert talk.closing.orders == ()
        assert talk.lines[0] == "Ese resumen ya no vale: algo cambió desde entonces. Así está ahora:"
        talk = summed_up()
        talk.shop = shop


@pytest.mark.parametrize(
    ("shop", "given", "asking"),
    [
        (replace(GROCER, pickup=False), Checkout(delivery="pickup", payment="efectivo"), "address"),
        (Shop("x", pickup=True, delivers=False), Checkout(delivery="delivery", address=ADDRESS), "confirm"),
        (Shop("x", delivers=False), Checkout(delivery="delivery", address=ADDRESS), "confirm"),
        (replace(GROCER, pickup=False), Checkout(delivery="delivery", address=ADDRESS, payment="bitcoin"), "payment"),
    ],
)
def test_what_the_shop_does_not_have_is_not_ordered(shop: Shop, given: Checkout, asking: str) -> None:
    """Neither a way of delivery nor a payment, whoever has taken it down."""
    talk = Conversation(shop, cart=(MILK_ITEM,), context={"checkout": given})
    talk.done("finalizar")
    assert talk.session.context.asking == asking
    assert talk.session.context.checkout.delivery == ("delivery" if shop.areas else "pickup")


def test_two_yeses_in_one_turn_are_one() -> None:
    """And two different answers are none."""
    talk = summed_up()
    talk.done("sí", "dale")
    assert talk.closing is not None
    assert len(talk.closing.orders) == 1
    talk = summed_up()
    assert talk.act("sí", "no") is None
    assert talk.act(tap(talk.offers[0]), tap("change", number=2)) is None


def test_an_old_summary_cannot_be_confirmed() -> None:
    """The cart has changed since: the new one is summed up instead."""
    talk = summed_up()
    old = talk.offers[0]
    talk.done(tap("add:ALM-8"))
    assert talk.offers[0] != old
    talk.done(tap(old))
    assert talk.closing is not None
    assert talk.closing.orders == ()
    assert talk.lines[0] == "Ese resumen ya no vale: algo cambió desde entonces. Así está ahora:"
    assert "• 1 × Arroz largo 1 kg: $ 1.200,50" in talk.lines
    talk.done("sí")
    assert [order.total for order in talk.closing.orders] == [Decimal("5400.50")]


def test_a_change_and_a_yes_in_one_turn_show_the_new_summary() -> None:
    """The yes was for the one before."""
    talk = summed_up()
    talk.done(tap("add:ALM-8"), "sí")
    assert talk.closing is not None
    assert talk.closing.orders == ()
    assert "• 1 × Arroz largo 1 kg: $ 1.200,50" in talk.lines
    assert talk.session.context.asking == "confirm"


def test_other_details_are_another_summary() -> None:
    """Another payment method, say, ends the version that could be confirmed."""
    talk = summed_up()
    old = talk.offers[0]
    talk.done(tap("pay:1"))
    assert "Pago: Mercado Pago" in talk.lines
    talk.done(tap(old))
    assert talk.closing is not None
    assert talk.closing.orders == ()


def test_a_summary_that_stands_can_be_confirmed_later() -> None:
    """By its own button. Under a question of a model's there is none, and a yes in words may be an answer to that."""
    talk = summed_up()
    confirm = talk.offers[0]
    talk.answered("tenés arroz?", intent="support", reply="Arroz largo 1 kg, a $ 1.200,50. ¿Te lo agrego?")
    assert talk.offers == ["checkout"]
    assert talk.act("sí") is None
    talk.done(tap(confirm))
    assert talk.closing is not None
    assert len(talk.closing.orders) == 1


def test_a_no_orders_nothing_and_keeps_the_cart() -> None:
    """It is shown as it is."""
    talk = summed_up()
    confirm = talk.offers[0]
    talk.done("no gracias")
    assert talk.lines == [
        "No confirmé nada. Tu carrito sigue como estaba.",
        "En tu carrito:",
        "• 2 × Leche entera Nubelinda 1 L: $ 3.700,00",
        "Total: $ 3.700,00",
    ]
    assert talk.act("sí") is None
    assert talk.session.context.version == ""
    talk.done(tap(confirm))
    assert talk.closing is not None
    assert talk.closing.orders == ()
    assert talk.lines[0] == "Ese resumen ya no vale: algo cambió desde entonces. Así está ahora:"


def test_the_details_are_asked_again() -> None:
    """By "change", from the first one."""
    talk = summed_up()
    talk.done(tap("change"))
    assert talk.session.context.checkout == Checkout()
    assert talk.session.context.asking == "delivery"
    assert talk.session.context.version == ""
