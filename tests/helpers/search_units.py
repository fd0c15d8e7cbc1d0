"""Writes units, containers and short forms of `worker/language/data/units.toml` into the search functions of the
database.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from helpers.basics import REPOSITORY

DATA: Final = REPOSITORY / "worker" / "language" / "data" / "units.toml"
FUNCTIONS: Final = REPOSITORY / "db" / "functions"
#: Functions that read them, with the patterns in which the words stand.
PLACES: Final = {
    "catalog_words_v3": {
        "units": re.compile(r"(?<=-- units\n        ')[a-z|]+"),
        "short": re.compile(r"(?<=-- short forms\n        ')\{.*\}"),
    },
    "term_words_v2": {"containers": re.compile(r"(?<=-- containers\n                       '\^\()[a-z|]+")},
}


def written(name: str) -> str:
    """The text of a function as the data would have it."""
    text = path_of(name).read_text("utf-8")
    for kind, place in PLACES[name].items():
        text = place.sub(_words(kind), text)
    return text


def _words(kind: str) -> str:
    data = tomllib.loads(DATA.read_text("utf-8"))
    if kind == "short":
        found = {short: word for word, forms in data["short"].items() for short in forms.split()}
        return json.dumps(dict(sorted(found.items())), separators=(",", ":"))
    if kind == "containers":
        return _either(data["search"]["containers"].split())
    units = [word for unit, words in data["units"].items() for word in (unit, *words.split())]
    return _either([*units, *data["search"]["others"].split(), *data["search"]["pieces"].split()])


def _either(words: Iterable[str]) -> str:
    """The longest first, so that "kg" is not read as "k"."""
    return "|".join(sorted(words, key=lambda word: (-len(word), word)))


def path_of(name: str) -> Path:
    """The file of a function."""
    return FUNCTIONS / f"{name}.sql"


if __name__ == "__main__":
    for function in PLACES:
        path_of(function).write_text(written(function), "utf-8")
