"""Bringing a text to its form raises hits and never changes what is meant."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable

import pytest
from helpers.language import common_form
from hypothesis import assume, given
from hypothesis import strategies as st

from worker.language.normalise import normalised
from worker.language.search_terms import search_terms

#: Each line: texts that mean one thing, and have one form.
SAME = [
    ["tenes leche", "¿Tenés leche?", "TENES  LECHE!!", "tenés leche 🥛", "tenes leche porfa", "che, tenés leche?"],
    ["tenes leche", "disculpa, tenes leche?", "una consulta: tenes leche", "tenes por casualidad leche? jaja"],
    ["hola", "Hola!!", "holaaaa", "hla", "holis", "ola", "hola :)", "hola 👋", "holaa", "HOLA xd", "ho\u200bla"],
    ["que precio tiene el pan", "q precio tiene el pan?", "k precio tiene el pan", "¿qué precio tiene el pan?"],
    ["cuanto cuesta el pan", "kuanto kuesta el pan", "cto cuesta el pan", "cuánto cuesta el pan x favor"],
    ["quiero pan", "kiero pan xfa", "quiero pan plis", "porfa quiero pan", "quiero pan por favorrr"],
    ["gracias", "graciasss", "grax", "gracias <3", "grcs"],
    ["coca 2 l", "coca 2 litros", "coca 2lts", "Coca 2 L.", "coca 2 lt"],
    ["papa 1/2 kg", "papa ½ kilo", "papa 1/2kg", "papa 1/2 kilos"],
    ["500 g de jamon", "500 gr de jamón", "500grs de jamon", "500 gramos de jamon"],
    ["leche 1,5 l", "leche 1,5 litros", "leche 1'5 l"],
    ["queso sin sal", "queso s/sal", "queso s/ sal", "QUESO SIN SAL"],
    ["te con limon", "té c/limón", "te c/ limon"],
    ["precio por kg", "precio x kg"],
    ["arroz", "arrroz", "ARROZ."],
    ["leche 0%", "leche 0 %"],
    ["talle numero 3", "talle n° 3", "talle Nº 3"],
    ["tambien pan", "tmb pan", "tb pan"],
]

#: Pairs that are nearly alike, and mean different things.
DIFFERENT = [
    ("con sal", "sin sal"),
    ("queso c/sal", "queso s/sal"),
    ("tenes leche", "no tenes leche"),
    ("quiero pan", "ya no quiero pan"),
    ("pilas AA", "pilas AAA"),
    ("pañales XXL", "pañales XXXL"),
    ("pañales XL", "pañales XXXL"),
    ("harina 000", "harina 0000"),
    ("1½ kg", "11/2 kg"),
    ("1/2 kg", "12 kg"),
    ("1,5 l", "15 l"),
    ("1'5 l", "15 l"),
    ("1.000 g", "1000,0 g"),
    ("2 l", "2 ml"),
    ("2 kg", "2 g"),
    ("2 k", "2 kg"),
    ("2 k", "2 g"),
    ("el 1", "el 1°"),
    ("talle n° 3", "talle no 3"),
    ("$500", "500"),
    ("500 $", "500 €"),
    ("50%", "50"),
    ("pan + barato", "pan barato"),
    ("pan 🚫 sal", "pan sal"),
    ("vitamina k", "vitamina que"),
    ("vitamina d 3", "vitamina de 3"),
    ("año", "ano"),
    ("pero", "perro"),
    ("caro", "carro"),
    ("ola marina", "hola marinada"),
    ("m² 2", "m22"),
]

#: Many ways to ask one thing have one form for all customers.
COMMON = [
    (
        "tenes leche y a que precio",
        ["Hola! hay leche?", "me decís si tienen leche", "leche tenes?", "Buenas, venden leche? gracias"],
    ),
    (
        "tenes leche entera y a que precio",
        ["cuanto sale la leche entera", "precio de la leche entera", "a cuanto está la leche entera?"],
    ),
    (
        "tenes pan y a que precio",
        ["me pasás el precio del pan?", "pan precio", "q precio tiene el pan", "hola cuánto cuesta el pan??"],
    ),
    (
        "compara leche y queso",
        ["qué es mejor, queso o leche?", "comparame la leche con el queso", "diferencia entre el queso y la leche"],
    ),
    (
        "que es mas barato, leche o queso",
        ["qué conviene más, queso o leche?", "que sale menos leche o queso", "cuál es más barato, leche o queso?"],
    ),
    (
        "que arroz me recomendas",
        ["cuál es el mejor arroz?", "me recomendás arroz", "qué arroz es mejor?", "que arroz me conviene"],
    ),
    ("que arroz es mas barato", ["qué arroz me conviene por precio?", "que arroz es el mas economico"]),
    ("receta con arroz", ["qué puedo cocinar con arroz?", "me pasás una receta con arroz?"]),
    ("tenes algo para desayuno", ["tenés algo para el desayuno?", "me recomendás algo para el desayuno"]),
    ("tenes vino tinto y a que precio", ["tenés vino tinto? cuánto sale?", "hay vino tinto y a cuanto"]),
]
WORDS = [
    "leche",
    "sin",
    "con",
    "no",
    "pan",
    "de",
    "2",
    "1,5",
    "3%",
    "1/2",
    "kg",
    "litros",
    "gr",
    "ml",
    "x",
    "k",
    "d",
    "q",
]
COURTESIES = [
    "por favor",
    "porfa",
    "che",
    "disculpa",
    "una consulta",
    "jaja",
    "xd",
    "hola",
    "tenes",
    "cuanto",
    "ola",
    "ay",
    "si",
]
typed_text = st.lists(st.sampled_from([*WORDS, *COURTESIES, "+", "n°", "½", "AAA", "siii", "🚫", ":)"])).map(" ".join)

NUMBERS = st.one_of(
    st.integers(0, 3000).map(str),
    st.tuples(st.integers(0, 20), st.integers(1, 99)).map(lambda pair: f"{pair[0]},{pair[1]}"),
    st.sampled_from(["1/2", "1/4", "3/4", "000", "0000", "1.000", "1.5", "½", "1½"]),
)
UNITS = st.sampled_from(["l", "ml", "kg", "g", "%", "cc", "unidades", "docenas", "paquetes", "$", "€", "cm"])
LINKS = st.sampled_from(["con", "sin", "de", "para", "o", "y", "ni", "no", "menos", "mas"])
BUYING = st.sampled_from(["tenes", "no tenes", "hay", "no hay", "quiero", "no quiero", "ya no quiero", "nunca hay"])
THINGS = st.sampled_from(["leche", "sal", "azucar", "gluten", "gas", "pan", "papas", "te", "cafe"])
#: What a customer may ask for: each part changes the meaning.
REQUEST = st.tuples(BUYING, NUMBERS, UNITS, THINGS, LINKS, THINGS)

SPELLED: list[Callable[[str], str]] = [
    str.upper,
    str.title,
    "¡¡{}!!".format,
    "  {}\t?? ".format,
    "{} 😀".format,
    "{} por favor".format,
    "{} porfa!".format,
    "che {}".format,
    "{} jajaja".format,
    "{}\u200e".format,
]


def spoken(request: tuple[str, ...]) -> str:
    """The request as it is typed."""
    buying, number, unit, thing, link, other = request
    return f"{buying} {number} {unit} {thing} {link} {other}"


def amount(number: str) -> str:
    """A number as it counts: the ways to write one fraction are one amount."""
    return number.replace("1½", "1 1/2").replace("½", "1/2")


@pytest.mark.parametrize("texts", SAME, ids=lambda texts: texts[0])
def test_spellings_of_one_text_have_one_form(texts: list[str]) -> None:
    """Case, accents, signs, emoji, stretched letters, abbreviations, units and courtesies make no difference."""
    assert {normalised(text) for text in texts} == {texts[0]}


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_what_changes_the_meaning_changes_the_form(one: str, other: str) -> None:
    """Con and sin, numbers, units, money, negations, sizes and double letters survive."""
    assert normalised(one) != normalised(other)


@given(REQUEST, REQUEST)
def test_different_requests_have_different_forms(one: tuple[str, ...], other: tuple[str, ...]) -> None:
    """Two requests that differ in a number, a unit, a con or sin, a negation or a thing never meet in one form."""
    assume((one[0], amount(one[1]), *one[2:]) != (other[0], amount(other[1]), *other[2:]))
    assert normalised(spoken(one)) != normalised(spoken(other))


@given(REQUEST, st.integers(0, 5), st.data())
def test_one_changed_part_changes_the_form(request_: tuple[str, ...], place: int, data: st.DataObject) -> None:
    """The same, for requests that are alike in all but one part, and for the form that many ways of asking share."""
    parts: list[st.SearchStrategy[str]] = [BUYING, NUMBERS, UNITS, THINGS, LINKS, THINGS]
    changed = list(request_)
    changed[place] = data.draw(parts[place])
    assume([amount(part) for part in changed] != [amount(part) for part in request_])
    assert normalised(spoken(request_)) != normalised(spoken(tuple(changed)))
    if place:  # "tenes" and "hay" ask the same
        common = common_form(spoken(request_))
        assert common is None or common != common_form(spoken(tuple(changed)))


@given(REQUEST, st.lists(st.sampled_from(SPELLED), max_size=3))
def test_spelling_does_not_change_the_form(request_: tuple[str, ...], spellings: list[Callable[[str], str]]) -> None:
    """However a request is dressed up, its form is the one of the bare request."""
    dressed = spoken(request_)
    for spelled in spellings:
        dressed = spelled(dressed)
    assert normalised(dressed) == normalised(spoken(request_))


@given(typed_text)
def test_numbers_and_negations_are_all_still_there(text: str) -> None:
    """In their order, no more and no fewer, whatever was typed around them."""
    kept = re.compile(r"\d+|%|🚫|\b(?:con|sin|no)\b")
    assert kept.findall(normalised(text)) == kept.findall(text.replace("½", "1/2"))


@given(typed_text)
def test_a_form_is_its_own_form(text: str) -> None:
    """Courtesies, abbreviations and units in any order: the second time changes nothing."""
    once = normalised(text)
    assert normalised(once) == once


@given(typed_text)
def test_something_said_is_never_nothing(text: str) -> None:
    """A courtesy alone stays, so that a text with letters has a form."""
    assert bool(normalised(text)) >= any(map(str.isalnum, text))


@pytest.mark.parametrize(("form", "texts"), COMMON)
def test_many_ways_to_ask_one_thing(form: str, texts: list[str]) -> None:
    """Greeting, courtesy and verb aside, the question is what counts."""
    assert {common_form(text) for text in texts} == {form}


@pytest.mark.parametrize("form", [form for form, _ in COMMON])
def test_a_common_form_can_be_asked_itself(form: str) -> None:
    """Typed as it stands, a common form is its own."""
    assert common_form(form) == form


def test_questions_of_different_products_have_different_common_forms() -> None:
    """Size, quality, "con", "sin" and what is asked of it all count."""
    asked = [
        form.format(product) for form in ("tenes {}", "que {} me recomendas", "receta con {}") for product in PRODUCTS
    ]
    forms = Counter(common_form(text) for text in asked)
    assert None not in forms
    assert max(forms.values()) == 1


@pytest.mark.parametrize(
    ("asked", "terms"),
    [
        ("qué conviene más, ginebra o vino?", ("ginebra", "vino")),
        ("comparame la leche con el queso", ("leche", "queso")),
        ("qué puedo cocinar con pollo?", ("pollo",)),
        ("café con leche, a cuánto?", ("cafe con leche",)),
    ],
)
def test_what_is_asked_about_each_thing_is_searched(asked: str, terms: tuple[str, ...]) -> None:
    """Both of what is compared: products that have words of both may be five of the same."""
    form = common_form(asked)
    assert form is not None
    assert search_terms(form) == terms


@pytest.mark.parametrize(
    ("things", "form"),
    [
        ("leche o queso", "compara leche y queso"),
        ("queso o leche", "compara leche y queso"),
        ("leche entera o descremada", "compara leche descremada y leche entera"),
        ("leche descremada o leche entera", "compara leche descremada y leche entera"),
        ("leche entera ecologica o descremada", "compara leche entera ecologica y descremada"),
        ("leche en polvo entera o descremada", "compara leche en polvo entera y descremada"),
        ("pan con sal o pan sin sal", "compara pan con sal y pan sin sal"),
    ],
)
def test_a_comparison_is_the_same_in_either_order(things: str, form: str) -> None:
    """And "descremada" behind "leche entera" is skimmed milk; behind "leche en polvo entera" it is not."""
    assert common_form(f"que es mejor, {things}") == common_form(form) == form


PRODUCTS = [
    "leche",
    "leche entera",
    "leche descremada",
    "leche sin lactosa",
    "leche con chocolate",
    "leche 0%",
    "leche 1 l",
    "leche 2 l",
    "leche 1,5 l",
    "leche 500 ml",
    "leche 500 g",
    "pan",
    "pan con sal",
    "pan sin sal",
    "pan para hamburguesas",
]
