"""Vocabulary: word lists of `data/words.toml`, and forms of words. Everything is in normalised form.

The lists err on one side on purpose: a word that could lean on a conversation is here even if it also names a product.
A wrong "stands on its own" shows one customer another's answer; a wrong "leans" costs one call of a model.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

_DATA = tomllib.loads((Path(__file__).parent / "data" / "words.toml").read_text("utf-8"))


def _words(name: str) -> frozenset[str]:
    return frozenset(_DATA[name].split())


_COMMON = tomllib.loads((Path(__file__).parent / "data" / "common.toml").read_text("utf-8"))
#: Frequent words that name nothing on a shelf.
COMMON_WORDS = frozenset(_COMMON["words"].split())
GROCERIES = _words("groceries")
POINTING = _words("pointing")
NOT_LEANING = _words("not_leaning")
MEASURES = _words("measures")
QUALITIES = _words("qualities")
FLAVOURS = _words("flavours")
NAMELESS = _words("nameless")
NAMES_WITH_MORE = _words("names_with_more")
NAMES_ALL_THE_SAME = _words("names_all_the_same")
SECTIONS = _words("sections")
ANSWER_WORDS = _words("answer_words")
ASKING = _words("asking")
EVERYDAY = _words("everyday")
SMALL_WORDS = _words("small_words")
TOLD = _words("told")
OF_AN_HOUR = _words("of_an_hour")
TEAS = _words("teas")
#: Numbers in words, from one on.
COUNTED = tuple(_DATA["counted"].split())
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
