"""What a shop's own product names teach: what things are called, and which words are slips of others."""

from __future__ import annotations

import pytest
from helpers.language import common_form

from worker.language.product_words import USUAL_PRODUCT_WORDS, ProductWords, product_words_of

NAMES = (
    "Zarajos de cordero",
    "Zarajos envasados",
    "Mini kibbeh",
    "Kibbeh mini de espinaca",
    "Pack mini zarajos",
    "Recambio para mopa",
    "Recambio mopa doble",
    "Humus de garbanzo",
    "Tofu ahumado",
    "Lácteo fermentado de skyr",
)


@pytest.fixture(scope="module")
def product_words() -> ProductWords:
    """The names of a shop that sells what no list knows."""
    return product_words_of(NAMES, ("Platos del mundo", "Limpieza"))


@pytest.mark.parametrize(
    ("word", "named"),
    [("zarajos", True), ("humus", True), ("mini", False), ("pack", False), ("recambio", False), ("skyr", False)],
)
def test_names_are_what_the_shops_own_names_begin_with(product_words: ProductWords, word: str, named: bool) -> None:
    """A word that mostly stands later, a packing or a part is no name by itself."""
    assert (word in product_words.names) is named
    assert (common_form(f"tenes {word}?", product_words) is not None) is named


def test_a_word_no_list_knows_is_shared_only_where_the_shop_sells_it(product_words: ProductWords) -> None:
    """In another shop "zarajos" may be anything."""
    assert common_form("hola, cuánto salen los zarajos?", product_words) == "tenes zarajos y a que precio"
    assert common_form("hola, cuánto salen los zarajos?", USUAL_PRODUCT_WORDS) is None


def test_the_beginning_of_a_name_is_a_name_whatever_its_words(product_words: ProductWords) -> None:
    """ "Recambio" may be anything's, "recambio para mopa" is on the shelf; "recambio para eso" is not."""
    assert common_form("tenes recambio para mopa", product_words) == "tenes recambio para mopa y a que precio"
    assert common_form("tenes recambio para eso", product_words) is None
    assert common_form("tenes recambio", product_words) is None


def test_a_section_is_named_whole(product_words: ProductWords) -> None:
    """As the shop calls it."""
    assert (
        common_form("qué me recomendás de platos del mundo?", product_words) == "que me recomendas de platos del mundo"
    )
    assert common_form("qué me recomendás de cosas del mundo?", product_words) is None


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("tenes zaarjos", "tenes zarajos"),
        ("tenes zarjos", "tenes zarajos"),
        ("tenes zaraajos", "tenes zarajos"),
        ("cuatno sale la lcehe", "cuanto sale la leche"),
        ("preico de gabranzo", "precio de garbanzo"),
        ("tenes caef", "tenes cafe"),
        ("tenes caafe", "tenes cafe"),
        ("que vael la leche", "que vale la leche"),
        ("hola coom va", "hola como va"),
    ],
)
def test_a_slip_is_put_right(product_words: ProductWords, typed: str, meant: str) -> None:
    """A letter left out, swapped or typed twice, in a word of the shop or of the question."""
    assert product_words.mended(typed) == meant


@pytest.mark.parametrize("text", ["perra", "polos", "sn sal", "1,5 l", "leche", "xyzxyz", "sin", "copa", "gato"])
def test_what_may_be_another_word_stays(product_words: ProductWords, text: str) -> None:
    """Short words, figures, words of other sounds ("perra" is not "pera") and words that nothing resembles."""
    assert product_words.mended(text) == text


def test_a_slip_that_could_be_two_words_stays() -> None:
    """Whoever types "tomte" may mean either."""
    product_words = product_words_of(("Tomate perita", "Tomote azul"))
    assert product_words.mended("tomte") == "tomte"


def test_plurals_are_one_where_the_shop_has_the_singular() -> None:
    """ "Leches" is "leche"; "gafas" has no singular here."""
    product_words = product_words_of(("Leche entera", "Gafas de sol"))
    assert common_form("tenes leches?", product_words) == common_form("tenes leche?", product_words)
    assert common_form("tenes gafas de sol?", product_words) == "tenes gafas de sol y a que precio"


def test_no_names_at_all() -> None:
    """An empty catalogue still knows what any shop sells."""
    assert product_words_of(()).names == USUAL_PRODUCT_WORDS.names
    assert product_words_of(("", "7 8")).names == USUAL_PRODUCT_WORDS.names


@pytest.mark.parametrize(
    "text", ["crema de manos", "crema para pies", "cebolla de verdeo", "cuanto sale la plata", "tenes cochina"]
)
def test_words_of_every_day_are_no_slips(text: str) -> None:
    """Although a shop may sell what is one letter away."""
    sold = product_words_of({"Manaos cola", "Té verde en saquitos", "Palta Hass", "Pasta piés", "Rollo de cocina"})
    assert sold.mended(text) == text


def test_a_slip_of_two_things_is_none_of_them() -> None:
    """Nearer to one of them or not: "crea" may be either."""
    both = product_words_of(["Cera para pisos", "Crema de leche"])
    assert both.mended("crea") == "crea"
    assert product_words_of(["Cera para pisos", "Arroz"]).mended("crea") == "crea"
    assert both.mended("azucra") == "azucar"
    assert both.mended("lehce") == "leche"
