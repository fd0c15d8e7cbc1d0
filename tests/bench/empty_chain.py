"""A chain of four Celery tasks that do nothing, on Celery's own settings: what the road costs before any work is done.

The broker is Celery's environment variable CELERY_BROKER_URL.
"""

from __future__ import annotations

import struct
import time
from pathlib import Path
from typing import Any, Final

from celery import Celery, chain

#: One time in the file of ends: seconds on the monotonic clock, which is one for all processes of a Linux.
END: Final = struct.Struct("d")
app = Celery("empty_chain", set_as_current=False)


@app.task  # type: ignore[untyped-decorator]  # celery ships no types
def first() -> None:
    """Nothing."""


@app.task  # type: ignore[untyped-decorator]  # celery ships no types
def second() -> None:
    """Nothing."""


@app.task  # type: ignore[untyped-decorator]  # celery ships no types
def third() -> None:
    """Nothing."""


@app.task  # type: ignore[untyped-decorator]  # celery ships no types
def fourth(ends: str) -> None:
    """Notes when the chain has come to its end: some microseconds, and no result backend is needed to see it."""
    with open(ends, "ab", buffering=0) as file:
        file.write(END.pack(time.monotonic()))


def empty_chain(ends: Path) -> Any:
    """The chain; each end of it adds a time to the file."""
    return chain(first.si(), second.si(), third.si(), fourth.si(str(ends)))


def read_ends(ends: Path) -> list[float]:
    """Times at which chains ended, in seconds on the monotonic clock."""
    return [end for (end,) in END.iter_unpack(ends.read_bytes())]
