"""Patterns: regular expressions over what is written, as files of data have them.

A pattern has one alternative or several, each on a line or an entry of its own; "{name}" in one stands for a part.
"""

import re
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

_PART = re.compile(r"\{([a-z_]+)\}")
Pattern = str | list[str]
Rules = tuple[tuple[re.Pattern[str], str], ...]


def read_toml(file: Path) -> dict[str, Any]:
    """Reads a file of data."""
    return tomllib.loads(file.read_text("utf-8"))


def filled(pattern: Pattern, parts: Mapping[str, Pattern]) -> str:
    """The alternatives of a pattern as one, with its parts in the place of their names."""
    alternatives = pattern.strip("\n").splitlines() if isinstance(pattern, str) else pattern
    return "|".join([_PART.sub(lambda found: f"(?:{filled(parts[found[1]], parts)})", each) for each in alternatives])


def patterns(table: Mapping[str, Pattern], parts: Mapping[str, Pattern]) -> dict[str, re.Pattern[str]]:
    """The patterns of a table, by name."""
    return {name: re.compile(filled(pattern, parts)) for name, pattern in table.items()}


def rules(rows: Iterable[tuple[str, str]], parts: Mapping[str, Pattern]) -> Rules:
    """Rules of rewriting: what is looked for, and what is put in its place."""
    return tuple((re.compile(filled([find], parts)), put) for find, put in rows)


def rewritten(text: str, by_rules: Rules) -> str:
    """A text to which some rules were applied, one after the other."""
    for find, put in by_rules:
        text = find.sub(put, text)
    return text
