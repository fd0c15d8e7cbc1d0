"""Labelled lines that the classifier learns from: files of lines, and the messages that are written after them.

A line is `text<TAB>intent<TAB>complexity`. In its text "(tenés|hay)" is one of these, "{p}" a value of `slots.toml`,
and "=" at the beginning says that customers write nothing before or behind it. Lines with "#" in front are comments.
"""

from __future__ import annotations

import hashlib
import random
import re
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from helpers.basics import REPOSITORY

from training.writing import as_typed
from worker.language.normalise import normalised

LINES: Final = REPOSITORY / "worker" / "language" / "data" / "lines"
UTTERANCES: Final = REPOSITORY / "tests" / "data" / "utterances.tsv"
#: Messages written after a line: so many at least, more where it may be read in many ways, and at most so many.
FEWEST: Final = 6
MOST: Final = 36
VERBATIM: Final = "="
ALTERNATIVES: Final = re.compile(r"\(([^()]*\|[^()]*)\)")
SLOT: Final = re.compile(r"\{(\w+)\}")
ARTICLE: Final = re.compile(r"^(?:el|la|los|las) ")
#: An amount of something is said of one kind of goods more often than of "leches".
NAMED: Final = 0.7


@dataclass(frozen=True, slots=True)
class Line:
    """One labelled line, as it stands in its file."""

    text: str
    intent: str
    complexity: str

    @property
    def kind(self) -> str:
        """Its class: intent and complexity."""
        return f"{self.intent} {self.complexity}"


@dataclass(frozen=True, slots=True)
class Example:
    """One message to learn from.

    Args:
        plain: its normalised text.
        line: the number of the line that it was written after.
    """

    plain: str
    intent: str
    complexity: str
    line: int

    @property
    def kind(self) -> str:
        """Its class: intent and complexity."""
        return f"{self.intent} {self.complexity}"


def read_lines(path: Path) -> list[Line]:
    """The lines of a file.

    Raises:
        ValueError: a line is not made of these three fields.
    """
    written = path.read_text("utf-8").splitlines()
    return [_line(path, row) for row in written if row.strip() and not row.startswith("#")]


def _line(path: Path, row: str) -> Line:
    fields = row.split("\t")
    if len(fields) != 3:
        raise ValueError(f"{path.name}: a line is text, intent and complexity with tabs between: {row!r}")
    return Line(*fields)


def our_lines() -> list[Line]:
    """The lines that are shipped, file by file."""
    return [line for path in sorted(LINES.glob("*.tsv")) for line in read_lines(path)]


def measured_lines() -> list[Line]:
    """The messages on which the tests measure, which are learned too: they are the oldest that the project has."""
    rows = (row.split("\t") for row in UTTERANCES.read_text("utf-8").splitlines() if not row.startswith("#"))
    return [Line(VERBATIM + text, intent, complexity) for text, complexity, _shared, intent in rows]


def shares(lines: Sequence[Line]) -> dict[str, float]:
    """The share of each class (intent and complexity) in lines, each of which somebody wrote: what to expect."""
    counted = Counter(line.kind for line in lines)
    return {kind: times / len(lines) for kind, times in counted.items()}


def digest(lines: Iterable[Line]) -> str:
    """SHA-256 of lines and slots."""
    written = "\n".join(f"{line.text}\t{line.intent}\t{line.complexity}" for line in lines)
    return hashlib.sha256(written.encode() + (LINES / "slots.toml").read_bytes()).hexdigest()


def examples(lines: Sequence[Line], seed: int) -> list[Example]:
    """Messages written after lines, each once; the same for the same seed."""
    written: dict[str, Example] = {}
    chance = random.Random(seed)
    writer = Writer(chance)
    for number, line in enumerate(lines):
        for text in writer.messages(line.text):
            plain = normalised(text)
            written.setdefault(plain, Example(plain, line.intent, line.complexity, number))
    return list(written.values())


class Writer:
    """Writer of messages after lines.

    Args:
        chance: what decides where there is a choice.
    """

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        values = tomllib.loads((LINES / "slots.toml").read_text("utf-8"))
        self._values = {name: [value.strip() for value in text.split(";")] for name, text in values.items()}

    def messages(self, text: str) -> Iterator[str]:
        """Messages after the text of a line."""
        if text.startswith(VERBATIM):
            for written in self._verbatim(text.removeprefix(VERBATIM)):
                yield from (written, *(as_typed(written, self._chance) for _ in range(1, FEWEST)))
            return
        for _ in range(_how_many(text)):
            yield as_typed(self._carried(self._filled(text)), self._chance)

    def _verbatim(self, text: str) -> list[str]:
        whole = ALTERNATIVES.fullmatch(text)
        return [self._filled(each) for each in (whole[1].split("|") if whole else [text])]

    def _filled(self, text: str) -> str:
        """A text with its choices made and its slots filled."""
        while found := ALTERNATIVES.search(text):
            text = text[: found.start()] + self._chance.choice(found[1].split("|")) + text[found.end() :]
        while found := SLOT.search(text):
            text = text[: found.start()] + self._value(found[1]) + text[found.end() :]
        return " ".join(text.split())

    def _value(self, slot: str) -> str:
        if slot == "p":
            return ARTICLE.sub("", self._value("elp"))
        if slot == "unp":
            return f"{self._value('count')} {self._value('p' if self._chance.random() < NAMED else 'ps')}"
        return self._chance.choice(self._values[slot])

    def _carried(self, text: str) -> str:
        """A text with what some customers write before or behind it."""
        if self._chance.random() < 0.38:
            text = f"{self._filled(self._value('lead'))} {text}"
        if self._chance.random() < 0.28:
            tail = self._value("tail")
            text += tail if tail[0] in "?!" else f" {tail}"
        return text


def _how_many(text: str) -> int:
    ways = 1
    for alternatives in ALTERNATIVES.findall(text):
        ways *= alternatives.count("|") + 1
    return min(max(FEWEST, int(FEWEST * ways**0.5)), MOST)
