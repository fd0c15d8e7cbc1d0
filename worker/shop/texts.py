"""Texts: the fixed texts for customers, from `texts.toml` and `cart_texts.toml`, in the shop's form of address."""

import tomllib
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, get_args

from worker.shop.conventions import Form

FORMS: tuple[Form, ...] = get_args(Form)


class Wording:
    """Fixed texts in one form of address, by `group.name`."""

    def __init__(self, form: Form, texts: Mapping[str, Mapping[Form, str]]) -> None:
        self.form = form
        self._texts = {name: forms[form] for name, forms in texts.items()}

    def text(self, name: str, /, **values: object) -> str:
        """Returns a text with its places filled in.

        Args:
            name: as `cart.empty`.

        Raises:
            KeyError: there is no such text, or a value of it is missing.
        """
        return self._texts[name].format(**values)

    def has(self, name: str) -> bool:
        """Returns whether there is a text of this name, for those that are named after something from outside."""
        return name in self._texts


@lru_cache(maxsize=len(FORMS))
def wording(form: Form) -> Wording:
    """Returns the texts in a form of address."""
    return Wording(form, texts())


@lru_cache(maxsize=1)
def texts() -> Mapping[str, Mapping[Form, str]]:
    """Returns all texts in all forms, by name, as the files have them."""
    return {
        f"{group}.{name}": given
        for file in sorted(Path(__file__).parent.glob("*texts.toml"))
        for group, table in tomllib.loads(file.read_text("utf-8")).items()
        for name, given in _texts(table)
    }


def _texts(table: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[Form, str]]]:
    """Yields the texts of a group; one that is the same in all forms is given once."""
    for name, given in table.items():
        yield name, dict.fromkeys(FORMS, given) if isinstance(given, str) else given
