"""Reading YAML by the library in C where PyYAML has it: every process of a run reads the files of a deployment."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import yaml

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def load(text: str) -> Any:
    """The document of a text."""
    return yaml.load(text, LOADER)


def load_all(text: str) -> Iterator[Any]:
    """The documents of a text."""
    return yaml.load_all(text, LOADER)
