"""Runs a program and looks, about every millisecond of CPU time that it uses, at the function it is in. Unlike a
profiler that follows every call it hardly slows it down, and time in which others have the core does not count.

    python -m bench.sampled OUT MODULE [ARGUMENT ...]

Sampling begins with the signal START; at the end OUT gets a JSON list of [function, own, all]: samples with the
function at the end of the stack, and anywhere on it.
"""

from __future__ import annotations

import json
import runpy
import signal
import sys
from collections import Counter
from pathlib import Path
from types import FrameType
from typing import Final

START: Final = signal.SIGRTMIN
EVERY_S: Final = 0.001


class Samples:
    """What was seen."""

    def __init__(self) -> None:
        self._own: Counter[str] = Counter()
        self._all: Counter[str] = Counter()

    def start(self, *_: object) -> None:
        """Looks from now on, by the timer that runs while the process does."""
        signal.signal(signal.SIGPROF, self._look)
        signal.setitimer(signal.ITIMER_PROF, EVERY_S, EVERY_S)

    def stop(self) -> None:
        """Looks no more."""
        signal.setitimer(signal.ITIMER_PROF, 0)

    def rows(self) -> list[tuple[str, int, int]]:
        """[function, own, all], most own first."""
        return [(name, self._own[name], self._all[name]) for name in sorted(self._all, key=lambda n: -self._own[n])]

    def _look(self, _number: int, frame: FrameType | None) -> None:
        if frame is not None:
            self._own[_name(frame)] += 1
        on_stack = set()
        while frame is not None:
            on_stack.add(_name(frame))
            frame = frame.f_back
        self._all.update(on_stack)


def _name(frame: FrameType) -> str:
    path = "/".join(Path(frame.f_code.co_filename).parts[-2:])
    return f"{path} {frame.f_code.co_qualname}"


def main(out: str, module: str, *arguments: str) -> None:
    """Runs the module as `python -m` would."""
    samples = Samples()
    signal.signal(START, samples.start)
    sys.argv = [module, *arguments]
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    finally:
        samples.stop()
        Path(out).write_text(json.dumps(samples.rows()), "utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
