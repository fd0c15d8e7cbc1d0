"""Products that are called by words of questions: whatever a brand is called, no two products have one form."""

from __future__ import annotations

import pytest
from helpers.language import common_form

from worker.language.lexicon import PHRASE_WORDS
from worker.language.product_words import product_words_of
from worker.language.vocabulary import LINKS, MEASURES, PACKINGS, QUALITIES, REASONS

#: Brands may be called so; nobody calls one "un" or "de".
BRANDS = sorted(
    word
    for word in PHRASE_WORDS | PACKINGS | QUALITIES | MEASURES | REASONS
    if len(word) > 2 and word.isalpha() and word not in LINKS | {"algun", "alguna", "casualidad"}
)
#: As it is written in names and by customers, and the same without the brand.
NAMED = (
    ("leche {}", "leche"),
    ("leche entera {}", "leche entera"),
    ("{} galletas", "galletas"),
    ("leche de {}", "leche"),
)
QUESTIONS = (
    "tenés {}?",
    "precio de {}",
    "cuánto sale la {}",
    "{} hay?",
    "hola, {} a cuánto está",
    "buen día, {} tienen y a qué precio?",
    "cuál es la {} más barata",
    "qué {} me recomendás",
    "qué diferencia hay entre {} y arroz",
    "busco {}",
    "me decís el precio de {} por favor",
    "tenés {} de 1 litro",
)
OTHERS = ("Leche entera", "Leche", "Arroz", "Galletas")


@pytest.mark.parametrize("initial", sorted({brand[0] for brand in BRANDS}))
def test_a_brand_is_never_swallowed(initial: str) -> None:
    """By a phrase, a courtesy or a packing: asked for with it and without, a thing has two forms, or the one with it
    none. Each brand is asked for in some of the ways, the next one in others.
    """
    swallowed = []
    for number, brand in enumerate(brand for brand in BRANDS if brand[0] == initial):
        names = (named.format(brand) for named, _ in NAMED)
        known = product_words_of([*OTHERS, *names, f"Leche {brand} 1 L"], ["Lácteos"])
        for named, bare in NAMED:
            for question in QUESTIONS[number % 4 :: 4]:
                form = common_form(question.format(named.format(brand)), known)
                if form is not None and form == common_form(question.format(bare), known):
                    swallowed.append((brand, question, named))
    assert swallowed == []


@pytest.mark.parametrize("brand", ["Valor", "La Casa", "Don Precio", "Buen Día", "Che", "Señor", "Punto"])
def test_a_brand_does_not_keep_others_from_being_asked_for(brand: str) -> None:
    """What stands apart from the thing is a phrase as before."""
    known = product_words_of([*OTHERS, f"Leche {brand}"], ["Lácteos"])
    for question in ("hola, buen día, tenés arroz?", "precio de leche", "señor, a cuánto la leche?"):
        assert common_form(question, known) == common_form(question, product_words_of(OTHERS, ["Lácteos"]))
