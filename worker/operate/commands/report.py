"""`chasqui report`, over a window of time as people type it: `--since 24h`, `--from 2026-11-01 --to 2026-11-02`."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import click

from worker.operate.commands.terminal import database, json_option, out, print_json
from worker.operate.report_tables import as_tables
from worker.telemetry.report import DEFAULT_WINDOW_S, make_report

UNITS_S = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 7 * 86_400}
LENGTH = re.compile(r"(\d{1,9})([smhdw])")
LONGEST = timedelta(days=36_500)


def length(value: str | timedelta) -> timedelta:
    """Reads a length of time like `90s`, `30m`, `24h`, `7d` or `4w`, at most a hundred years. Raises BadParameter."""
    if isinstance(value, timedelta):
        return value
    found = LENGTH.fullmatch(value.strip().lower())
    given = timedelta(seconds=int(found[1]) * UNITS_S[found[2]]) if found else timedelta()
    if not timedelta() < given <= LONGEST:
        raise click.BadParameter(f"{value!r} is no length of time: write 90s, 30m, 24h, 7d or 4w")
    return given


def moment(value: str | datetime) -> datetime:
    """Reads a moment in ISO 8601, in UTC where it names no zone. Raises BadParameter."""
    if isinstance(value, datetime):
        return value
    try:
        given = datetime.fromisoformat(value.strip())
    except ValueError:
        raise click.BadParameter(
            f"{value!r} is no time: write 2026-11-01, 2026-11-01T09:30 or 2026-11-01T09:30-03:00"
        ) from None
    return given if given.tzinfo else given.replace(tzinfo=UTC)


def window_of(
    since: timedelta | None, begin: datetime | None, end: datetime | None, now: datetime, default_s: float
) -> tuple[float, datetime | None]:
    """Returns the length in seconds of the window that was asked for, and its end, None for now. Raises UsageError."""
    if since is not None and begin is not None:
        raise click.UsageError("--since and --from both say where the window begins: give one of them")
    if begin is None:
        return since.total_seconds() if since else default_s, end
    given = (end or now) - begin
    if not timedelta() < given <= LONGEST:
        raise click.UsageError("the window must begin before it ends, and not a hundred years before")
    return given.total_seconds(), end


@click.command()
@json_option
@click.option("--window", "window_s", type=click.IntRange(1, 10**9), help="As --since, in seconds.")
@click.option(
    "--since", type=length, metavar="LENGTH", help="How far it reaches back: 90s, 30m, 24h (the default), 7d, 4w."
)
@click.option(
    "--from",
    "begin",
    type=moment,
    metavar="TIME",
    help="Where it begins: a time in ISO 8601, UTC if without zone.",
)
@click.option("--to", "end", type=moment, metavar="TIME", help="Where the window ends; now if left out.")
def report(
    as_json: bool, window_s: int | None, since: timedelta | None, begin: datetime | None, end: datetime | None
) -> None:
    """Show what was answered, from where, how fast, and what it cost, in the last 24 hours or any other window."""
    if window_s is not None and (since or begin):
        raise click.UsageError("--window, --since and --from all say where the window begins: give one of them")
    length_s, until = window_of(since, begin, end, datetime.now(UTC), window_s or DEFAULT_WINDOW_S)
    with database() as connection:
        figures = make_report(connection, length_s, until)
    if as_json:
        print_json(figures)
    else:
        out.print(as_tables(figures, until))
