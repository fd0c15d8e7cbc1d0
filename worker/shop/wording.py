"""Fixed texts for customers in the shop's form of address."""

from __future__ import annotations

import tomllib
from functools import lru_cache
from pathlib import Path

FORMS = ("vos", "tu", "usted")


@lru_cache(maxsize=1)
def texts() -> dict[str, str | dict[str, str]]:
    return {
        name: text
        for file in sorted(Path(__file__).parent.glob("*texts.toml"))
        for name, text in tomllib.loads(file.read_text("utf-8")).items()
    }


def text_of(name: str, form: str) -> str:
    text = texts()[name]
    return text if isinstance(text, str) else text[form]
