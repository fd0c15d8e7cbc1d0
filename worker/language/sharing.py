"""Sharing: which messages mean the same in every session, by the shape of the whole sentence.

A message is shared only if it has, from its first word to its last, one of the shapes of `worker.language.phrases` and
`worker.language.open_questions`, and what stands in an open place is the name of something. All else leans on its
conversation.
"""

from __future__ import annotations

from worker.language import product_names
from worker.language.open_questions import OPEN_QUESTIONS
from worker.language.phrases import FORMAL, NOW, SMALL_TALK, asked, is_fact
from worker.language.product_words import USUAL_PRODUCT_WORDS, ProductWords
from worker.language.symbols import may_tell

#: Whoever writes more tells of himself.
MAX_CHARS = 160
#: What may stand in an open place, by the name of its group.
CHECKS = {
    "product": product_names.names_product,
    "products": product_names.names_products,
    "other": product_names.completes,
    "grocery": product_names.is_grocery,
    "shown": product_names.is_on_sale,
    "place": product_names.names_place,
    "use": product_names.names_use,
}
PRODUCTS = frozenset(("product", "products", "other", "grocery"))


def common_form(text: str, plain: str, product_words: ProductWords = USUAL_PRODUCT_WORDS) -> str | None:
    """Returns the message as every customer could have meant it; None if it leans on its conversation, and in doubt.

    Questions that differ only in greeting, courtesy and the verb have one form: "Hola! hay leche?" and "me decís si
    tienen leche" are both "tenes leche y a que precio".

    Args:
        text: as it was written, for signs that normalising leaves out.
        plain: the same, normalised.
        product_words: words for what is sold here.
    """
    stripped = text.strip()
    if "\n" in stripped or len(stripped) > MAX_CHARS or may_tell(stripped):
        return None
    plain = product_words.mended(plain)
    if SMALL_TALK.fullmatch(plain):
        return plain
    question = asked(FORMAL.sub(r"\1 tienen", plain))
    return question if is_fact(plain) else _open_question(question, product_words)


def _open_question(asked_now: str, product_words: ProductWords) -> str | None:
    question = NOW.sub("", asked_now)
    for shape, form in OPEN_QUESTIONS:
        found = shape.fullmatch(question)
        places = {place: what for place, what in found.groupdict().items() if what} if found else {}
        if "place" in places and question != asked_now:
            return None  # what is delivered today is not what is delivered
        if found and all(_fits(place, what, product_words) for place, what in places.items()):
            return form.format(
                question,
                **_in_order({place: _named(place, places[place], product_words) for place in places}, product_words),
            )
    return None


def _fits(place: str, what: str, product_words: ProductWords) -> bool:
    if place == "section":
        return what in product_words.sections or product_names.is_on_sale(what, product_words.names)
    if place in PRODUCTS and product_names.without_article(what) in product_words.beginnings:
        return True
    return CHECKS[place](what, product_words.names)


def _named(place: str, what: str, product_words: ProductWords) -> str:
    plain = product_names.without_article(what)
    return product_words.singular(plain) if place in PRODUCTS else plain


def _in_order(named: dict[str, str], product_words: ProductWords) -> dict[str, str]:
    """Puts two whole names in one order, for "leche o queso" is "queso o leche". In "leche entera o descremada" the
    other is "leche descremada"; which words it takes the place of in a longer name is open, and so it stays there.
    """
    other = named.get("other")
    if other is None:
        return named
    if not product_names.names_product(other, product_words.names):
        if not product_names.is_qualified(named["product"], product_words.names):
            return named
        other = f"{named['product'].split()[0]} {other}"
    first, second = sorted((named["product"], other))
    return named | {"product": first, "other": second}
