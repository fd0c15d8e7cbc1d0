"""`make faults`: breaks the service in every way the suite knows and checks what it has promised.

Exits 0 if so, 1 with a line for each reason if not. Writes build/faults.json.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence

import click
import structlog

from faults.play import ROUND_MESSAGES, open_play
from faults.report import reported, workplace
from faults.suite import Fault, Result, all_faults, short_faults, suffer
from worker.errors import ChasquiError
from worker.operate.commands.terminal import interrupting


@click.command()
@click.option("--seed", type=int, default=1, show_default=True, help="Another seed: other messages, other moments.")
@click.option("--only", metavar="TEXT", multiple=True, help="Only faults with TEXT in their name; may be repeated.")
@click.option("--short", is_flag=True, help="A handful of each kind, as `make test-long` runs it.")
@click.option("--messages", type=click.IntRange(2), default=ROUND_MESSAGES, show_default=True, help="Of each round.")
def main(seed: int, only: Sequence[str], short: bool, messages: int) -> None:
    """Break the service and check what it has promised."""
    faults = [fault for fault in (short_faults() if short else all_faults()) if fault.is_wanted(only)]
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
    with workplace("faults") as directory, open_play(directory, seed, messages) as play:
        with reported("faults", faults) as report:
            report.take(suffer(play, faults, report.advance))
        return report.results


if __name__ == "__main__":
    main()
