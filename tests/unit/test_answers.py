"""Plain answers: a message is a yes, a no, a number or a button's name only if it is that and nothing else."""

from __future__ import annotations

import pytest

from worker.language.answers import denies, named_button, row_number, telling_words, way_of_delivery, yes_or_no

YES = """
    sí|si|SI|siii|siiiiii|sip|dale|dale!|daleee|ok|okey|listo|claro|por supuesto|de una|perfecto gracias
    sí por favor|confirmo|confirmo el pedido|sí, lo confirmo|confirmalo|está bien|de acuerdo|sí señora|ok dale
    jaja sí|👍|👍👍|✅ gracias|va|si 👍|sale|simón|correcto|todo bien|así es|hágale|dale porfa
    sí 😊|dale 🙏🏽|ok 👍🏻|sí ✔️|claro ❤️|listo 🎉|jaja ok dale|sí 🙌|sí, ya|ya, dale|👍 gracias|esta bien
    confirmá|confirma porfa|confirmo la compra|sí veci|listo, jefe|sí po|sale y vale|venga, vale|dale nomás
    sí, confírmelo nomás|perfecto así|mándelo, seño|sí, es correcto|yes|dale genio|listo mi vida, mandalo
"""
NO = """
    no|No!|no gracias|todavía no|aún no|mejor no|no, pará|no quiero|esperá|espera|ya no|👎|no ❌|no lo confirmes
    cancelar|cancelá el pedido|para nada|un momento|no por favor|nop|no 🙅|no 😡|🙅‍♀️
"""
NEITHER = """
    no sé|le pregunto a mi mujer|sí, pero sin sal|si hay leche|sí?|?|¿sí|no?|dale, y sumá pan|ok pero mañana|si no
    no, dale|👍👎|sí 👎|no 👍|hola|gracias|ya|y|sí y también|sí, y|quizás|después|mañana|2|la 2|jajaja|!|...
    no tengo|bueno pero|sí la leche no|espera, sí|si si pero no|claro que no sé|seguro que sí mañana|para mañana
    dale para las 5|va bien?|confirmo que no|te confirmo después|a ver|mmm|ok?|quiero confirmar el precio
    listo el pollo|por favor|sí 🙅|ok 🙅‍♀️|sí ✋|dale ⏳|😡👍|🤔👍|claro 🙄|sí 🤷|bueno 😒|sí :(|ok ¬¬|👍👎🏽|si 🥺
    sí...|dale..|ok…|bueno... 😊|👍...|obvio jaja|jajaja sí, claro|jaja perfecto|🙌|gracias 🙌|gracias 🤝
    ya confirmo|ya te confirmo|ya lo confirmo|bueno ya|vale ya|ya está bien|ok ya|ya voy|ya listo|ya pues
"""


def lines(text: str) -> list[str]:
    """The phrases of a list."""
    return [phrase for line in text.strip().splitlines() for phrase in line.strip().split("|")]


@pytest.mark.parametrize("said", lines(YES))
def test_a_yes(said: str) -> None:
    """With courtesies, laughter, emoji and stretched letters."""
    assert yes_or_no(said) == "yes"


@pytest.mark.parametrize("said", lines(NO))
def test_a_no(said: str) -> None:
    """Also one that only wants to wait."""
    assert yes_or_no(said) == "no"


@pytest.mark.parametrize("said", lines(NEITHER))
def test_neither(said: str) -> None:
    """With a condition, a question, anything more, or both at once."""
    assert yes_or_no(said) is None


def test_a_long_text_is_no_answer() -> None:
    """However often it says yes."""
    assert yes_or_no("si " * 40) is None


@pytest.mark.parametrize(
    ("said", "number"),
    [
        ("2", 2),
        ("la 2", 2),
        ("El 10", 10),
        ("opción 3", 3),
        ("2)", 2),
        ("2 por favor", 2),
        ("el número 4", 4),
        ("0", 0),
        ("2 leches", None),
        ("2 kg", None),
        ("2 y 3", None),
        ("100", None),
        ("1,5", None),
        ("-2", 2),
        ("", None),
        ("dos", None),
        ("la 2?", None),
        ("¿2", None),
        ("2 👎", None),
        ("la 2 😡", None),
        ("la 2 🙏", 2),
        ("2️⃣", 2),
    ],
)
def test_the_number_of_a_row(said: str, number: int | None) -> None:
    """And nothing beside it."""
    assert row_number(said) == number


@pytest.mark.parametrize(
    ("said", "name"),
    [
        ("Ver carrito", "view_cart"),
        ("mi carrito por favor", "view_cart"),
        ("cuánto llevo?", "view_cart"),
        ("Finalizar compra", "checkout"),
        ("listo, eso es todo", "checkout"),
        ("ver carrito y pagar", None),
        ("no quiero pagar", None),
        ("vaciá el carrito", None),
        ("total de leche", None),
    ],
)
def test_the_name_of_a_button(said: str, name: str | None) -> None:
    """As the whole message."""
    assert named_button(said) == name


@pytest.mark.parametrize(
    ("said", "way"),
    [
        ("envío", "delivery"),
        ("a domicilio por favor", "delivery"),
        ("lo paso a buscar", "pickup"),
        ("retiro yo", "pickup"),
        ("despacho a domicilio", "delivery"),
        ("traémelo a casa porfa", "delivery"),
        ("para llevar", None),
        ("envío o retiro", None),
        ("envío?", None),
        ("sin envío", None),
        ("no, retiro", None),
        ("mandame 2 leches", None),
        ("busco arroz", None),
        ("", None),
    ],
)
def test_a_way_of_delivery(said: str, way: str | None) -> None:
    """One of them, not denied, and nothing else."""
    assert way_of_delivery(said) == way


def test_the_words_that_tell_a_name() -> None:
    """Not those that stand in every name, nor those that say no."""
    assert telling_words("Tarjeta de crédito o débito") == {"tarjeta", "credito", "debito"}
    assert denies("con tarjeta no")
    assert denies("Sin envío")
    assert not denies("notable")
