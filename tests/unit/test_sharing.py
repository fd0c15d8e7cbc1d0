"""Which messages everybody may ask, and in which form, on lines of our own (tests/data) and on those of others."""

from __future__ import annotations

import csv
from collections import Counter, defaultdict

import pytest
from helpers.basics import REPOSITORY, SHARED_DATA
from helpers.language import common_form

from worker.catalog.price_list import read_products
from worker.devkit.demo import CATALOG
from worker.language.normalise import normalised
from worker.language.product_words import USUAL_PRODUCT_WORDS, ProductWords, product_words_of
from worker.language.sharing import MAX_CHARS, REASONS, judged

DATA = REPOSITORY / "tests" / "data"
OTHERS = SHARED_DATA / "utterances" / "fresh_a.tsv"
#: A little under what is reached, so that a change for the worse is seen.
LEAST_OF_OTHERS, LEAST_ONE_FORM = 0.92, 0.94
#: Lines of our own that the grammar does not read.
NOT_READ = {"aceite girasol 1.5 l", "tienen algo para la caspa?"}


def lines_of(name: str) -> list[str]:
    """Lines of a file of labelled lines, without its comments."""
    return [line for line in (DATA / name).read_text("utf-8").splitlines() if not line.startswith("#")]


EVERYBODYS = [(name, text) for name, _, text in (line.partition("\t") for line in lines_of("everybodys.tsv"))]
OWN = lines_of("own_conversations.txt")
#: Put into any message, they make it a conversation's, a customer's or a moment's.
LEANING = (
    """
ese|mi|otra|también|ayer|mañana|hoy|que te pedí|que compré|para mi hijo|nunca|agregame|sumame|quiero llevar|la última
del carrito|no llegó|vencida|en mal estado|urgente|todavía|la otra vez|como esa|de siempre|alérgico|somos 4|DNI 30111222
el tercero
""".strip()
    .replace("\n", "|")
    .split("|")
)


@pytest.fixture(scope="module", params=["usual", "shipped"])
def product_words(request: pytest.FixtureRequest) -> ProductWords:
    """Words of a shop that has told nothing, and of the shipped list."""
    if request.param == "usual":
        return USUAL_PRODUCT_WORDS
    rows = read_products(CATALOG)
    return product_words_of((row["name"] for row in rows), {row["category"] for row in rows})


def test_the_lines_are_enough() -> None:
    """Of both kinds, each once."""
    assert len(EVERYBODYS) > 400
    assert len(OWN) > 500
    assert max(Counter(OWN).values()) == 1


def test_what_everybody_may_ask_is_shared(product_words: ProductWords) -> None:
    """All but two of our lines."""
    missed = {text for _, text in EVERYBODYS if common_form(text, product_words) is None}
    assert missed - NOT_READ == set()


def test_one_question_has_one_form_and_no_other_has_it(product_words: ProductWords) -> None:
    """In whatever words and order."""
    forms, names = defaultdict(set), defaultdict(set)
    for name, text in EVERYBODYS:
        if form := common_form(text, product_words):
            forms[name].add(form)
            names[form].add(name)
    assert [(form, both) for form, both in names.items() if len(both) > 1] == []
    assert [(name, many) for name, many in forms.items() if len(many) > 1] == []


def test_a_form_is_its_own_form() -> None:
    """Asked as it stands it is shared, and is the same question."""
    forms = {form for _, text in EVERYBODYS if (form := common_form(text))}
    assert [form for form in sorted(forms) if common_form(form) not in (form, None)] == []


def test_no_conversation_is_shared(product_words: ProductWords) -> None:
    """An answer, a bare name, an order, a story, a complaint."""
    assert [text for text in OWN if common_form(text, product_words) is not None] == []


@pytest.mark.parametrize("leaning", LEANING)
def test_a_leaning_word_anywhere_keeps_a_message_from_being_shared(leaning: str) -> None:
    """Before, within and behind: at another place in each message."""
    shared = []
    for number, (_, text) in enumerate(EVERYBODYS):
        words = text.split()
        at = number % (len(words) + 1)
        if common_form(" ".join([*words[:at], leaning, *words[at:]])) is not None:
            shared.append((text, at))
    assert shared == []


@pytest.mark.parametrize(
    ("text", "reason", "word"),
    [
        ("tenes leche\nquiero pan", "tells", ""),
        ("tenes leche -sal", "tells", ""),
        ("tenes leche " + "a" * MAX_CHARS, "too_long", ""),
        ("y leche tenes?", "leans", "y"),
        ("no, tenes leche?", "leans", "no"),
        ("tenes leche para mi hijo", "leans", "mi"),
        ("tenes xyzabc", "unknown", "xyzabc"),
        ("leche", "no_frame", ""),
    ],
)
def test_the_reason(text: str, reason: str, word: str) -> None:
    """One of a few, with the word where there is one."""
    judgement = judged(text, normalised(text))
    assert (judgement.form, judgement.reason, judgement.word) == (None, reason, word)
    assert reason in REASONS


def test_what_is_shared_has_no_reason() -> None:
    """And has its phrases."""
    judgement = judged("¿tenés leche?", "tenes leche")
    assert (judgement.form, judgement.reason, judgement.word) == ("tenes leche y a que precio", "", "")
    assert [tuple(token) for token in judgement.tokens] == [("have", "tenes"), ("", "leche")]


def others() -> list[dict[str, str]]:
    """Lines that somebody else has written and labelled."""
    if not OTHERS.is_file():
        pytest.skip("the lines of others are not part of the repository")
    with OTHERS.open(encoding="utf-8") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


def test_lines_of_others() -> None:
    """Nothing wrong is shared, no two questions have one form, and most of what may be shared is."""
    lines = others()
    forms = {line["id"]: common_form(line["text"]) for line in lines}
    groups, names = defaultdict(list), defaultdict(set)
    for line in (line for line in lines if line["same_for_all"] == "yes"):
        groups[line["group"]].append(forms[line["id"]])
        names[forms[line["id"]]].add(line["group"])
    del names[None]
    assert [line["id"] for line in lines if line["same_for_all"] != "yes" and forms[line["id"]]] == []
    assert [both for both in names.values() if len(both) > 1] == []
    all_forms = [form for group in groups.values() for form in group]
    assert sum(map(bool, all_forms)) / len(all_forms) >= LEAST_OF_OTHERS
    several = [group for group in groups.values() if len(group) > 1]
    usual = sum(max(Counter(filter(None, group)).values(), default=0) for group in several)
    assert usual / sum(map(len, several)) >= LEAST_ONE_FORM


def test_a_brand_that_is_also_a_word_for_the_price_stays_in_the_name() -> None:
    """Chocolate of Valor is another question than chocolate."""
    words = product_words_of(["Chocolate puro Valor", "Chocolate con leche"])
    forms = {common_form(text, words) for text in ("cuanto sale chocolate puro valor", "cuanto sale chocolate puro")}
    assert len(forms) == 2
    assert common_form("el valor del chocolate puro", words) in forms


def test_a_comma_ends_a_phrase_that_may_be_a_part_of_a_name() -> None:
    """Behind it alone: what stands before a brand may be followed by one all the same."""
    words = product_words_of(["Yogur mas agua", "Agua mineral", "Vino tinto", "Chocolate puro Valor"])
    assert common_form("que conviene mas, agua o vino?", words) == "que es mas barato, agua o vino"
    assert common_form("que conviene mas agua o vino?", words) is None
    assert "valor" in str(common_form("cuanto sale chocolate puro, valor?", words))


def test_words_of_any_sentence_that_stand_in_a_name_are_no_part_of_it_elsewhere() -> None:
    """A cheese called "La vaca que ríe" leaves "y a que precio" as it is, and is named by all of its words."""
    words = product_words_of(["Queso La vaca que ríe", "Palitos y queso", "Leche entera"])
    assert common_form("tienen leche y a que precio", words) == "tenes leche y a que precio"
    assert common_form("tenes queso la vaca que rie", words) != common_form("tenes queso", words)


def test_a_fruit_that_is_sold_here_is_a_thing() -> None:
    """Elsewhere it may be the flavour of what was spoken of, and "de manzana" always may."""
    fruit = product_words_of(["Manzana roja", "Jugo de naranja", "Leche entera"])
    assert common_form("tienen manzana?", fruit) == "tenes manzana y a que precio"
    assert common_form("tenés leche y manzanas?", fruit) == "tenes leche y manzana y a que precio"
    for text in ("tienen naranja?", "tenés de manzana?", "y manzana?"):
        assert common_form(text, fruit) is None
