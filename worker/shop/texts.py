"""Texts: the fixed texts for customers, from `texts.toml` and `cart_texts.toml`, in each form of address."""

import tomllib
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import get_args

from worker.shop.conventions import Form

FORMS: tuple[Form, ...] = get_args(Form)


@lru_cache(maxsize=1)
def texts() -> Mapping[str, Mapping[Form, str]]:
    """Returns all texts by `group.name`, each in all forms; the files give one that is the same in all once."""
    return {
        f"{group}.{name}": dict.fromkeys(FORMS, given) if isinstance(given, str) else given
        for file in sorted(Path(__file__).parent.glob("*texts.toml"))
        for group, table in tomllib.loads(file.read_text("utf-8")).items()
        for name, given in table.items()
    }
