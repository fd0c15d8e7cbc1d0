"""Which messages mean the same in every session, and how hard they are, on what customers type."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from helpers.language import complexity, means_the_same_everywhere
from hypothesis import given, settings
from hypothesis import strategies as st

from worker.language.classifier import COMPLEX, MEDIUM, SIMPLE

#: An answer made for one customer fits every other.
SHARED = """\
hola
Holaaa!!
buenas
buenas tardes
Hola, buen día 😊
hola que tal
hola como estas?
gracias
muchas gracias!!
mil gracias
chau
hasta luego!
gracias, nos vemos
menú
ayuda
hola qué podés hacer?
horario de atención
a que hora abren?
¿A qué hora cierran?
qué categorías hay
que venden?
catálogo
tenés leche?
Hola! tenés leche descremada?
TENES LECHE DESCREMADA
hay yerba suave
busco arroz integral
ando buscando aceite de oliva
venden carbón?
cuánto sale la coca 1,5?
a cuanto está el kilo de asado?
precio del aceite de girasol
precio de 2 leches
qué precio tiene la lavandina
tenes cerveza sin alcohol
cuanto cuestan los fideos tirabuzón?
tenes leche y pan?
cuanto sale el envío
""".splitlines()

#: What these mean depends on what was said before, or on the customer.
NEVER = """\
2
el 2
2 por favor
si
sí!
no
ese
esa misma
dale
dale gracias
ok
ok gracias
listo
perfecto gracias
bueno
claro
el segundo
la primera
el último
y arroz?
y el arroz cuanto sale
otro más
otra igual
lo quiero
los quiero
quiero leche
agregame 2 leches
sacá la leche
sumale una coca
precio
precio?
precio del 2
precio del segundo
precio del cuarto
precio del 2do
precio de la opcion 3
precio de dos
precio de los dos
precio total
precio por favor
precio y stock
cuanto sale
cuanto es
cuanto salen dos
cuanto sale uno
cuanto sale cada uno
cuanto salen ambas
cuanto sale ese
cuanto sale todo
cuanto sale la grande
cuanto sale la de limón
cuanto sale el que me mandaste
cuanto sale si llevo 3
cuanto sale llevando tres
están abiertos?
cuánto cuesta mandarlo?
tenés otro?
tenés más barato?
tenes dos?
tenes alguno
tenes de frutilla?
tenes sin azúcar?
tenes en lata
tenés descremada?
tenes mi pedido?
hay stock?
hay alguna alternativa?
hay que pagar ahora?
hay novedades?
tiene gluten?
tienen la factura?
mi pedido
ver carrito
vaciar carrito
quiero pagar
Av. Corrientes 1234
cambialo por el otro
y?
?
👍
...
""".splitlines()

LEVELS = [
    ("hola!!", SIMPLE),
    ("2", SIMPLE),
    ("sí", SIMPLE),
    ("el segundo", SIMPLE),
    ("muchas gracias", SIMPLE),
    ("a qué hora abren?", MEDIUM),
    ("👍", SIMPLE),
    ("", SIMPLE),
    ("tenés leche?", MEDIUM),
    ("agregame 2 leches", MEDIUM),
    ("y arroz?", MEDIUM),
    ("Av. Corrientes 1234, 3ro B", MEDIUM),
    ("q conviene más, girasol u oliva?", COMPLEX),
    ("qué me recomendás para una torta", COMPLEX),
    ("tengo un reclamo, no me llegó el pedido", MEDIUM),
    ("la leche estaba vencida", MEDIUM),
    (
        "la leche que me mandaron ayer estaba vencida, llamé, me dijeron que venían a cambiarla y no vino nadie, es la"
        " segunda vez que me pasa y no pienso comprar más",
        COMPLEX,
    ),
    ("necesito " + "unas cosas para la fiesta " * 10, COMPLEX),
]


def test_the_table_is_large_enough() -> None:
    """Both halves of the table are there, and nothing stands in both."""
    assert (len(SHARED) >= 30, len(NEVER) >= 60) == (True, True)
    assert not set(SHARED) & set(NEVER)


@pytest.mark.parametrize("text", SHARED)
def test_means_the_same_in_every_session(text: str) -> None:
    """Small talk that confirms nothing, fixed questions, and products called by their names."""
    assert means_the_same_everywhere(text)


@pytest.mark.parametrize("text", NEVER)
def test_needs_the_session(text: str) -> None:
    """A wrong yes would give one customer the answer to another's conversation."""
    assert not means_the_same_everywhere(text)


@pytest.mark.parametrize("text", [*SHARED[:3], "tenés leche?"])
def test_a_burst_is_a_conversation(text: str) -> None:
    """Several lines are never shared, whatever stands in them."""
    assert not means_the_same_everywhere(f"{text}\n{text}")
    assert means_the_same_everywhere(f"\n{text}\n")


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.sampled_from(NEVER), st.sampled_from(["hola ", "buenas, ", "Hola!! ", "hola, buen día "]))
def test_a_greeting_before_it_changes_nothing(text: str, greeting: str) -> None:
    """A message that needs the session needs it behind a greeting too, where anything is left of it."""
    if any(map(str.isalnum, text)):
        assert not means_the_same_everywhere(greeting + text)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.sampled_from(SHARED + NEVER), st.sampled_from([str.upper, str.title, "¡¡{}!!".format, " {}  ".format]))
def test_spelling_does_not_change_the_verdict(text: str, spelled: Callable[[str], str]) -> None:
    """Capitals, signs and spaces are not what decides."""
    assert means_the_same_everywhere(spelled(text)) == means_the_same_everywhere(text)
    assert complexity(spelled(text)) == complexity(text)


@pytest.mark.parametrize(("text", "level"), LEVELS)
def test_how_hard_a_message_is(text: str, level: str) -> None:
    """Short answers and small talk are simple, advice and long stories complex, the rest between."""
    assert complexity(text) == level
