"""Automatic answers: what a telephone or a program writes by itself, known by its words."""

from __future__ import annotations

import tomllib
from pathlib import Path

_DATA = tomllib.loads(Path(__file__).with_name("data").joinpath("automatic.toml").read_text("utf-8"))
_PHRASES = tuple(f" {phrase} " for phrase in _DATA["phrases"])
_OPENINGS = tuple(f" {phrase} " for phrase in _DATA["openings"])


def is_automatic(words: str) -> bool:
    """Returns whether a text is one that nobody types, by its words as `folded` gives them."""
    plain = f" {words} "
    return plain.startswith(_OPENINGS) or any(phrase in plain for phrase in _PHRASES)
