"""Topics of customers, as regular expressions searched in normalised text (`data/topics.toml`)."""

import re
from typing import Any, Final

from worker.language.answers import asks, denies, speaks_of_pickup
from worker.language.normalise import normalised
from worker.language.vocabulary import GROCERIES, read_data

_DATA: Final[dict[str, Any]] = read_data("topics")
_PART: Final = re.compile(r"\{([a-z_]+)\}")


def _filled(pattern: str) -> str:
    """A pattern with its parts in the place of their names."""
    return _PART.sub(lambda found: _either(_DATA["parts"][found[1]]), pattern)


def _either(phrasings: str) -> str:
    """A group that matches one of these; one phrasing, or a few between bars, on a line."""
    return f"(?:{'|'.join(map(_filled, phrasings.strip().splitlines()))})"


TOPIC: Final = re.compile(
    "|".join(rf"(?P<{name}>\b{_either(phrasings)}(?!\w))" for name, phrasings in _DATA["topics"].items())
)
_ADDRESS: Final = re.compile(rf"\b{_either(_DATA['address']['streets'])}\b.*\d")
_STREET, _NO_ADDRESS, _LIST = (re.compile(_filled(_DATA["address"][name])) for name in ("street", "none", "list"))
_PERSON: Final = re.compile(_DATA["person"]["asked"])
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
    return _PERSON.search(plain) is not None


def speaks_of_goods(text: str) -> bool:
    """Returns whether a text asks something, or wants goods put in, changed or taken out. A long one may."""
    plain = normalised(text[: _LONGEST + 1])
    wanted = {"add", "modify", "remove", "clear", "search"}
    return asks(text) or len(text) > _LONGEST or bool(_LIST.match(plain)) or not wanted.isdisjoint(topics(plain))


def is_address(text: str) -> bool:
    """Returns whether a text is plainly a street address and nothing else: it asks and denies nothing, names no way to
    pay or to fetch, and no goods.
    """
    plain = normalised(text)
    if "?" in text or _LIST.match(plain) or denies(text) or speaks_of_pickup(text) or _NO_ADDRESS.search(plain):
        return False
    # "Coca cola 2250" begins with something sold.
    return bool(_ADDRESS.search(plain) or (_STREET.match(plain) and plain.split()[0] not in GROCERIES))
