"""The named places at which a process of the suite can be made to crash, and the switches on disk that arm them.

There is no switch in production: `crashing.py`, which starts every process here, wraps the named functions.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any, Final

#: Functions of db.queries whose one statement is one commit.
COMMITS: Final = (
    "accept_messages",
    "sweep_turns",
    "begin_attempts",
    "suspend_attempts",
    "extend_leases",
    "wait_for_quiet",
    "claim_quiet",
    "release_turns",
    "update_session_cache",
    "record_metrics",
)
#: Calls that are one Lua script each; `publish` is one more, below.
SCRIPTS: Final = (
    "flight.join",
    "flight.end",
    "breaker.permit",
    "breaker.record",
    "budget.reserve",
    "budget.settle",
)
#: Reading the inbound stream; publishing replies; XACK with XDEL; Celery's acknowledgement; the next task.
PASSING_ON: Final = ("read", "publish", "finish", "acknowledge", "send_on")
PLACES: Final = (*COMMITS, *PASSING_ON, *SCRIPTS)
POINTS: Final = tuple(f"{place}.{side}" for place in PLACES for side in ("before", "after"))


@dataclass(frozen=True, slots=True)
class Crash:
    """A process that met an armed point. at: seconds since 1970, on the machine's true clock."""

    point: str
    pid: int
    at: float


class Switches:
    """Files in a directory that all processes of a town look at: armed crash points, and guards that are off."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def arm(self, point: str, action: str = "SIGKILL") -> None:
        """The next process to pass the point sends itself this signal; only that one."""
        assert point in POINTS, point
        waiting = self._directory / f"new.{point}"
        waiting.write_text(action)
        waiting.rename(self._armed(point))

    def disarm(self, point: str) -> bool:
        """Whether the point was still armed."""
        with suppress(FileNotFoundError):
            self._armed(point).unlink()
            return True
        return False

    def crashes(self) -> list[Crash]:
        """All crashes so far, oldest first."""
        return sorted(self._crashes(), key=lambda crash: crash.at)

    def _crashes(self) -> Iterator[Crash]:
        for path in self._directory.glob("crashed.*"):
            _, point, pid, at_ns = path.name.split("+")
            yield Crash(point, int(pid), int(at_ns) / 1e9)

    def pass_by(self, point: str) -> None:
        """Called by a process at a point: where it is armed, and by this very process disarmed, this is its end."""
        armed = self._armed(point)
        if not armed.exists():
            return
        at_ns = time.clock_gettime_ns(time.CLOCK_REALTIME)
        mark = self._directory / f"crashed.+{point}+{os.getpid()}+{at_ns}"
        with suppress(FileNotFoundError):
            armed.rename(mark)
            os.kill(os.getpid(), signal.Signals[mark.read_text()])

    def turn_off(self, guard: str) -> None:
        """Switches a guard off in all processes."""
        self._off(guard).touch()

    def turn_on(self, guard: str) -> None:
        """Switches a guard on again."""
        self._off(guard).unlink(missing_ok=True)

    def is_off(self, guard: str) -> bool:
        """Whether the guard is switched off."""
        return self._off(guard).exists()

    def _armed(self, point: str) -> Path:
        return self._directory / f"armed.{point}"

    def _off(self, guard: str) -> Path:
        return self._directory / f"off.{guard}"


def watched(switches: Switches, place: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """The function with a crash point before and one after it."""

    @wraps(function)
    def run(*args: Any, **kwargs: Any) -> Any:
        switches.pass_by(f"{place}.before")
        result = function(*args, **kwargs)
        switches.pass_by(f"{place}.after")
        return result

    return run
