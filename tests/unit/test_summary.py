"""Summary and orders: fees, minimums, currencies, coins, and what has changed since."""

from __future__ import annotations

from decimal import Decimal

import pytest
from helpers.checkouts import READY, summed_up
from helpers.conversations import CENTRO, GROCER, PALERMO, Conversation, cart_of, tap
from helpers.turns import CHEESE, CHEESE_ITEM, MILK, MILK_ITEM, RICE, RICE_ITEM, session_of
from msgspec.structs import replace

from worker.messages.reply import MAX_INTERACTIVE_CHARS
from worker.replies.cart_changes import still_there
from worker.replies.cart_lines import short_name
from worker.replies.checkout import summed_up_anew
from worker.session.cart import CartItem, item_of
from worker.shop.shop import Shop


def test_below_the_minimum_nothing_is_ordered() -> None:
    """It says how much is missing to whom, and offers to fetch it."""
    rice = Conversation(cart=(RICE_ITEM,), context={"checkout": READY})
    rice.done("finalizar")
    assert rice.lines == [
        "El pedido mínimo para Palermo es de $ 3.000,00, y tu carrito suma $ 1.200,50. Sumá algo más y lo cerramos."
    ]
    assert rice.offers == ["view_cart", "delivery:pickup"]
    assert rice.session.context.version == ""
    rice.done(tap("delivery:pickup"))
    assert rice.session.context.asking == "confirm"


@pytest.mark.parametrize(
    ("quantity", "line", "total"), [(10, "Envío: $ 500,00", "19.000,00"), (11, "Envío: gratis", "20.350,00")]
)
def test_delivery_is_free_from_an_amount_on(quantity: int, line: str, total: str) -> None:
    """The shop's file says from which."""
    talk = summed_up(cart=(item_of(MILK, Decimal(quantity)),))
    assert line in talk.lines
    assert f"Total: $ {total}" in talk.lines


def test_a_cart_of_two_currencies_is_two_orders() -> None:
    """Each with its own total; the fee is in the shop's currency."""
    wine = CartItem(3, "Vino", Decimal("9.50"), Decimal(2), "USD", sku="VIN-3")
    talk = summed_up(cart=(MILK_ITEM, wine))
    assert "Total: $ 4.200,00 + US$ 19,00" in talk.lines
    talk.done("sí")
    assert talk.closing is not None
    assert [(order.currency, order.total, order.delivery_fee) for order in talk.closing.orders] == [
        ("ARS", Decimal(4200), Decimal(500)),
        ("USD", Decimal(19), Decimal(0)),
    ]


def test_chilean_pesos_have_no_cents() -> None:
    """A weighed line is rounded to whole pesos, and what is ordered is what was shown."""
    shop = Shop("x", currency="CLP", locale="es_CL", form="tu", pickup=True)
    cheese = replace(CHEESE_ITEM, price=Decimal(1990), quantity=Decimal("0.25"), currency="CLP")
    talk = Conversation(shop, cart=(cheese,))
    talk.done("finalizar")
    assert talk.lines[1] == "• 250 g de Queso cremoso: $498"
    assert "Total: $498" in talk.lines
    talk.done("sí")
    assert talk.closing is not None
    (order,) = talk.closing.row()["orders"]
    assert (order["total"], order["items"][0]["total"]) == ("498.00", "498.00")


def test_halves_of_a_cent_go_up_in_the_order_too() -> None:
    """As PostgreSQL rounds them."""
    line = replace(CHEESE_ITEM, price=Decimal("1200.50"), quantity=Decimal("0.05"))
    assert line.total == Decimal("60.03")


def test_the_longest_summary_is_whole() -> None:
    """What does not fit above WhatsApp's buttons goes without them, and a yes in words confirms it."""
    cart = tuple(CartItem(number, "x" * 300, Decimal("12345.50"), Decimal(99)) for number in range(1, 30))
    details = replace(READY, address="y" * 300, note="z" * 300)
    talk = Conversation(cart=cart, context={"checkout": details})
    talk.done("finalizar")
    assert len([line for line in talk.lines if line.startswith("• 99 × ")]) == 29
    assert talk.lines[-1] == "¿Lo confirmo?"
    assert talk.offers == []
    talk.done("sí")
    assert talk.closing is not None
    assert len(talk.closing.orders) == 1


def test_of_more_products_than_fit_the_others_are_counted() -> None:
    """The total, the address and the question stand whole in any text."""
    cart = tuple(CartItem(number, "x" * 300, Decimal("12345.50"), Decimal(99)) for number in range(1, 60))
    talk = Conversation(cart=cart, context={"checkout": replace(READY, address="y" * 300, note="z" * 300)})
    talk.done("finalizar")
    assert "• y 29 productos más" in talk.lines
    assert [line.partition(":")[0] for line in talk.lines[-7:-1]] == [
        "Subtotal",
        "Envío",
        "Total",
        "Entrega",
        "Pago",
        "Nota",
    ]
    assert talk.lines[-1] == "¿Lo confirmo?"


def test_changes_that_the_summary_shows_again_make_room_for_its_buttons() -> None:
    """A cart of the catalogue during the checkout: the new summary names its products."""
    sold = [replace(MILK, id=number, name=f"Leche de la marca n.º {number}", sku=f"S-{number}") for number in range(8)]
    talk = Conversation(sold=sold, cart=(RICE_ITEM,), context={"checkout": READY})
    talk.done(cart_of(*((product.sku, 2) for product in sold)), "finalizar")
    assert len(talk.reply.text) <= MAX_INTERACTIVE_CHARS
    assert talk.lines[0] == "Tu pedido:"
    assert sum(line.startswith("• 2 × Leche") for line in talk.lines) == 8
    assert talk.lines[-1] == "¿Lo confirmo?"
    assert [offer.partition(":")[0] for offer in talk.offers] == ["confirm", "undo", "change"]


def test_the_size_of_a_product_stands_in_its_line() -> None:
    """A long name is shortened in its middle."""
    name = "Leche entera ultrapasteurizada larga vida La Serenísima Clásica Botella 1 L"
    assert short_name(CartItem(1, name, Decimal(1), Decimal(1))) == "Leche entera ultrapasteuriz… Clásica Botella 1 L"
    assert short_name(CartItem(1, "x" * 80, Decimal(1), Decimal(1))) == "x" * 47 + "…"


def test_what_has_changed_since_the_summary_is_told_and_summed_up_anew() -> None:
    """A price, what is left, what is gone; the order waits for another yes."""
    session = session_of(cart=(MILK_ITEM, RICE_ITEM, CHEESE_ITEM), context={"checkout": READY})
    now = [replace(MILK, price=Decimal(2000)), replace(RICE, active=False)]
    made = summed_up_anew(GROCER, session, "v2", [*now])
    assert made.reply.splitlines()[:6] == [
        "Algo cambió desde el resumen, y todavía no confirmé nada:",
        "• Leche entera Nubelinda 1 L: ahora cuesta $ 2.000,00",
        "• Arroz largo 1 kg: ya no hay",
        "• Queso cremoso: ya no hay",
        "",
        "Tu pedido:",
    ]
    assert made.effects.orders == ()
    assert made.effects.version.startswith("v2-")
    assert made.effects.cart == (replace(MILK_ITEM, price=Decimal(2000)),)


@pytest.mark.parametrize(
    ("now", "line", "left"),
    [
        ({"unit": "kg", "step": Decimal("0.05")}, "ahora se vende de a 50 g, así que lo saqué", None),
        ({"step": Decimal(6)}, "ahora se vende de a 6, así que lo saqué", None),
        ({"step": Decimal(2)}, "ahora se vende de a 2, y son 2", 2),
        ({"stock": Decimal(2)}, "ahora hay solo 2", 2),
        ({"name": "Leche descremada"}, "ahora es Leche descremada Nubelinda 1 L", 3),
        ({"name": "Leche descremada", "price": Decimal(2000)}, "ahora es Leche descremada Nubelinda 1 L", 3),
        ({"stock": Decimal(0)}, "ya no hay", None),
    ],
)
def test_whatever_has_changed_about_a_product_is_told(now: dict[str, object], line: str, left: int | None) -> None:
    """Its name, its unit and its step too: nobody gets two kilograms for two pieces."""
    cart, lines = still_there(GROCER, (replace(MILK_ITEM, quantity=Decimal(3)),), [replace(MILK, **now)])
    assert lines[0] == f"• Leche entera Nubelinda 1 L: {line}"
    assert [item.quantity for item in cart] == ([] if left is None else [left])


def test_what_is_left_is_offered_in_whole_steps() -> None:
    """Of 130 grams in steps of 50, 100."""
    session = session_of(cart=(CHEESE_ITEM,), context={"checkout": replace(READY, delivery="pickup")})
    made = summed_up_anew(GROCER, session, "v2", [replace(CHEESE, stock=Decimal("0.13"))])
    assert made.effects.cart is not None
    assert [item.quantity for item in made.effects.cart] == [Decimal("0.10")]
    assert "• Queso cremoso: ahora hay solo 100 g" in made.reply
    gone = summed_up_anew(GROCER, session, "v2", [replace(CHEESE, stock=Decimal("0.04"))])
    assert gone.effects.cart == ()
    assert "Tu carrito está vacío." in gone.reply


def test_a_fee_that_is_not_known_is_not_promised() -> None:
    """The shop says it later."""
    shop = replace(GROCER, areas=(replace(CENTRO, fee=None), PALERMO))
    talk = Conversation(shop, cart=(MILK_ITEM,), context={"checkout": replace(READY, address="X 1234", area="Centro")})
    talk.done("finalizar")
    assert "Envío: lo confirma la tienda" in talk.lines
    assert "Total: $ 3.700,00" in talk.lines
