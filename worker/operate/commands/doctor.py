"""`chasqui doctor`: a line for everything the service needs, and how to mend what is not well."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.text import Text

from worker.operate.commands.terminal import json_option, out, print_json
from worker.runtime.environment import HOME

if TYPE_CHECKING:
    from worker.operate.doctor.finding import Finding

#: Mark, its stand-in for terminals without Unicode, and colour, by state.
MARKS = {"ok": ("✓", "ok", "green"), "warning": ("!", "!", "yellow"), "failed": ("✗", "X", "red")}


@click.command()
@click.option("--no-probe", is_flag=True, help="Do not ask the providers (a probe is one call of one token to each).")
@json_option
def doctor(no_probe: bool, as_json: bool) -> None:
    """Check servers, migrations, providers, circuits, queues and what waits; say how to mend what is not well.

    Changes nothing and starts nothing. Exits 1 if a line is marked ✗.
    """
    from worker.operate.doctor.examination import as_it_is, examine, is_fit

    with as_it_is(HOME) as configured, Console(stderr=True).status("Looking at servers, providers and work"):
        findings = examine(configured, HOME, probe=not no_probe)
    fit = is_fit(findings)
    if as_json:
        print_json({"fit": fit, "checks": findings})
    else:
        show(out, findings)
    sys.exit(0 if fit else 1)


def show(console: Console, findings: Sequence[Finding]) -> None:
    """Prints a line for each finding, names aligned; lines are not broken, so that they can be searched."""
    width = max(len(finding.check) for finding in findings)
    for finding in findings:
        mark, plain, colour = MARKS[finding.state]
        line = Text(mark if console.encoding.startswith("utf") else plain, colour)
        line.append(f" {finding.check:<{width}}  ", "bold").append(finding.found, "default")
        if finding.mend:
            line.append(f" - {finding.mend}", "dim")
        console.print(line, soft_wrap=True)
