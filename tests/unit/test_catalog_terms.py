"""What customers call a thing, in the words of this shop's catalogue."""

from __future__ import annotations

import pytest

from worker.language.catalog_terms import catalog_terms, named_in, names_product, terms_before
from worker.language.normalise import normalised
from worker.language.product_words import USUAL_PRODUCT_WORDS, ProductWords, product_words_of
from worker.language.search_terms import MAX_TERMS, search_terms
from worker.language.spelling import stem
from worker.language.vocabulary import GROUPS, KINDS

NAMES = (
    "Leche entera Vacaluna 1 L",
    "Leche chocolatada Vacaluna 1 L",
    "Pan de campo",
    "Pan lactal",
    "Dulce de leche 400 g",
    "Queso fresco",
    "Arroz doble",
    "Arroz con leche",
    "Aguacate",
    "Cerveza negra 1 L",
    "Cerveza negra lata 473 ml",
    "Té en saquitos",
    "Jugo de uva",
    "Toalla de papel",
    "Piedra pómez",
    "Facturas surtidas",
    "Manteca",
    "Margarina",
)


@pytest.fixture(scope="module")
def words() -> ProductWords:
    """The words of a shop."""
    return product_words_of(NAMES, ("Lácteos",))


@pytest.mark.parametrize(
    ("message", "terms"),
    [
        ("mandame leche pan lactal queso y arroz", ["leche", "pan lactal", "queso", "arroz"]),
        ("cambiame la manteca por margarina", ["manteca", "margarina"]),
        ("necesito dulce de leche", ["dulce leche"]),
        ("arroz con leche", ["arroz con leche"]),
        ("pan de campo sin sal", ["pan campo sin sal"]),
        ("un queso fresco de medio kilo", ["queso fresco medio kilo"]),
        ("una lechita y 2 quesitos", ["leche", "queso"]),
        ("un arrocito, un juguito", ["arroz", "jugo"]),
        ("cervecitas heladas", ["cerveza heladas"]),
        ("piedritas", ["piedra"]),
        ("4 birras", ["birras", "cerveza"]),
        ("una palta", ["palta", "aguacate"]),
        ("servitoallas", ["servitoallas", "toalla de papel"]),
        ("sacale una leche", ["leche"]),
        ("media docena de facturas", ["media docena facturas"]),
        ("agregando llevarlo mandamelo", []),
        ("chocolatada", ["chocolatada"]),
        ("trabajan arroz porque estuve buscando por todos lados", ["arroz"]),
        ("un jugo que vienen los de la esquina", ["jugo"]),
        ("amiga buenas, el precio del arroz", ["arroz"]),
        ("vecinita, hola coom va, tenes arroz", ["arroz"]),
        ("el precio del arroz, que esta por las nubes", ["arroz"]),
        ("cuanto me cobras por las nubes", ["nubes"]),
        ("unas nubes de azucar", ["nubes azucar"]),
        ("zarajos", ["zarajos"]),
    ],
)
def test_a_message_in_the_words_of_the_catalogue(words: ProductWords, message: str, terms: list[str]) -> None:
    """Side by side, small, under another name; what nobody here knows stays as it was said."""
    assert list(catalog_terms(search_terms(message, words.mended), words)) == terms


def test_another_name_is_tried_only_where_it_is_sold(words: ProductWords) -> None:
    """And none for what the shop calls so itself."""
    assert catalog_terms(("aguacate", "camote"), words) == ("aguacate", "camote")
    assert catalog_terms(("palta",), USUAL_PRODUCT_WORDS) == ("palta",)


def test_terms_are_not_more_than_are_searched(words: ProductWords) -> None:
    """However many products stand side by side; what was said comes before other names for it."""
    side_by_side = "palta leche pan queso arroz cerveza jugo manteca margarina toalla gambas pepino fideos"
    terms = catalog_terms((side_by_side,), words)
    assert terms == tuple(side_by_side.split()[:MAX_TERMS])


@pytest.mark.parametrize(
    ("term", "terms"),
    [
        ("manteca", ["manteca"]),
        ("queso fresco", ["queso fresco"]),
        ("pancho", ["pancho", "salchicha"]),
        ("pan pancho", ["pan pancho"]),
        ("lata birra", ["lata birra", "lata cerveza"]),
        ("toalla cocina", ["toalla cocina", "toalla de papel"]),
        ("quesadilla", ["quesadilla"]),
        ("cervezota", ["cervezota", "cervezo"]),
        ("papel", ["papel"]),
        ("medio kilo pan", ["medio kilo pan", "medio kilo marraqueta"]),
        ("pan lactal queso", ["pan lactal", "queso"]),
    ],
)
def test_a_word_that_only_stands_in_names_is_none(term: str, terms: list[str]) -> None:
    """ "Pan de pancho" is for what is called so; an unknown word may be one that begins like it; what belongs
    to a kind need not be called by it.
    """
    sold = product_words_of((*NAMES, "Pan de pancho", "Salchichas de Viena", "Marraqueta"))
    assert list(catalog_terms((term,), sold)) == terms


@pytest.mark.parametrize(
    ("term", "named"),
    [
        ("leche", True),
        ("gambas", True),
        ("entera", False),
        ("1 l", False),
        ("sin leche", False),
        ("2 obvio", False),
        ("negra fria", False),
        ("cerveza negra", True),
    ],
)
def test_a_name_and_what_is_said_of_one(words: ProductWords, term: str, named: bool) -> None:
    """A size, a quality, "without milk" name nothing; what any shop sells does, here or not."""
    assert names_product(term, words) is named


@pytest.mark.parametrize(
    ("message", "terms"),
    [
        ("dale", ["cerveza"]),
        ("la de litro", ["cerveza", "cerveza litro"]),
        ("la de 473", ["cerveza", "cerveza 473"]),
        ("la de 2 litros", ["cerveza", "cerveza 2 l"]),
        ("2 de cada una", ["cerveza"]),
        ("sin alcohol, 3", ["sin alcohol", "cerveza", "cerveza sin alcohol"]),
        ("la negra por favor", ["negra", "cerveza", "cerveza negra"]),
        ("y leche", ["leche"]),
        ("las de queso", ["queso", "cerveza", "cerveza queso"]),
        ("leche, la de litro", ["leche"]),
    ],
)
def test_a_message_without_a_name_is_about_what_was_searched(
    words: ProductWords, message: str, terms: list[str]
) -> None:
    """With the size, the quality or the lack that it adds; one that names a product is about that alone."""
    own = catalog_terms(search_terms(message, words.mended), words)
    found = terms_before(own, normalised(message), ("cerveza",), "¿Cuál?", words)
    assert list(dict.fromkeys((*own, *found))) == terms


def test_what_a_person_of_the_shop_has_named_is_searched_too(words: ProductWords) -> None:
    """Nobody has searched for it; what was searched for is not searched by its whole name once more."""
    reply = "Cerveza negra 1 L a $1.450. ¿Le sumo también Queso fresco a S/ 12.50 el kilo?"
    assert terms_before((), "obvio", ("cerveza",), reply, words) == ("cerveza", "queso fresco")
    assert terms_before((), "obvio", (), reply, words) == ("cerveza negra 1 l", "queso fresco")


def test_the_names_in_a_list_of_the_shop(words: ProductWords) -> None:
    """Without numbers, signs and prices."""
    listed = "Tengo:\n1) Leche entera Vacaluna 1 L $1.450\n2) Pan lactal 1,05 €\n- 3 x Té en saquitos\n¿Te agrego algo?"
    assert named_in(listed, words) == ["leche entera vacaluna 1 l", "pan lactal", "te saquitos"]


def test_other_names_are_normalised_and_stand_once() -> None:
    """As the terms are that they are compared with."""
    names = [name for group in (*GROUPS, *KINDS.values()) for name in group]
    assert [name for name in names if normalised(name) != name] == []
    assert [group for group in GROUPS if len(set(group)) != len(group) or len(group) < 2] == []


@pytest.mark.parametrize(
    "alike", ["luz luces", "dulce dulces", "pan panes", "rallado ralladas", "kiwi kiwis", "uva uvas"]
)
def test_a_stem_is_one_for_number_and_gender(alike: str) -> None:
    """As in the database."""
    assert len(set(map(stem, alike.split()))) == 1


@pytest.mark.parametrize(
    ("message", "sold", "term"),
    [
        ("tenés pierna de pollo?", "Muslo", "muslo"),
        ("hay pasas?", "Uva pasa", "uva pasa"),
        ("trapo de piso", "Trapeador", "trapeador"),
    ],
)
def test_a_frequent_word_of_another_name_is_searched_for(message: str, sold: str, term: str) -> None:
    """Or the shop would not be found to have the thing."""
    here = product_words_of([sold, "Arroz"])
    assert term in catalog_terms(search_terms(message, here.mended), here)
