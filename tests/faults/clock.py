"""The clock of one process, shifted from outside while it runs: eight bytes in a file that it maps.

Python's `time.time` and `datetime.now` go wrong together, as they do when a machine's clock is set wrongly; the
monotonic clock does not, nor do the clocks of PostgreSQL and Redis.
"""

from __future__ import annotations

import datetime as datetime_module
import mmap
import struct
import sys
import time
from pathlib import Path
from typing import Any

_SECONDS = struct.Struct("d")
_TRUE_TIME = time.time
_TRUE_DATETIME = datetime_module.datetime
#: Who reads the wall clock by a name imported from `datetime`.
READERS = ("worker.", "celery.")


def set_shift(path: Path, seconds: float) -> None:
    """Sets the clock of the process that maps this file ahead (or, negative, behind)."""
    with path.open("r+b" if path.exists() else "w+b") as file:
        file.write(_SECONDS.pack(seconds))


class ShiftedClock:
    """What a process does about it: `install_time` before it imports anything else, `install_datetime` after."""

    def __init__(self, path: Path) -> None:
        with path.open("rb") as file:
            self._shift = mmap.mmap(file.fileno(), _SECONDS.size, access=mmap.ACCESS_READ)

    def time(self) -> float:
        """Seconds since 1970 on this process's clock."""
        return _TRUE_TIME() + float(_SECONDS.unpack_from(self._shift)[0])

    def install_time(self) -> None:
        """Everybody who imports `time` from now on gets this clock."""
        time.time = self.time

    def install_datetime(self) -> None:
        """The modules loaded so far that read `datetime.now` get this clock."""
        clock = self

        class Datetime(_TRUE_DATETIME):
            @classmethod
            def now(cls, tz: Any = None) -> Any:
                return _TRUE_DATETIME.fromtimestamp(clock.time(), tz)

            # Plain ones, as msgspec encodes them.
            fromtimestamp = _TRUE_DATETIME.fromtimestamp
            fromisoformat = _TRUE_DATETIME.fromisoformat

        for name, module in list(sys.modules.items()):
            if name.startswith(READERS) and vars(module).get("datetime") is _TRUE_DATETIME:
                module.datetime = Datetime  # type: ignore[attr-defined]  # it has: the line above looked
