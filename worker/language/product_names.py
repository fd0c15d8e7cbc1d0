"""Names of products and places that need nothing said before.

`sold` are the words that are trusted to begin the name of something sold here
(`worker.language.product_words.ProductWords.names`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from worker.language.vocabulary import (
    FLAVOURS,
    FORMLESS,
    LEANING,
    MEASURES,
    NAMELESS,
    NAMES_ALL_THE_SAME,
    NOT_LEANING,
    POINTING,
    QUALITIES,
    SECTIONS,
)

Words = frozenset[str]


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


#: Names of something only in "dulce de leche", "semillas de lino".
OF_SOMETHING = _words("dulce semillas")
#: Whoever needs more words tells more than a name.
MAX_WORDS = 9
ARTICLES = _words("el la los las un una unos unas algun alguna")
DEFINITE = _words("el la los las")
CONNECTIVES = ARTICLES | _words("a al de del en con sin para por x")
COUNTS = _words("dos tres cuatro cinco seis siete ocho nueve diez doce medio media")
#: "1,5", "1/2", "0%", and names that hold a figure ("7up", "q10"). Any other sign is more than a name.
WORD = re.compile(r"[a-zñ]+|\d+(?:[.,/]\d+)?%?|[a-zñ]+\d+|\d+[a-zñ]+")
FIGURE = re.compile(r"\d+(?:[.,/]\d+)?%?")
#: Times, and verbs whose object was named before, stand where a use could; times and places of one's own, where a place
#: could.
NOT_A_USE = _words("hoy ahora noche tarde finde domingo sabado acompañar combinar completar reemplazar sustituir")
NOT_A_PLACE = _words("tarde noche mediodia tiempo horario puerta destino fin pie oficina depto zona barrio edificio")


def without_article(what: str) -> str:
    """The same name without the article before it."""
    first, _, rest = what.partition(" ")
    return rest if first in ARTICLES else what


def names_product(what: str, sold: Words) -> bool:
    """Returns whether the words name one product, or two with "o" between them; normalised text in."""
    first, *others = what.split(" o ")
    return _names(first.split(), sold) and all(
        _names(other.split(), sold) or _qualifies(other.split()) for other in others
    )


def names_products(what: str, sold: Words) -> bool:
    """The same, and "y" may stand between them: for a list that is complete in itself."""
    return all(names_product(part, sold) for part in what.split(" y "))


def completes(what: str, sold: Words) -> bool:
    """Returns whether the words can be the second half of a comparison whose first half named a product."""
    words = what.split()
    elliptic = len(words) > 2 and words[0] in DEFINITE and words[1] in {"de", "en", "con", "sin"}
    named = words[2:] if elliptic else words
    return _names(named, sold) or _qualifies(named) or (elliptic and _stands_alone(named, sold))


def is_qualified(what: str, sold: Words) -> bool:
    """Returns whether the words are a thing and one quality of it, and nothing else."""
    thing, *qualities = what.split()
    return len(qualities) == 1 and _names([thing], sold) and _qualifies(qualities)


def is_grocery(what: str, sold: Words) -> bool:
    """Returns whether the words name a product that begins with a word known to be sold here."""
    words = _without_count(what.split())
    return bool(words) and _is_any(words[0], sold) and names_product(what, sold)


def is_on_sale(what: str, sold: Words) -> bool:
    """Returns whether the words name a known product or a part of the shop."""
    words = _without_count(what.split())
    return bool(words) and (_is_any(words[0], sold) or words[0] in SECTIONS) and _stands_alone(words, sold)


def names_place(what: str, sold: Words) -> bool:
    """Returns whether the words can be the name of a quarter or a town."""
    words = [word for word in what.split() if word not in CONNECTIVES]
    spelled = bool(words) and all(word.isalpha() for word in words)
    return spelled and _stands_alone(words, sold) and NOT_A_PLACE.isdisjoint(words)


def names_use(what: str, sold: Words) -> bool:
    """Returns whether the words say what something is for ("la cena", "limpiar vidrios"), and not for whom or when."""
    words = [word for word in what.split() if word not in CONNECTIVES]
    spelled = any(len(word) > 2 and word.isalpha() for word in words)
    return spelled and _stands_alone(words, sold) and NOT_A_USE.isdisjoint(words)


def _names(words: Sequence[str], sold: Words) -> bool:
    named = _without_count(words)
    known = bool(named) and _is_name(words, len(words) - len(named), sold)
    return known and _stands_alone(words, sold) and not _is_cut_off(words)


def _qualifies(words: Sequence[str]) -> bool:
    return bool(words) and all(word in QUALITIES or word in FLAVOURS or FORMLESS.fullmatch(word) for word in words)


def _is_cut_off(words: Sequence[str]) -> bool:
    """Returns whether a connective stands last, or a bare figure, which may be a place in a list ("el vino 2")."""
    bare = re.fullmatch(r"\d", words[-1]) and words[-2:-1] not in (["etapa"], ["x"], ["por"], ["de"])
    return words[-1] in CONNECTIVES or bool(bare)


def _without_count(words: Sequence[str]) -> Sequence[str]:
    """Drops articles, numbers, and measures that have a "de" behind them."""
    while words:
        if words[0] in ARTICLES or words[0] in COUNTS or FIGURE.fullmatch(words[0]):
            words = words[1:]
        elif words[0] in MEASURES and words[1:2] in (["de"], ["del"]):
            words = words[2:]
        else:
            break
    return words


def _is_name(words: Sequence[str], head: int, sold: Words) -> bool:
    """Returns whether the word at this place can name a product. Alone, and behind "la" or "el", which often mean one
    that was shown before, only a word known to be sold here counts.
    """
    word, before, behind = words[head], words[:head][-1:], words[head + 1 : head + 2]
    if word in OF_SOMETHING:
        return behind == ["de"]
    if word in FLAVOURS:
        return bool(behind) or before == ["de"]
    if _is_any(word, sold) or _is_any(word, FLAVOURS) or word in SECTIONS or word in NAMES_ALL_THE_SAME:
        return True
    nameless = any(_is_any(word, kind) for kind in (NAMELESS, QUALITIES, MEASURES)) or FORMLESS.fullmatch(word)
    return len(word) > 2 and bool(behind) and not nameless and DEFINITE.isdisjoint(before)


def _stands_alone(words: Sequence[str], sold: Words) -> bool:
    return (
        len(words) <= MAX_WORDS
        and POINTING.isdisjoint(words)
        and all(WORD.fullmatch(word) for word in words)
        and not any(LEANING.fullmatch(word) and word not in NOT_LEANING and word not in sold for word in words)
    )


def _is_any(word: str, words: Words) -> bool:
    return word in words or word.removesuffix("s") in words or word.removesuffix("es") in words
