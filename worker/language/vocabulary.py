"""Vocabulary: words said around the names of goods (`data/words.toml`), goods by all their names (`goods.toml`), units
and packings (`units.toml`). Everything is in normalised form.

The lists err on one side on purpose: a word that could lean on a conversation is here even if it also names a product.
A wrong "stands on its own" shows one customer another's answer; a wrong "leans" costs one call of a model.
"""

from collections.abc import Iterable, Mapping
from itertools import chain
from typing import Final

from worker.language.patterns import Pattern, patterns_of, read_data

_WORDS, _UNITS, _GOODS = (read_data(__file__, name) for name in ("words", "units", "goods"))
#: Lists of words, by name.
_LISTS: Final = _WORDS | _GOODS["lists"] | _UNITS["said"] | _UNITS["search"]


def _words(*names: str) -> frozenset[str]:
    return frozenset(word for name in names for word in _LISTS[name].split())


def _listed(names: str, sign: str = ",") -> tuple[str, ...]:
    return tuple(name.strip() for name in names.split(sign))


def _bare(name: str) -> str:
    """A name without the brackets of one that is a word of other things too."""
    return name.strip("()")


def _same(lines: Iterable[str]) -> dict[str, str]:
    """The first of the names that "=" joins, by each other one."""
    joined = (_listed(part, "=") for line in lines for part in _listed(line))
    return {_bare(other): _bare(first) for first, *others in joined for other in others}


def _things(table: Mapping[str, str]) -> dict[str, frozenset[str]]:
    """Names of things, by each of the words before them."""
    rows = ((words, frozenset(_listed(" ".join(things.split())))) for words, things in table.items())
    return {word: things for words, things in rows for word in words.split()}


_LINES: Final = tuple(chain.from_iterable(_GOODS["names"].values()))
_NAMES: Final = tuple(_listed(line.replace("=", ",")) for line in _LINES)
#: Names of one thing, each group as it stands on its line.
GROUPS: Final = tuple(tuple(map(_bare, names)) for names in _NAMES)
#: All words of these names.
NAME_WORDS: Final = frozenset(word for group in GROUPS for name in group for word in name.split())
#: A name by another one that shares its answer.
SAME: Final = _same((*_LINES, *_GOODS["said"]["same"]))
#: Names of what belongs to a kind, by names of the kind.
KINDS: Final = {_listed(kind): _listed(members) for kind, members in _GOODS["kinds"].items()}
#: Names of what signs picture.
PICTURES: Final = {sign: frozenset(names.split()) for sign, names in _GOODS["pictures"].items()}
FLAVOURS, SECTIONS, TEAS, WEIGHED = map(_words, ("flavours", "sections", "teas", "weighed"))
NAMES_ALL_THE_SAME, NOT_LEANING, DRINKS, BAGGED, WITHIN = map(
    _words, ("names_all_the_same", "not_leaning", "drinks", "bagged", "within")
)
#: Words that begin the name of something sold.
GROCERIES = (_words("goods") | {name for names in _NAMES for name in names if name.isalpha()}) - FLAVOURS
#: "De manzana" is a flavour, "la manzana" is a fruit.
FRUITS: Final = FLAVOURS & WEIGHED

#: What points at something said, shown or done before, or at a moment; and what tells of who writes.
POINTING, TELLING, OF_AN_HOUR = map(_words, ("pointing", "telling", "of_an_hour"))
#: Articles and prepositions: what leads on to a name.
ARTICLES, DEFINITE, PREPOSITIONS = map(_words, ("articles", "definite", "prepositions"))
LINKS = ARTICLES | PREPOSITIONS
#: How something is.
QUALITIES, SAID_OF_THINGS = map(_words, ("qualities", "said_of_things"))
#: How much of it, and in what.
MEASURES, PACKINGS, PACKED = _words("measures", "containers", "kinds_of"), _words("packings"), _words("packed")
#: Things by the packing in which they come as a rule, and by what they are for anyway.
COMES_IN, USED_FOR = _things(_UNITS["comes_in"]), _things(_GOODS["used_for"])
#: What names something only with more words behind it, or never.
NAMELESS, NAMES_WITH_MORE, OF_SOMETHING, NO_USES, HOMELY = map(
    _words, ("nameless", "names_with_more", "of_something", "no_uses", "homely")
)
#: Words of every sentence.
SMALL_WORDS, ASKING, EVERYDAY, REASONS, FILLERS = map(
    _words, ("small_words", "asking", "everyday", "reasons", "fillers")
)
ANSWER_WORDS, TOLD, BEFORE_NUMBERS = map(_words, ("answer_words", "told", "before_numbers"))
#: Frequent words that name nothing on a shelf.
COMMON_WORDS = _words("common", "small_words", "nameless")
#: Words that name no product alone, wherever they stand in the name of one.
NO_NAMES = NAMELESS | NAMES_WITH_MORE | QUALITIES | MEASURES | FLAVOURS | POINTING
#: Words that may stand in a name.
IN_NAMES: Final = (
    LINKS | QUALITIES | MEASURES | FLAVOURS | GROCERIES | NAMES_ALL_THE_SAME | EVERYDAY | SECTIONS | SAID_OF_THINGS
)
#: Of them, those that tell something of a thing; words of every sentence tell nothing of any.
TELLING_OF_THINGS: Final = (IN_NAMES - EVERYDAY) | SAID_OF_THINGS
OF_EVERY_SENTENCE: Final = COMMON_WORDS | ASKING
#: Words with which no name of an unknown thing begins.
BEGINNING_NO_NAME: Final = (OF_EVERY_SENTENCE - TELLING_OF_THINGS) | NAMELESS | QUALITIES | MEASURES | EVERYDAY | LINKS
#: Numbers in words, from one on.
NUMBERS = {word: str(number) for number, word in enumerate(_LISTS["counted"].split(), start=1)}
#: The usual spelling of a word, by how it is also typed.
SPELLINGS = {typed: word for word, typings in _WORDS["spellings"].items() for typed in typings.split()}
#: Spellings of units, by how they are written.
UNITS: Final = {typed: unit for unit, typings in _UNITS["units"].items() for typed in (unit, *typings.split())}
#: Words of price lists in full, by how they are cut short.
SHORT_FORMS: Final = {short: word for word, forms in _UNITS["short"].items() for short in forms.split()}
#: Parts of patterns; units that only the search counts are among the last.
PARTS: Final[dict[str, Pattern]] = {
    "unit": list(UNITS),
    "searched_unit": [*UNITS, *_UNITS["search"]["others"].split()],
}
_FORMS: Final = patterns_of(__file__)
#: Verbs of a conversation or an order, whatever their ending; and what is built like an adjective.
LEANING, FORMLESS = _FORMS["leaning"], _FORMS["formless"]
