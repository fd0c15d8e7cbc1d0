"""Open places of the forms that everybody may ask: which words of a message stand in them, and how they are written."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Final

from msgspec.structs import replace

from worker.language.lexicon import Token
from worker.language.name_words import Leaning, is_sold, standing_alone
from worker.language.names import (
    AND,
    Name,
    Run,
    Runs,
    as_fruit,
    completed,
    elliptic,
    is_qualified,
    names_in,
    same,
    singular_words,
)
from worker.language.product_words import ProductWords
from worker.language.spelling import stem
from worker.language.vocabulary import ARTICLES, DEFINITE, HOMELY, LINKS, SECTIONS

#: Places that are filled by what a phrase says itself.
SAID: Final = frozenset(
    (
        *("hello", "day", "method", "network", "better", "diet", "diners"),
        *("discount", "invoice", "installments", "how_many_installments"),
    )
)
HELLOS: Final = ("hola como estas", "buenas noches", "buenas tardes", "buen dia", "hola", "saludos")
#: Products in one question about prices.
MOST_PRODUCTS: Final = 3
Filled = dict[str, str]


def filled(places: Sequence[str], spoken: Sequence[Token], runs: Runs, known: ProductWords) -> Mapping[str, str] | None:
    """Fills each place; None where a place stays empty or words are left over. Raises Leaning for a word that
    may stand in no place.
    """
    said = {place: _said(place, spoken) for place in places if place in SAID}
    open_places = tuple(place for place in places if place not in SAID)
    if not open_places:
        return said if not runs else None
    found = READERS[open_places](runs, known, spoken) if runs else None
    return None if found is None else said | found


def _said(concept: str, spoken: Sequence[Token]) -> str:
    values = dict.fromkeys(token.value for token in spoken if token.concept == concept)
    if concept == "hello":
        return next(hello for hello in HELLOS if hello in values)
    return " ".join(values) if concept == "day" else " y ".join(sorted(values))


def _only(runs: Runs, known: ProductWords) -> Name | None:
    names = names_in(runs, known)
    return names[0][1] if len(names) == 1 and names[0][1].thing and not names[0][0] else None


def _product(runs: Runs, known: ProductWords, _: Sequence[Token]) -> Filled | None:
    name = _only(runs, known)
    return {"product": name.complete} if name else None


def _product_use(runs: Runs, known: ProductWords, _: Sequence[Token]) -> Filled | None:
    name = _only(runs, known)
    return {"product": name.whole, "use": name.use} if name and name.use else None


def _products(runs: Runs, known: ProductWords, spoken: Sequence[Token]) -> Filled | None:
    """Names that "y" joins, or "o"."""
    read = names_in(runs, known, priced=any(token.concept == "price" for token in spoken))
    names = [(joiner, as_fruit(name) if stem(name.more) in known.firsts else name) for joiner, name in read]
    joiners = {joiner for joiner, _ in names[1:]}
    if names[0][0] or len(names) > MOST_PRODUCTS or len(joiners) > 1 or "" in joiners or not names[0][1].thing:
        return None
    whole = [name.complete for name in completed([name for _, name in names], joiners == {"o"})]
    if len(set(whole)) < len(whole):
        return None
    return {"products": f" {joiners.pop() if joiners else ''} ".join(sorted(whole))}


def _pair(runs: Runs, known: ProductWords, spoken: Sequence[Token], *, for_use: bool = False) -> Filled | None:
    """Two things, in one order, and what they are for where that is told."""
    concepts = {token.concept for token in spoken}
    compared = _compared(runs, apart="compare" in concepts)
    read = [(run.joiner, elliptic(run, known) or as_fruit(run.name(known))) for run in compared]
    uses = [name.use for _, name in read if name.use]
    pair = [(joiner, replace(name, use="")) for joiner, name in read if name.thing or name.more or name.size]
    if len(pair) != 2 or len(uses) > 1 or not pair[0][1].thing or pair[0][0]:
        return None
    if not pair[1][0] and "versus" not in concepts:
        return None
    one, other = _in_order([name for _, name in pair])
    use = _dish_words(uses[0].split(), known) if uses else ""
    return None if one == other or bool(use) != for_use else {"one": one, "other": other, "use": use}


def _compared(runs: Runs, *, apart: bool) -> Runs:
    """Takes "compara la leche con el queso" apart, and leaves out the "entre" of "la diferencia entre"."""
    if apart and len(runs) == 1 and "con" in runs[0].words:
        at = runs[0].words.index("con")
        runs = [Run("", "", runs[0].words[:at]), Run("y", "con", runs[0].words[at + 1 :])]
    told = (Run(run.joiner, run.joined, [word for word in run.words if word != "entre"]) for run in runs)
    return [run for run in told if run.words]


def _in_order(pair: Sequence[Name]) -> list[str]:
    """The whole names of two things. In "leche entera ecológica o descremada" it is open which words the other takes
    the place of, and so it stays where it is.
    """
    whole = [name.whole for name in completed(pair, alike=True)]
    return sorted(whole) if pair[1].thing or is_qualified(pair[0]) else whole


def _product_dish(runs: Runs, known: ProductWords, _: Sequence[Token]) -> Filled | None:
    """Something that goes with a dish: "qué vino va con pescado", "para carne qué vino va"."""
    if len(runs) != 2 or any(run.joiner for run in runs):
        return None
    product, dish = runs if runs[0].words[0] != "para" else (runs[1], runs[0])
    name = product.name(known)
    return {"product": name.complete, "dish": _dish_of(dish.words, known)} if name.thing else None


def _dish(runs: Runs, known: ProductWords, _: Sequence[Token]) -> Filled | None:
    """One dish, whose name may hold "y": "tarta de jamon y queso"."""
    if runs[0].joiner or any(run.joiner != "y" for run in runs[1:]):
        return None
    return {"dish": _dish_of(" y ".join(" ".join(run.words) for run in runs).split(), known)}


def _dish_of(words: Sequence[str], known: ProductWords) -> str:
    return _dish_words([word for word in words if word not in ("para", "y")] if words[0] == "para" else words, known)


def _dish_words(words: Sequence[str], known: ProductWords) -> str:
    """Name of a dish. Raises Leaning for a word that may stand in no name, or where none is left."""
    told = [word for word in words if word not in ARTICLES and word not in HOMELY]
    while told and told[0] in LINKS:
        told = told[1:]
    if not any(len(word) > 2 and word not in LINKS for word in told):
        raise Leaning(words[0])
    standing_alone([word for word in told if word != "y"], known)
    return same(singular_words(told, known))


def _stain(runs: Runs, known: ProductWords, _: Sequence[Token]) -> Filled | None:
    if any(run.joiner for run in runs):
        return None
    words = [word for run in runs for word in run.words if word not in ARTICLES]
    return {"stain": singular_words(standing_alone(words, known), known)}


def _section(runs: Runs, known: ProductWords, _: Sequence[Token]) -> Filled | None:
    """A part of the shop, as it calls it, or as all shops do."""
    if any(run.joiner not in ("", "y", AND) for run in runs):
        return None
    words = [word for run in runs for word in (run.joined, *run.words) if word]
    while words[0] in LINKS and len(words) > 1:
        words = words[1:]
    named = " ".join(words) in known.sections or SECTIONS.issuperset(word for word in words if word not in ("y", "e"))
    if not named and words[0] not in SECTIONS:
        return None
    return {"section": " ".join(words if named else standing_alone(words, known))}


def _department(runs: Runs, known: ProductWords, _: Sequence[Token]) -> Filled | None:
    """A part of the shop by one word: "qué fiambres hay"."""
    words = runs[0].words
    plural = words[0] if words[0].endswith("s") else f"{words[0]}s"
    told = plural in SECTIONS or plural in known.sections
    return {"department": plural} if len(runs) == len(words) == 1 and told and not runs[0].joiner else None


def _kind(runs: Runs, known: ProductWords, _: Sequence[Token]) -> Filled | None:
    """A kind of thing that is known to be sold; "la leche" is one that was spoken of."""
    words = runs[0].words
    name = _only(runs, known) if words[0] not in DEFINITE and is_sold(words, known) else None
    return {"kind": name.complete} if name else None


def _use(runs: Runs, known: ProductWords, _: Sequence[Token]) -> Filled | None:
    if len(runs) != 1 or runs[0].joiner or runs[0].words[0] != "para":
        return None
    name = runs[0].name(known)
    return {"use": name.use} if name.use and not name.size else None


READERS: Final[Mapping[tuple[str, ...], Callable[[Runs, ProductWords, Sequence[Token]], Filled | None]]] = {
    ("product",): _product,
    ("department",): _department,
    ("kind",): _kind,
    ("product", "use"): _product_use,
    ("products",): _products,
    ("one", "other"): _pair,
    ("one", "other", "use"): partial(_pair, for_use=True),
    ("product", "dish"): _product_dish,
    ("dish",): _dish,
    ("stain",): _stain,
    ("section",): _section,
    ("use",): _use,
}
