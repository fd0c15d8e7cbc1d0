"""What a message asks the catalogue for."""

from __future__ import annotations

import pytest

from worker.language.search_terms import MAX_TERM_WORDS, MAX_TERMS, search_terms


@pytest.mark.parametrize(
    ("message", "terms"),
    [
        ("tenés leche descremada?", ["leche descremada"]),
        ("TENES LECHE DESCREMADA", ["leche descremada"]),
        ("hola! cuanto sale la yerba??", ["yerba"]),
        ("q tienen de limpieza", ["limpieza"]),
        ("che, que productos de limpieza tienen", ["limpieza"]),
        ("agregame 2 leches descremadas porfa", ["leches descremadas"]),
        ("leche x2\ngalletitas x 3", ["leche", "galletitas"]),
        ("2x leche entera", ["leche entera"]),
        ("quiero una coca 2lts", ["coca 2 l"]),
        ("2 cocas de 1.5", ["cocas 1.5"]),
        ("quiero dos litros de leche", ["2 litros leche"]),
        ("pañales talla 4 dodot", ["pañales talla 4 dodot"]),
        ("aceite de girasol de 1,5 l, sal", ["aceite girasol 1,5 l", "sal"]),
        ("2 leches 1 pan 3 cocas de 2 lts", ["leches", "pan", "cocas 2 l"]),
        ("un kilo de papas dos de cebolla una lechuga", ["1 kilo papas", "cebolla", "lechuga"]),
        ("1/2 kg de queso y un kilo y medio de pan", ["medio kg queso", "1.5 kg pan"]),
        ("media docena de facturas + pan", ["media docena facturas", "pan"]),
        ("frutas y verduras", ["frutas", "verduras"]),
        ("cafe con leche o te verde", ["cafe con leche", "te verde"]),
        ("agua sin gas", ["agua sin gas"]),
        ("comparame el queso con la leche entera", ["queso", "leche entera"]),
        ("compara café con leche y café molido", ["cafe con leche", "cafe molido"]),
        ("comparar leche con chocolate, leche con vainilla", ["leche con chocolate", "leche con vainilla"]),
        ("compara\nquiero arroz con leche", ["arroz con leche"]),
        ("compra con tarjeta 2 leches", ["leches"]),
        ("comparación de coca contra pepsi", ["coca", "pepsi"]),
        ("coca vs pepsi, cuál conviene?", ["coca", "pepsi"]),
        ("quiero una receta con pollo", ["pollo"]),
        ("qué puedo cocinar con pollo y papas?", ["pollo", "papas"]),
        ("ayer llevé 3 y hoy llevo 2 leches", ["leches"]),
        ("llevo pan con chicharrones", ["pan con chicharrones"]),
        ("tienen te?", ["te"]),
        ("te pido 2 leches", ["leches"]),
        ("una 7up", ["7up"]),
        ("leche, leche, LECHE", ["leche"]),
    ],
)
def test_a_message_names_products(message: str, terms: list[str]) -> None:
    """How many is left out, how big stays; commas, lines, "y" and counts begin the next product."""
    assert list(search_terms(message)) == terms


@pytest.mark.parametrize(
    "message",
    [
        "",
        "hola buen dia como estas?",
        "gracias!",
        "si",
        "2",
        "el segundo",
        "a que hora cierran",
        "2 l",
        "👍",
        "x 3",
    ],
)
def test_small_talk_names_none(message: str) -> None:
    """A message that names nothing costs no search."""
    assert search_terms(message) == ()


def test_a_long_message_is_cut() -> None:
    """To so many terms and words that a search stays small."""
    shopping = "\n".join(f"cosa{number} " + "rara " * 20 for number in range(20))
    terms = search_terms(shopping)
    assert len(terms) == MAX_TERMS
    assert all(len(term.split()) == 8 for term in terms)


def test_words_that_are_longer_than_any_name_nothing() -> None:
    """They stand in no catalogue, and would stand in a key of the cache and in the session."""
    assert search_terms("a" * 4_096) == ()
    assert search_terms("bcdfg" * 800) == ()
    assert search_terms("leche " + "bcdfg" * 7 + " entera") == ("leche entera",)


def test_a_term_with_many_sizes_is_cut() -> None:
    """To as many words as a search looks at; the first sizes stay."""
    (term,) = search_terms("2 leches 1 l " + "2 l " * 500)
    assert term.startswith("leches 1 l 2 l")
    assert len(term.split()) == MAX_TERM_WORDS
