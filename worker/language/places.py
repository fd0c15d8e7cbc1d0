"""Open places of the forms that everybody may ask: which words of a message stand in them, and how they are written."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from msgspec.structs import replace

from worker.language.lexicon import Token, words_of
from worker.language.name_words import ARTICLES, DEFINITE, FRUITS, LINKS, Leaning, is_sold, says_how, standing_alone
from worker.language.names import Name, read_name, same, singular_words, size_of
from worker.language.product_words import ProductWords
from worker.language.vocabulary import SECTIONS

#: Around a question these say nothing.
SMALL: Final = words_of("small")
#: Places that are filled by what a phrase says itself.
SAID: Final = words_of("said")
HELLOS: Final = ("hola como estas", "buenas noches", "buenas tardes", "buen dia", "hola", "saludos")
#: Products in one question about prices.
MOST_PRODUCTS: Final = 3
#: How a dish is made, said of every one.
HOMELY: Final = words_of("homely")


#: An "y" that stands before another phrase than a name: "leche, y a cuánto el litro".
AND: Final = "&"


@dataclass(slots=True)
class Run:
    """Words between phrases that may name a thing.

    Args:
        joiner: "y" or "o" where it stands before them, or AND.
        joined: the same as it is written.
    """

    joiner: str = ""
    joined: str = ""
    words: list[str] = field(default_factory=list)
    _read: Name | Leaning | None = None

    def name(self, known: ProductWords) -> Name:
        """The name, read once however many questions are tried. Raises Leaning."""
        if self._read is None:
            try:
                self._read = read_name(self.words, known)
            except Leaning as exc:
                self._read = exc
        if isinstance(self._read, Leaning):
            raise self._read
        return self._read


Runs = Sequence[Run]
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


def _names(runs: Runs, known: ProductWords) -> list[tuple[str, Name]]:
    """All names with what joins each to the one before; what only says how a thing is, is said of the one thing."""
    read = [(run.joiner, run.name(known)) for run in runs]
    things = [name for _, name in read if name.thing]
    loose = [name for joiner, name in read if not name.thing and joiner in ("", AND)]
    joined = any(joiner in ("y", "o") for joiner, _ in read)
    if len(things) == 1 and loose and not joined and len(read) == len(loose) + 1:
        return [("", _with(things[0], loose))]
    return [("y" if joiner == AND else joiner, name) for joiner, name in read]


def _with(thing: Name, loose: Sequence[Name]) -> Name:
    for name in loose:
        if (name.size and thing.size) or (name.use and thing.use) or not says_how(name.more):
            raise Leaning(name.more or name.size or name.use)
        more = " ".join(filter(None, (thing.more, name.more)))
        size = thing.size or size_of(thing.thing, name.size)
        thing = replace(thing, more=more, size=size, use=thing.use or name.use)
    return thing


def _only(runs: Runs, known: ProductWords) -> Name | None:
    names = _names(runs, known)
    return names[0][1] if len(names) == 1 and names[0][1].thing and not names[0][0] else None


def _product(runs: Runs, known: ProductWords, _: Sequence[Token]) -> Filled | None:
    name = _only(runs, known)
    return {"product": name.complete} if name else None


def _product_use(runs: Runs, known: ProductWords, _: Sequence[Token]) -> Filled | None:
    name = _only(runs, known)
    return {"product": name.whole, "use": name.use} if name and name.use else None


def _products(runs: Runs, known: ProductWords, spoken: Sequence[Token]) -> Filled | None:
    """Names that "y" joins, or "o"."""
    names = _names(runs, known)
    if any(token.concept == "price" for token in spoken):
        names = [(joiner, _fruit(name)) for joiner, name in names]
    joiners = {joiner for joiner, _ in names[1:]}
    if names[0][0] or len(names) > MOST_PRODUCTS or len(joiners) > 1 or "" in joiners or not names[0][1].thing:
        return None
    whole = [name.complete for name in _completed([name for _, name in names], joiners == {"o"})]
    if len(set(whole)) < len(whole):
        return None
    return {"products": f" {joiners.pop() if joiners else ''} ".join(sorted(whole))}


def _completed(names: Sequence[Name], alike: bool) -> list[Name]:
    """In "leche entera o descremada" the other is "leche descremada". Raises Leaning where a name names nothing."""
    first, done = names[0], [names[0]]
    for name in names[1:]:
        if not name.thing:
            if not alike or name.use or not says_how(name.more):
                raise Leaning(name.more or name.size or name.use)
            if _is_qualified(first):
                name = replace(name, thing=first.thing.split()[0])
        done.append(name)
    return done


def _is_qualified(name: Name) -> bool:
    """Returns whether a thing is said with one quality: "leche entera", "aceite de oliva"."""
    words = name.thing.split()
    return not name.more and (len(words) <= 2 or (len(words) == 3 and words[1] in LINKS))


def _pair(runs: Runs, known: ProductWords, spoken: Sequence[Token]) -> Filled | None:
    """Two things, in one order."""
    found = _pair_use(runs, known, spoken)
    return found if found and not found.pop("use") else None


def _pair_for(runs: Runs, known: ProductWords, spoken: Sequence[Token]) -> Filled | None:
    found = _pair_use(runs, known, spoken)
    return found if found and found["use"] else None


def _pair_use(runs: Runs, known: ProductWords, spoken: Sequence[Token]) -> Filled | None:
    if len(runs) == 1 and any(token.concept == "compare" for token in spoken) and "con" in runs[0].words:
        at = runs[0].words.index("con")
        runs = [Run("", "", runs[0].words[:at]), Run("y", "con", runs[0].words[at + 1 :])]
    runs = [
        Run(run.joiner, run.joined, words) for run in runs if (words := [word for word in run.words if word != "entre"])
    ]
    read = [(run.joiner, _elliptic(run, known) or _fruit(run.name(known))) for run in runs]
    uses = [name.use for _, name in read if name.use]
    names = [(joiner, replace(name, use="")) for joiner, name in read if name.thing or name.more or name.size]
    if len(names) != 2 or len(uses) > 1 or not names[0][1].thing or names[0][0]:
        return None
    if not names[1][0] and not any(token.concept == "versus" for token in spoken):
        return None
    whole = [name.whole for name in _completed([name for _, name in names], alike=True)]
    # "Leche entera ecológica o descremada": which words the other takes the place of is open, and so it stays there.
    one, other = sorted(whole) if all(name.thing or _is_qualified(names[0][1]) for _, name in names) else whole
    return (
        None
        if one == other
        else {"one": one, "other": other, "use": _dish_words(uses[0].split(), known) if uses else ""}
    )


def _elliptic(run: Run, known: ProductWords) -> Name | None:
    """The second of two things, of which only "de maíz" or "el de maíz" is said."""
    words = run.words[1:] if run.words[0] in DEFINITE else run.words
    if not run.joiner or words[:1] != ["de"]:
        return None
    return Name(more=singular_words(standing_alone(words, known), known))


def _fruit(name: Name) -> Name:
    """A flavour that stands alone beside another thing is a thing too: "manzana o pera"."""
    return replace(name, thing=name.more, more="") if name.more in FRUITS else name


def _product_dish(runs: Runs, known: ProductWords, _: Sequence[Token]) -> Filled | None:
    """Something that goes with a dish: "qué vino va con pescado", "para carne qué vino va"."""
    if len(runs) != 2 or any(run.joiner for run in runs):
        return None
    product, dish = runs if runs[0].words[0] != "para" else (runs[1], runs[0])
    name = product.name(known)
    return {"product": name.complete, "dish": _dish_of(dish.words, known)} if name.thing else None


def _dish(runs: Runs, known: ProductWords, _: Sequence[Token]) -> Filled | None:
    """One dish, whose name may hold "y": "tarta de jamon y queso"."""
    words = list(runs[0].words)
    for run in runs[1:]:
        if run.joiner != "y":
            return None
        words += ["y", *run.words]
    return {"dish": _dish_of(words, known)} if not runs[0].joiner else None


def _dish_of(words: Sequence[str], known: ProductWords) -> str:
    return _dish_words([word for word in words if word not in ("para", "y")] if words[0] == "para" else words, known)


def _dish_words(words: Sequence[str], known: ProductWords) -> str:
    """Raises Leaning for a word that may stand in no name, or where none is left."""
    told = [
        word
        for word in words
        if word not in ARTICLES and word not in HOMELY and word not in ("hacer", "cocinar", "preparar")
    ]
    while told and told[0] in LINKS:
        told = told[1:]
    if not any(len(word) > 2 and word not in LINKS for word in told):
        raise Leaning(words[0])
    standing_alone([word for word in told if word != "y"], known)
    return same(singular_words(told, known))


def _dishes(runs: Runs, known: ProductWords, spoken: Sequence[Token]) -> Filled | None:
    names = _products(runs, known, spoken)
    return {"dishes": names["products"]} if names else None


def _stain(runs: Runs, known: ProductWords, _: Sequence[Token]) -> Filled | None:
    words = [word for run in runs for word in run.words]
    if any(run.joiner for run in runs):
        return None
    return {"stain": singular_words(standing_alone([word for word in words if word not in ARTICLES], known), known)}


def _section(runs: Runs, known: ProductWords, _: Sequence[Token]) -> Filled | None:
    """A part of the shop, as it calls it, or as all shops do."""
    if any(run.joiner not in ("", "y", AND) for run in runs):
        return None
    words = [word for run in runs for word in (run.joined, *run.words) if word]
    while words[0] in LINKS and len(words) > 1:
        words = words[1:]
    name = " ".join(words)
    if name in known.sections or (len(words) == 1 and name in SECTIONS):
        return {"section": name}
    if SECTIONS.issuperset(word for word in words if word not in ("y", "e")):
        return {"section": name}
    if words[0] in SECTIONS:
        return {"section": " ".join(standing_alone(words, known))}
    return None


def _range(runs: Runs, known: ProductWords, spoken: Sequence[Token]) -> Filled | None:
    """A kind of thing that is known to be sold; "la leche" is one that was spoken of."""
    words = runs[0].words
    return _product(runs, known, spoken) if words[0] not in DEFINITE and is_sold(words, known) else None


def _use(runs: Runs, known: ProductWords, _: Sequence[Token]) -> Filled | None:
    if len(runs) != 1 or runs[0].joiner or runs[0].words[0] != "para":
        return None
    name = runs[0].name(known)
    return {"use": name.use} if name.use and not name.size else None


READERS: Final[Mapping[tuple[str, ...], Callable[[Runs, ProductWords, Sequence[Token]], Filled | None]]] = {
    ("product",): _product,
    ("kind",): lambda runs, known, spoken: (
        {"kind": found["product"]} if (found := _range(runs, known, spoken)) else None
    ),
    ("product", "use"): _product_use,
    ("products",): _products,
    ("one", "other"): _pair,
    ("one", "other", "use"): _pair_for,
    ("product", "dish"): _product_dish,
    ("dish",): _dish,
    ("dishes",): _dishes,
    ("stain",): _stain,
    ("section",): _section,
    ("use",): _use,
}
