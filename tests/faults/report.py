"""What a run of faults says: a progress bar, a row of the table for each kind, the reasons, the file."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import orjson
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from faults.suite import Fault, Result
from worker.runtime.environment import HOME

BUILD: Final = Path("build")
#: Reasons shown of one fault; the file has them all.
SHOWN: Final = 10
HEAD: Final = (
    f"{'fault':<42}{'times':>6}{'messages':>10}{'lost':>6}{'doubled':>9}{'order':>7}{'median s':>10}{'max s':>8}"
)
console = Console(highlight=False, soft_wrap=True)


@dataclass(slots=True)
class Report:
    """Report of a run, written to build/<name>.json as it grows."""

    name: str
    progress: Progress
    results: list[Result] = field(default_factory=list)
    began: float = field(default_factory=time.monotonic)

    def advance(self) -> None:
        """One round more has been played."""
        self.progress.advance(self.progress.task_ids[0])

    def take(self, results: Iterable[Result]) -> None:
        """Prints each result as it comes."""
        for result in results:
            self.results.append(result)
            console.print(line(result))
            _tell_reasons(result)
            _file(self.name).parent.mkdir(exist_ok=True)
            shown = [each.figures for each in self.results]
            _file(self.name).write_bytes(orjson.dumps(shown, option=orjson.OPT_INDENT_2))

    def sum_up(self) -> None:
        """The last line."""
        times, messages = sum(r.injected for r in self.results), sum(r.messages for r in self.results)
        wrong = sum(len(result.findings) for result in self.results)
        verdict = "nothing lost, doubled or out of order" if not wrong else f"{wrong} promises not kept"
        took = f"{(time.monotonic() - self.began) / 60:.1f} minutes"
        console.print(f"{times} faults, {messages:,} messages in {took}: {verdict}. Written to {_file(self.name)}.")


@contextmanager
def reported(name: str, faults: Sequence[Fault]) -> Iterator[Report]:
    """The report of these faults, which is summed up at the end of the block."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as progress:
        progress.add_task(name, total=sum(fault.times for fault in faults))
        console.print(HEAD)
        yield (report := Report(name, progress))
    report.sum_up()


def line(result: Result) -> str:
    """One fault as a row of the table."""
    figures = result.figures
    counts = f"{figures['injected']:>6}{figures['messages']:>10,}{figures['lost']:>6}{figures['doubled']:>9}"
    recovery = figures["recovery_s"]
    return f"{result.fault:<42}{counts}{figures['out_of_order']:>7}{recovery['median']:>10.1f}{recovery['max']:>8.1f}"


def _tell_reasons(result: Result) -> None:
    for finding in result.findings[:SHOWN]:
        console.print(f"    {finding.kind}: {finding.what}", markup=False)
    if len(result.findings) > SHOWN:
        console.print(f"    and {len(result.findings) - SHOWN} more")


def _file(name: str) -> Path:
    return BUILD / f"{name}.json"


@contextmanager
def workplace(name: str) -> Iterator[Path]:
    """Where a town lives; removed afterwards, but for what its processes have logged: build/<name>.log."""
    HOME.mkdir(mode=0o700, exist_ok=True)
    directory = Path(tempfile.mkdtemp(prefix="faults-", dir=HOME)).resolve()
    try:
        yield directory
    finally:
        BUILD.mkdir(exist_ok=True)
        if (directory / "service.log").exists():
            shutil.move(directory / "service.log", BUILD / f"{name}.log")
        shutil.rmtree(directory, ignore_errors=True)
