"""`make faults`: breaks the service in every way the suite knows and checks what it has promised.

Exits 0 if so, 1 with a line for each reason if not. Writes build/faults.json.
"""

from __future__ import annotations

import logging
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import click
import orjson
import structlog
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from faults.play import ROUND_MESSAGES, open_play
from faults.suite import Fault, Result, all_faults, short_faults, suffer
from worker.errors import ChasquiError
from worker.operate.commands.terminal import interrupting
from worker.runtime.environment import HOME

RESULT: Final = Path("build") / "faults.json"
LOG: Final = Path("build") / "faults.log"
#: Reasons shown of one fault; the file has them all.
SHOWN: Final = 10
HEAD: Final = (
    f"{'fault':<42}{'times':>6}{'messages':>10}{'lost':>6}{'doubled':>9}{'order':>7}{'median s':>10}{'max s':>8}"
)
console = Console(highlight=False, soft_wrap=True)


@click.command()
@click.option("--seed", type=int, default=1, show_default=True, help="Another seed: other messages, other moments.")
@click.option("--only", metavar="TEXT", multiple=True, help="Only faults with TEXT in their name; may be repeated.")
@click.option("--short", is_flag=True, help="A handful of each kind, as `make test` runs it.")
@click.option("--messages", type=click.IntRange(2), default=ROUND_MESSAGES, show_default=True, help="Of each round.")
def main(seed: int, only: Sequence[str], short: bool, messages: int) -> None:
    """Break the service and check what it has promised."""
    faults = [fault for fault in (short_faults() if short else all_faults()) if _wanted(fault, only)]
    if not faults:
        raise click.UsageError("no fault has such a name")
    # What the supervisor says of its children's deaths is no news here.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    try:
        with interrupting():
            results = run(seed, faults, messages)
    except ChasquiError as exc:
        raise click.ClickException(str(exc)) from exc
    sys.exit(1 if any(result.findings for result in results) else 0)


def run(seed: int, faults: Sequence[Fault], messages: int) -> list[Result]:
    """All faults in a town of their own: a line for each, and the file."""
    began = time.monotonic()
    results = []
    with _directory() as directory, open_play(directory, seed, messages) as play, _progress(faults) as (progress, task):
        console.print(HEAD)
        for result in suffer(play, faults, lambda: progress.advance(task)):
            results.append(result)
            console.print(line(result))
            _tell_reasons(result)
            _write(results)
    _sum_up(results, time.monotonic() - began)
    return results


def line(result: Result) -> str:
    """One fault as a row of the table."""
    figures = result.figures
    counts = f"{figures['injected']:>6}{figures['messages']:>10,}{figures['lost']:>6}{figures['doubled']:>9}"
    recovery = figures["recovery_s"]
    return f"{result.fault:<40}{counts}{figures['out_of_order']:>7}{recovery['median']:>10.1f}{recovery['max']:>8.1f}"


def _wanted(fault: Fault, only: Sequence[str]) -> bool:
    return not only or any(text.lower() in fault.name.lower() for text in only)


def _tell_reasons(result: Result) -> None:
    for finding in result.findings[:SHOWN]:
        console.print(f"    {finding.kind}: {finding.what}", markup=False)
    if len(result.findings) > SHOWN:
        console.print(f"    and {len(result.findings) - SHOWN} more")


def _write(results: Sequence[Result]) -> None:
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_bytes(orjson.dumps([result.figures for result in results], option=orjson.OPT_INDENT_2))


def _sum_up(results: Sequence[Result], took_s: float) -> None:
    times, messages = sum(r.injected for r in results), sum(r.messages for r in results)
    wrong = sum(len(result.findings) for result in results)
    verdict = "nothing lost, doubled or out of order" if not wrong else f"{wrong} promises not kept"
    console.print(
        f"{times} faults, {messages:,} messages in {took_s / 60:.1f} minutes: {verdict}. Written to {RESULT}."
    )


@contextmanager
def _directory() -> Iterator[Path]:
    """Where the town lives; removed afterwards, but for what its processes have logged."""
    HOME.mkdir(mode=0o700, exist_ok=True)
    directory = Path(tempfile.mkdtemp(prefix="faults-", dir=HOME))
    try:
        yield directory
    finally:
        LOG.parent.mkdir(exist_ok=True)
        if (directory / "service.log").exists():
            shutil.move(directory / "service.log", LOG)
        shutil.rmtree(directory, ignore_errors=True)


@contextmanager
def _progress(faults: Sequence[Fault]) -> Iterator[tuple[Progress, TaskID]]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as progress:
        yield progress, progress.add_task("faults", total=sum(fault.times for fault in faults))


if __name__ == "__main__":
    main()
