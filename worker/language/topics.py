"""Topics of customers, as regular expressions searched in normalised text (`data/topics.toml`)."""

import re
from typing import Any, Final

from worker.language.answers import asks, denies, speaks_of_pickup
from worker.language.normalise import normalised
from worker.language.patterns import compiled, filled, read_data
from worker.language.vocabulary import GROCERIES

_DATA: Final[dict[str, Any]] = read_data(__file__, "topics")
TOPIC: Final = re.compile(
    "|".join(
        rf"(?P<{name}>\b(?:{filled(phrasings, _DATA['parts'])})(?!\w))" for name, phrasings in _DATA["topics"].items()
    )
)
_P: Final = compiled(_DATA["address"] | _DATA["person"], _DATA["parts"])
#: Texts longer than this are not looked through for topics here.
_LONGEST: Final = 300
#: Said along with another topic, these are part of it: "in place of 2 give me 4", "send it to my house, I pay cash".
PART_OF: Final = {
    "modify": {"add", "remove"},
    "checkout": {"delivery", "payment"},
    "view": {"search", "status"},
    "person": {"add", "search"},
}


def topics(plain: str) -> list[str]:
    """Names of topics in the order in which a normalised text comes to them, each once."""
    found = list(dict.fromkeys(str(match.lastgroup) for match in TOPIC.finditer(plain)))
    parts = set().union(*(PART_OF.get(topic, ()) for topic in found))
    return [topic for topic in found if topic not in parts]


def asks_for_person(plain: str) -> bool:
    """Returns whether a normalised text asks to talk to somebody."""
    return _P["asked"].search(plain) is not None


def speaks_of_goods(text: str) -> bool:
    """Returns whether a text asks something, or wants goods put in, changed or taken out. A long one may."""
    plain = normalised(text[: _LONGEST + 1])
    wanted = {"add", "modify", "remove", "clear", "search"}
    return asks(text) or len(text) > _LONGEST or bool(_P["list"].match(plain)) or not wanted.isdisjoint(topics(plain))


def is_address(text: str) -> bool:
    """Returns whether a text is plainly a street address and nothing else: it asks and denies nothing, names no way to
    pay or to fetch, and no goods.
    """
    plain = normalised(text)
    if "?" in text or _P["list"].match(plain) or denies(text) or speaks_of_pickup(text) or _P["none"].search(plain):
        return False
    # "Coca cola 2250" begins with something sold.
    return bool(_P["with_streets"].search(plain) or (_P["street"].match(plain) and plain.split()[0] not in GROCERIES))
