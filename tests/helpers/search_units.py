"""Writes the units and containers of `worker/language/data/units.toml` into the search functions of the database."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Final

from helpers.basics import REPOSITORY

DATA: Final = REPOSITORY / "worker" / "language" / "data" / "units.toml"
FUNCTIONS: Final = REPOSITORY / "db" / "functions"
#: Functions that read them, with the pattern in which the words stand between bars.
PLACES: Final = {
    "catalog_words_v2": re.compile(r"(?<=-- units\n        ')[a-z|]+"),
    "term_words_v2": re.compile(r"(?<=-- containers\n                       '\^\()[a-z|]+"),
}


def written(name: str) -> str:
    """The text of a function as the data would have it."""
    data = tomllib.loads(DATA.read_text("utf-8"))
    units = [word for unit, words in data["units"].items() for word in (unit, *words.split())]
    words = {
        "catalog_words_v2": [*units, *data["search"]["others"].split(), *data["search"]["pieces"].split()],
        "term_words_v2": data["search"]["containers"].split(),
    }
    # The longest first, so that "kg" is not read as "k".
    ordered = "|".join(sorted(words[name], key=lambda word: (-len(word), word)))
    return PLACES[name].sub(ordered, path_of(name).read_text("utf-8"))


def path_of(name: str) -> Path:
    """The file of a function."""
    return FUNCTIONS / f"{name}.sql"


if __name__ == "__main__":
    for function in PLACES:
        path_of(function).write_text(written(function), "utf-8")
