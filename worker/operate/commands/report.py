"""The report."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import click

from worker.operate.commands.terminal import database, out, print_json
from worker.operate.commands.windows import window_of, window_options

DAY_S = 86_400


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--window", "window_s", type=click.IntRange(1, 10**9), help="As --since, in seconds.")
@window_options
def report(
    as_json: bool, window_s: int | None, since: timedelta | None, begin: datetime | None, end: datetime | None
) -> None:
    """Show what was answered, from where, how fast, and what it cost, in the last 24 hours or any other window."""
    from worker.operate.report_tables import as_tables
    from worker.telemetry.report import make_report

    if window_s is not None and (since or begin):
        raise click.UsageError("--window, --since and --from all say where the window begins: give one of them")
    length_s, until = window_of(since, begin, end, datetime.now(UTC), window_s or DAY_S)
    with database() as connection:
        figures = make_report(connection, length_s, until)
    if as_json:
        print_json(figures)
    else:
        out.print(as_tables(figures, until))
