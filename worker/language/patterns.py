"""Patterns: regular expressions over what is written, in `data/patterns.toml` beside the modules that read them.

The table of a module's name holds its patterns, and `rules` of rewriting. A pattern has one alternative or more, each
on a line or an entry of its own; "{name}" in one stands for one of `[parts]`.
"""

import re
import tomllib
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

_PART = re.compile(r"\{([a-z_]+)\}")
Pattern = str | list[str]
#: What is looked for, and what is put in its place, in their order.
Rules = tuple[tuple[re.Pattern[str], str | Callable[[re.Match[str]], str]], ...]


@cache
def read_data(module: str, name: str) -> dict[str, Any]:
    """Reads `data/<name>.toml` beside a module, which is given by its file."""
    return tomllib.loads((Path(module).parent / "data" / f"{name}.toml").read_text("utf-8"))


def filled(pattern: Pattern, parts: Mapping[str, Pattern]) -> str:
    """The alternatives of a pattern as one, with its parts in the place of their names."""
    alternatives = pattern.strip("\n").splitlines() if isinstance(pattern, str) else pattern
    return "|".join([_PART.sub(lambda found: f"(?:{filled(parts[found[1]], parts)})", each) for each in alternatives])


def compiled(table: Mapping[str, Pattern], parts: Mapping[str, Pattern]) -> dict[str, re.Pattern[str]]:
    """The patterns of a table, by name."""
    return {name: re.compile(filled(pattern, parts)) for name, pattern in table.items()}


def patterns_of(module: str, parts: Mapping[str, Pattern] | None = None) -> dict[str, re.Pattern[str]]:
    """The patterns of a module, by name. parts: beside those of its file."""
    data = read_data(module, "patterns")
    table = {name: pattern for name, pattern in data[Path(module).stem].items() if name != "rules"}
    return compiled(table, data["parts"] | (parts or {}))


def rules_of(module: str) -> dict[str, Rules]:
    """The rules of a module, by name."""
    data = read_data(module, "patterns")
    return {
        name: tuple((re.compile(filled([find], data["parts"])), _put(into)) for find, into in rows)
        for name, rows in data[Path(module).stem]["rules"].items()
    }


def _put(into: str) -> str | Callable[[re.Match[str]], str]:
    """Replacement of a match: `sub` reads a template anew in each text, also where nothing matches."""
    return (lambda found: found.expand(into)) if "\\" in into else into


def rewritten(text: str, rules: Rules) -> str:
    """A text to which some rules were applied, one after the other."""
    for find, put in rules:
        text = find.sub(put, text)
    return text
