"""Vocabulary: words said around the names of goods (`data/words.toml`), units and packings (`data/units.toml`),
and forms of words. Everything is in normalised form.

The lists err on one side on purpose: a word that could lean on a conversation is here even if it also names a product.
A wrong "stands on its own" shows one customer another's answer; a wrong "leans" costs one call of a model.
"""

import re
import tomllib
from pathlib import Path
from typing import Any, Final


def read_data(name: str) -> dict[str, Any]:
    """Reads `data/<name>.toml`."""
    return tomllib.loads((Path(__file__).parent / "data" / f"{name}.toml").read_text("utf-8"))


_DATA: Final = read_data("words")
_UNITS: Final = read_data("units")


def _words(name: str) -> frozenset[str]:
    return frozenset(_DATA[name].split())


def _packing_words(name: str) -> frozenset[str]:
    return frozenset(_UNITS["said"][name].split())


POINTING = _words("pointing")
QUALITIES = _words("qualities")
NAMELESS = _words("nameless")
NAMES_WITH_MORE = _words("names_with_more")
OF_SOMETHING = _words("of_something")
ANSWER_WORDS = _words("answer_words")
ASKING = _words("asking")
EVERYDAY = _words("everyday")
SMALL_WORDS = _words("small_words")
#: Frequent words that name nothing on a shelf.
COMMON_WORDS = _words("common") | SMALL_WORDS | NAMELESS
TOLD = _words("told")
TELLING = _words("telling")
REASONS = _words("reasons")
SAID_OF_THINGS = _words("said_of_things")
OF_AN_HOUR = _words("of_an_hour")
FILLERS = _words("fillers")
BEFORE_NUMBERS = _words("before_numbers")
HOMELY = _words("homely")
NO_USES = _words("no_uses")
ARTICLES = _words("articles")
DEFINITE = _words("definite")
PREPOSITIONS = _words("prepositions")
LINKS = ARTICLES | PREPOSITIONS
#: Spellings of units, by how they are written.
UNITS: Final = {typed: unit for unit, typings in _UNITS["units"].items() for typed in (unit, *typings.split())}
#: How units are written, those that only the search counts too.
UNIT_WORDS: Final = (*UNITS, *_UNITS["search"]["others"].split())
MEASURES = _packing_words("measures") | frozenset(_UNITS["search"]["containers"].split()) | _words("kinds_of")
PACKINGS, PACKED = map(_packing_words, ("packings", "packed"))
#: Numbers in words, from one on.
NUMBERS = {word: str(number) for number, word in enumerate(_DATA["counted"].split(), start=1)}
#: The usual spelling of a word, by how it is also typed.
SPELLINGS = {typed: word for word, typings in _DATA["spellings"].items() for typed in typings.split()}
#: Verbs of a conversation or an order, whatever their ending; "mandarlo", "llevando", "pediste", "agregame"; "3ra".
LEANING = re.compile(
    r"(?:sum|agreg|anad|añad|sac|quit|elimin|borr|llev|compr|pag|envi|entreg|mand|pedi|pid|dij|dec|mostr|muestr|ofrec"
    r"|nombr|mencion|coment|eleg|elij|reserv|apart|confirm|cancel|repet|repit|devolv|devuelv|recib|lleg|cobr|factur"
    r"|consult|pregunt|retir)\w+"
    r"|\w+[aei]rl[oae]s?|\w+(?:ando|iendo)(?:l[oae]s?)?|\w+(?:aste|iste|aron|ieron)|\w{2,}[ae]me(?:l[oae]s?)?"
    r"|\w+mente|\d+(?:r[oa]|d[oa]|er|t[oa]|[oa]|m[oa]|v[oa])"
)
#: Participles ("rallado"), infinitives ("retirar") and whatever else is built like an adjective: they name no product,
#: but for those in NAMES_ALL_THE_SAME and the words known to be sold here.
FORMLESS = re.compile(
    r"\w+(?:[aio]d|isim|os|iv|ic|ari|eñ|[ai]n)[oa]s?|\w{3,}e[sr][oa]s?|\w+(?:[ai]ble|[aei]nte)s?|\w+al(?:es)?|\w+[aei]r"
)
