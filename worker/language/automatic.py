"""Automatic answers: what a telephone or a program writes by itself, known by its words."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

_DATA = tomllib.loads(Path(__file__).with_name("data").joinpath("automatic.toml").read_text("utf-8"))
_PHRASES, _OPENINGS = ("|".join(map(re.escape, _DATA[name])) for name in ("phrases", "openings"))
AUTOMATIC = re.compile(rf"\b(?:{_PHRASES})\b|^(?:{_OPENINGS})\b")


def is_automatic(plain: str) -> bool:
    """Returns whether a normalised text is one that nobody types."""
    return AUTOMATIC.search(plain) is not None
