"""The form of docstrings (CONTRIBUTING): they begin with what a thing is or does."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import pytest
from helpers.basics import REPOSITORY

#: A relative clause in the place of a noun, or the middle of a sentence.
BEGINS_ELSEWHERE = re.compile(
    r"(?:What|Who|Whoever|Whose|That|Where|Whether|How|Nor|Neither|And|But|Also|Of|For|With|Without|From|To|By)\b"
)


def found(source: str, name: str) -> Iterator[str]:
    """Docstrings of a module that begin elsewhere."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            text = ast.get_docstring(node) or ""
            if BEGINS_ELSEWHERE.match(text):
                yield f"{name}: {text.splitlines()[0]}"


@pytest.mark.parametrize("room", ["worker", "db"])
def test_docstrings_begin_with_the_thing(room: str) -> None:
    """Everywhere in what is shipped."""
    files = sorted((REPOSITORY / room).rglob("*.py"))
    assert [line for file in files for line in found(file.read_text("utf-8"), file.name)] == []


@pytest.mark.parametrize("text", ["What it does.", "Whoever asks.", "Of a turn.", "Nor participles."])
def test_a_docstring_that_begins_elsewhere_is_found(text: str) -> None:
    """In a function as in a class."""
    assert list(found(f'def f():\n    """{text}"""', "x")) == [f"x: {text}"]
