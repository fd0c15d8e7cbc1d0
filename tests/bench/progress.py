"""How far the benchmark is: a bar on a terminal, and a line for every run that has ended."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn


class Course:
    """steps: how many runs there will be."""

    def __init__(self, console: Console, steps: int) -> None:
        columns = (BarColumn(), TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn())
        self._progress = Progress(
            TextColumn("{task.description}"), *columns, console=console, disable=not console.is_terminal
        )
        self._task: TaskID = self._progress.add_task("starting", total=steps)
        self._done = 0
        self._within = 1

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *exc: BaseException | TracebackType | type[BaseException] | None) -> None:
        self._progress.stop()

    def begin(self, name: str, messages: int) -> None:
        """A run of so many messages begins."""
        self._within = max(messages, 1)
        self._progress.update(self._task, description=name)

    def look(self, count: int) -> None:
        """So many messages of it are answered."""
        self._progress.update(self._task, completed=self._done + min(count / self._within, 1.0))

    def end(self, line: str) -> None:
        """It has ended, with this to say."""
        self._done += 1
        self._progress.update(self._task, completed=self._done)
        self._progress.console.print(line)
