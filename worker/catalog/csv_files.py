"""CSV files: encoding and separator, found out where that is safe, else asked for."""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Collection
from pathlib import Path
from typing import Final

from worker.errors import CommandError

#: Separators under the names that --separator takes.
SEPARATORS: Final = {"comma": ",", "semicolon": ";", "tab": "\t", "pipe": "|"}
#: UTF-32 first: its mark begins with that of UTF-16.
_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
#: The likely encoding of what is not UTF-8, since spreadsheets under Windows write it; only ever suggested.
_LIKELY: Final = "windows-1252"
#: Bytes shown on each side of one that does not fit.
_AROUND: Final = 10


def read_text(file: Path, encoding: str | None = None) -> str:
    """Returns a file's text without a byte order mark.

    Args:
        encoding: None: UTF-8 or what a byte order mark says; nothing else can be told apart safely.

    Raises:
        CommandError: it does not fit; suggests an encoding, with a word as it would then be read.
    """
    try:
        content = file.read_bytes()
    except OSError as exc:
        raise CommandError(f"{file}: cannot be read: {exc}") from exc
    marked = next((name for mark, name in _MARKS if content.startswith(mark)), None)
    if encoding is None and marked is None and b"\0" in content:
        raise CommandError(f"{file}: cannot be read: holds NUL bytes; if it is UTF-16, say --encoding utf-16-le")
    named = encoding or marked or "utf-8"
    try:
        return content.decode(named).removeprefix("\ufeff")
    except UnicodeDecodeError as exc:
        raise CommandError(f"{file}: cannot be read: {_misfit(content, exc.start, named)}") from exc


def _misfit(content: bytes, place: int, named: str) -> str:
    line = content.count(b"\n", 0, place) + 1
    told = f"line {line} is not {named}"
    if named == _LIKELY:
        return told
    before, after = content[max(place - _AROUND, 0) : place], content[place : place + _AROUND]
    near = (before.rpartition(b"\n")[2] + after.partition(b"\n")[0]).decode(_LIKELY, "replace")
    shown = "".join(sign if sign.isprintable() else "\ufffd" for sign in near.strip())
    return f'{told}; if "{shown}" is right there, say --encoding {_LIKELY}'


def reader_of(text: str, separator: str | None, known: Collection[str]) -> csv.DictReader[str]:
    """Returns rows by the header's names.

    Args:
        separator: a name of SEPARATORS; None: the one that finds most of the known columns in the header, or a comma.
    """
    sign = SEPARATORS[separator] if separator else max(SEPARATORS.values(), key=lambda s: _columns(text, s, known))
    return csv.DictReader(io.StringIO(text, newline=""), delimiter=sign)


def _columns(text: str, sign: str, known: Collection[str]) -> int:
    header = next(csv.reader(io.StringIO(text, newline=""), delimiter=sign), [])
    return sum(name.strip() in known for name in header)
