"""Claims: a reply names no figure, change, order, discount or delivery that nothing stands behind; honest ones pass."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from helpers.turns import CATEGORIES, CHEESE, MILK, MILK_ITEM, RICE, made, session_of
from msgspec import to_builtins
from msgspec.structs import replace

from worker.replies.amounts import amounts
from worker.replies.claims import check_claims, facts_of
from worker.replies.decision import RefusedChange
from worker.replies.prompt import render
from worker.session.session import Exchange
from worker.shop.conventions import CONVENTIONS
from worker.shop.hours import Hours, span_of
from worker.shop.shop import DeliveryArea, Shop

SHOP = Shop(
    "Súper Sol",
    pickup=True,
    payments=("efectivo", "tarjeta"),
    areas=(DeliveryArea("Centro", fee=Decimal(500), minimum=Decimal(5000), free_from=Decimal(20_000)),),
    returns="Dentro de las 48 horas, con el ticket.",
    contact=(("phone", "11 4444-5555"),),
    questions=(("¿Hasta cuándo toman pedidos?", "Hasta las 20:30."),),
)
TODAY = {"today": "lunes 30 de noviembre", "open": True, "closes": "21:00", "delivery_today": True}


def problem(reply: str, said: str = "hola", *, changes: bool = False, **facts: Any) -> str | None:
    """Why a reply to these words is refused; None where it may be said."""
    session = session_of(cart=facts.pop("cart", (MILK_ITEM,)), **facts.pop("session", {}))
    shop, now = facts.pop("shop", SHOP), facts.pop("now", None)
    request = render(shop, said, CATEGORIES, facts.pop("products", (MILK, RICE, CHEESE)), session, now)
    try:
        check_claims(made(reply=reply), facts_of(request.user, request.system), changes=changes)
    except RefusedChange as exc:
        return str(exc)
    return None


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        ("El total es $ 370.", "cuánto es?"),
        ("El total es 370", "cuánto es?"),
        ("Son $ 3,70.", "cuánto es?"),
        ("La leche sale $ 999.", "cuánto sale?"),
        ("La leche sale 999 pesos.", "dejamela a 999 pesos"),
        ("Te la dejo a $ 999.", "dejamela a $ 999"),
        ("Cuesta 12", "cuánto cuesta?"),
        ("Te lo dejo en 25.", "me hacés precio?"),
        ("Serían mil pesos.", "cuánto sería?"),
        ("Sale 1.500", "cuánto sale?"),
        ("Solo $ 3 cada una.", "precio?"),
        ("Solo 20 pesos.", "precio?"),
        ("$ 600", "precio?"),
        ("US$ 5", "precio?"),
        ("S/ 5.90", "precio?"),
        ("Bs 12", "precio?"),
        ("9,99 €", "precio?"),
        ("Hoy tenemos 90 % off.", "hay promos?"),
        ("Te hago un 90% de descuento.", "dame 90% de descuento"),
        ("La segunda al 50%.", "promos?"),
        ("Llega en 30 minutos.", "cuándo llega?"),
        ("Llega en 30 minutos.", "llega en 30 minutos?"),
        ("Llega en 2 horas.", "cuándo llega?"),
        ("Abrimos a las 7.", "a qué hora abren?"),
        ("Abrimos de 7 a 19.", "a qué hora abren?"),
        ("Entregamos hasta las 18.", "entregan hoy?"),
        ("Quedan 3 unidades.", "hay?"),
        ("Te lo mando a Av. Siempreviva 742.", "mandalo a mi casa"),
        ("Llamanos al 4555-1234.", "teléfono?"),
    ],
)
def test_a_figure_that_stands_in_no_fact(reply: str, said: str) -> None:
    """Neither in the shop's facts, nor in products, nor in the cart; nor a price that the customer has made up."""
    assert problem(reply, said) is not None


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        ("La leche sale $ 1.850,00.", "precio?"),
        ("Leche entera Nubelinda 1 L: $1.850.", "precio?"),
        ("La leche sale 1850 pesos.", "precio?"),
        ("Dos leches son $ 3.700.", "dos?"),
        ("3 leches salen $ 5.550,00.", "tres?"),
        ("Medio kilo de queso son $ 4.500.", "medio de queso"),
        ("100 g de queso: $ 900.", "100 g de queso?"),
        ("250 gramos de queso salen $ 2.250.", "un cuarto?"),
        ("La leche y el arroz suman $ 3.050,50.", "las dos?"),
        ("La leche cuesta $ 649,50 más que el arroz.", "cuál es más barato?"),
        ("El envío a Centro cuesta $ 500.", "envío?"),
        ("El mínimo en Centro es de $ 5.000.", "mínimo?"),
        ("Con $ 20.000 el envío a Centro es gratis.", "envío gratis?"),
        ("Cambiamos productos dentro de las 48 horas.", "cambios?"),
        ("Tomamos pedidos hasta las 20:30.", "hasta cuándo?"),
        ("Hasta las 8:30 de la noche.", "hasta cuándo?"),
        ("Nuestro teléfono es 11 4444-5555.", "teléfono?"),
        ("¿Lo enviamos a Av. Siempreviva 742?", "mandalo a Av. Siempreviva 742"),
        ("Perfecto, a Av. Siempreviva 742.", "mandalo a Av. Siempreviva 742"),
        ("No hacemos descuentos del 90%.", "haceme 90%"),
        ("No puedo dejarla a $ 999.", "dejamela a $ 999"),
        ("No sé si llega en 30 minutos.", "llega en 30 minutos?"),
        ("¿Cuántas querés: 1, 2 o 3?", "leche"),
        ("Tengo estas 3 opciones.", "leche"),
        ("Para 20 personas alcanza con 3 kg.", "para 20 personas"),
        ("El arroz viene en bolsa de 1 kg.", "arroz"),
        ("En 12 cuotas no se puede.", "12 cuotas?"),
        ("Hay:\n1) Leche x 30 $ 1.850\n2) Arroz 1 kg 1.200,50 $\n3) Queso 9.000 €", "qué hay?"),
    ],
)
def test_a_figure_that_is_a_fact(reply: str, said: str) -> None:
    """Prices, what so many cost, amounts of the shop, sizes in names, the customer's own counts and address."""
    assert problem(reply, said) is None


def test_parts_of_a_unit_are_for_what_is_weighed() -> None:
    """A fifth of a litre of milk is sold by nobody: $ 370 is a wrong 3.700."""
    assert problem("$ 370", products=(MILK,)) is not None
    assert problem("$ 370", products=(replace(MILK, unit="l"),), cart=()) is None


def test_figures_of_the_instructions_and_ids_are_no_facts() -> None:
    """ "At most 600 characters", and the product's number 7."""
    for reply in ("Sale $ 600.", "Sale $ 7.", "Sale $ 200.", "Abrimos a las 7."):
        assert problem(reply) is not None, reply


def test_what_we_have_said_before_may_be_said_again() -> None:
    """It was looked at then; what the customer has said may not, where it is a price."""
    before = {"session": {"context": {"history": [Exchange("dejala a $ 888", "El vino sale $ 4.321,00.")]}}}
    assert problem("Como te dije, $ 4.321.", **before) is None
    assert problem("Como dijiste, $ 888.", **before) is not None


@pytest.mark.parametrize("locale", CONVENTIONS)
@pytest.mark.parametrize("price", ["1850", "12850.50", "1234567", "9.9"])
def test_money_as_each_country_writes_it(locale: str, price: str) -> None:
    """A price of the catalogue is known by it, and another one is not."""
    shop = Shop("x", CONVENTIONS[locale].currency, locale)
    sold = replace(MILK, price=Decimal(price), currency=shop.currency)
    assert problem(f"Sale {shop.amount(sold.price)}.", shop=shop, products=(sold,), cart=()) is None
    wrong = shop.amount(sold.price / 5 + 1)
    assert problem(f"Sale {wrong}.", shop=shop, products=(sold,), cart=()) is not None


def test_opening_hours_are_facts_however_they_are_said() -> None:
    """By the clock of the day or of half of it."""
    span = span_of("09:00-20:00")
    shop = replace(SHOP, timezone="America/Lima", hours=Hours(((span,),) * 6 + ((),)))
    for said in ("De lunes a sábado de 9 a 20.", "De 9 a 20 hs.", "De 09:00 a 20:00.", "Hasta las 8 de la noche."):
        assert problem(said, shop=shop) is None, said
    for said in ("De lunes a sábado de 10 a 20.", "De 9 a 21 hs.", "Hasta las 7 de la noche."):
        assert problem(said, shop=shop) is not None, said


def test_the_hours_of_today_are_facts() -> None:
    """As the request tells them."""
    assert problem("Hoy cerramos a las 21.", now=TODAY) is None
    assert problem("Hoy cerramos a las 9 de la noche.", now=TODAY) is None
    assert problem("Hoy cerramos a las 22.", now=TODAY) is not None
    assert problem("Hoy cerramos a las 21.") is not None


def test_a_figure_that_is_no_number_is_no_fact_either() -> None:
    """As money; as a date it may be said."""
    assert problem("Sale $ 1.2.3", cart=()) is not None
    assert problem("Abierto desde 1.2.26", cart=()) is None


DONE = """
    Agregué 2 leches.|Te sumé el arroz.|Sumé el arroz a tu carrito.|Listo.|¡Listo! 2 leches en tu carrito.|Hecho.
    Ya saqué todo lo demás.|Vacié tu carrito.|Tu carrito fue vaciado.|Quedaron agregadas 2 leches.|Leche agregada ✅
    Se eliminaron los productos.|Actualicé tu pedido: 5 leches.|Modifiqué la cantidad.|Puse 3 en tu carrito.
    Te agregamos una.|Añadí 2 unidades. No saqué nada.|Se añadió al carrito.|Las leches ya están en tu carrito.
    No pude sacar el arroz, pero agregué la leche.|No hay problema: agregué la leche.|Lo acabo de sumar al carrito.
    He agregado la leche a tu carrito.|Tu carrito ahora tiene 5 leches.|Te agrego la leche.|Lo agrego ahora.
    Te lo sumo.|Ya te lo puse en el carrito.|Te reservé 2 leches.|Te aparté el queso.|Ya lo anoté.
    Dale, listo. ¿Algo más?|Agregué la leche, ¿algo más?|Listo, agregué la leche, algo más?|Cambié las leches.
    Dejé solo 2.
"""
NOT_DONE = """
    ¿Querés que agregue la leche?|¿Te agrego 2 leches?|¿Cuántas te agrego?|No agregué nada: ¿cuántas leches querés?
    No te agregué ni saqué nada.|Todavía no se agregó ningún producto.|Tu carrito no fue vaciado.
    ¿Agregamos algo más?|Tu carrito quedó como estaba.|Puedo agregarla a tu carrito si me decís cuántas.
    Tenés 2 leches en tu carrito.|Decime cuando quieras sacar algo.|Decime cuántas y te las sumo.
    Te dejo las opciones: leche entera.|Si querés, te la sumo.|¡Listo para ayudarte!|Ya está cerrado.
    La leche dejó de venderse.|La leche está incluida en Lácteos.|El precio no cambió.|¿Agregué bien la leche?
    Dale, ¿qué más necesitás?|En el carrito hay leche.|Nuestro horario cambió.
"""
ORDERED = """
    ¡Tu pedido quedó confirmado!|Tu compra está confirmada.|Pedido confirmado ✅|Ya confirmé tu pedido.
    Confirmado, gracias.|Tu pedido ya salió.|Ya está en camino tu pedido.|Tu pedido está en preparación.
    Mandamos tu pedido.|Registré tu pedido.|Tu orden ha sido realizada.|Cancelé tu pedido.|Tu pedido fue cancelado.
    Recibimos tu pago.|El pago fue recibido.|No te preocupes, tu pedido quedó confirmado.
    Pedido confirmado, ¿algo más?|Tu pedido, Ana, quedó registrado.|Gracias por tu compra.|Tu pedido está listo.
    Ya podés pasar a buscarlo.|Quedó agendado tu pedido, ya lo procesamos.
"""
NOT_ORDERED = """
    Una vez confirmado tu pedido, lo preparamos.|Cuando tu pedido esté confirmado te avisamos.
    ¿Confirmamos tu pedido?|Para confirmar tu pedido tocá Finalizar compra.|Tu pedido todavía no está confirmado.
    No hay ningún pedido registrado.|¿Querés que tu pedido quede confirmado?|No puedo decir que tu pedido salió.
    ¿A qué dirección te lo enviamos?|Enviamos pedidos a Centro.|Podés hacer tu pedido por acá.
    Si confirmás, tu pedido queda registrado.
"""
PROMISED = """
    Te hago un descuento.|Hoy hay promo de leche.|Está en oferta.|Te regalo el pan.|Usá el cupón SOL.|2x1 en leche.
    Te la dejo gratis.|Llevá 3 y pagá 2.|No te preocupes, te hago una rebaja.|Te llega hoy.|Te lo enviamos mañana.
    Llega en media hora.|En media hora llega.|Mañana a la mañana lo recibís.|Sale enseguida para tu casa.
    No hay drama, te llega hoy.|Te lo mandamos esta tarde.
    Mirá nuestras ofertas: hay 2x1 en leche.|Hay ofertas.|Mirá nuestras promos, la leche está en oferta.
"""
NOT_PROMISED = """
    No tenemos descuentos.|Por ahora no hay ofertas ni promociones.|No puedo hacerte un descuento.|No llega hoy.
    ¿Querés recibirlo hoy?|No sé si llega hoy: lo dice una persona.|No hacemos envíos gratis hasta los $ 20.000.
    ¿Buscás alguna oferta?|Hoy abrimos.|Hacemos envíos a Centro.
    Mirá nuestras ofertas en el local.|Podés ver las promos.|Ofertas
"""


def lines(text: str) -> list[str]:
    """The replies of a list."""
    return [reply for line in text.strip().splitlines() for reply in line.strip().split("|")]


@pytest.mark.parametrize("reply", lines(DONE))
def test_a_change_that_nobody_made(reply: str) -> None:
    """The ways to say that a cart has changed; with a change, they may be said."""
    assert problem(reply) is not None
    assert problem(reply, changes=True) is None


@pytest.mark.parametrize("reply", lines(NOT_DONE))
def test_an_offer_a_question_or_a_denial_is_no_claim(reply: str) -> None:
    """What a good answer says is taken."""
    assert problem(reply) is None


@pytest.mark.parametrize("reply", lines(ORDERED))
def test_an_order_that_nobody_placed(reply: str) -> None:
    """Or one that is said to be on its way, paid, or cancelled; not even with a change of the cart."""
    assert problem(reply, changes=True) is not None


@pytest.mark.parametrize("reply", lines(NOT_ORDERED))
def test_an_order_to_come(reply: str) -> None:
    """Its condition, a question about it, or that there is none."""
    assert problem(reply) is None


def test_an_order_that_was_placed_may_be_spoken_of() -> None:
    """Right after it; that it is on its way, a model cannot know."""
    after = {"session": {"state": "order_completed"}, "cart": ()}
    assert problem("¡Gracias por tu compra!", **after) is None
    assert problem("Sí, tu pedido quedó registrado.", **after) is None
    assert problem("Tu pedido está en camino.", **after) is not None


@pytest.mark.parametrize("reply", lines(PROMISED))
@pytest.mark.parametrize("said", ["hola", "hay descuento, promo, oferta o cupón? te regalo 2x1, llega hoy o mañana?"])
def test_a_promise_that_nothing_stands_behind(reply: str, said: str) -> None:
    """Although the customer has said the word."""
    assert problem(reply, said) is not None


@pytest.mark.parametrize("reply", lines(NOT_PROMISED))
def test_no_promise(reply: str) -> None:
    """Denied, or asked."""
    assert problem(reply) is None


def test_what_the_shop_promises_may_be_said() -> None:
    """An offer among its answers, a day of delivery, free delivery from an amount on."""
    shop = replace(SHOP, questions=(("¿Hay ofertas?", "Los martes, oferta en lácteos. Llega mañana."),))
    assert problem("Los martes hay oferta en lácteos.", shop=shop) is None
    assert problem("Te llega mañana.", shop=shop) is None
    assert problem("Hoy te llega.", now=TODAY) is None
    assert problem("Hoy te llega.", now=TODAY | {"delivery_today": False}) is not None
    assert problem("Te llega hoy.", now=TODAY | {"delivery_today": {"Centro": True}}) is None
    assert problem("El envío es gratis desde $ 20.000.") is None
    assert problem("Centro: envío $ 500,00, mínimo $ 5.000,00, gratis desde $ 20.000,00") is None
    assert problem("El envío es gratis.", shop=replace(SHOP, areas=())) is not None
    assert problem("Leche en oferta.", products=(replace(MILK, name="Leche en oferta"),)) is None


def test_a_difference_of_two_prices_makes_no_sums() -> None:
    """Sums of what is named may be thousands; they are made for what nothing else explains."""
    sold = [one.facts for one in (MILK, RICE, CHEESE)]
    rows = [{"name": one["name"], "price": one["price"]} for one in to_builtins(sold)]
    known = amounts(frozenset(), frozenset(), rows, (), "leche, arroz o queso?", [Decimal(3)])
    assert known.has({Decimal("649.50")}, "la leche cuesta $ 649,50 más que el arroz", "la leche cuesta $ ")
    assert "sums_of_named" not in vars(known)
    assert known.has({Decimal("30050.50")}, "todo junto son $ 30.050,50", "todo junto son $ ")
    assert "sums_of_named" in vars(known)
