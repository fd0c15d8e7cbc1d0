"""Windows of time as people type them: `--since 24h`, `--from 2026-11-01 --to 2026-11-02T12:30`."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import click

UNITS_S = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 7 * 86_400}
LENGTH = re.compile(r"(\d{1,9})([smhdw])")
LONGEST = timedelta(days=36_500)
Command = TypeVar("Command", bound=Callable[..., Any])


def length(value: str | timedelta) -> timedelta:
    """A length of time like `90s`, `30m`, `24h`, `7d` or `4w`, at most a hundred years. Raises BadParameter."""
    if isinstance(value, timedelta):
        return value
    found = LENGTH.fullmatch(value.strip().lower())
    given = timedelta(seconds=int(found[1]) * UNITS_S[found[2]]) if found else timedelta()
    if not timedelta() < given <= LONGEST:
        raise click.BadParameter(f"{value!r} is no length of time: write 90s, 30m, 24h, 7d or 4w")
    return given


def moment(value: str | datetime) -> datetime:
    """A moment in ISO 8601, in UTC where it names no zone. Raises BadParameter."""
    if isinstance(value, datetime):
        return value
    try:
        given = datetime.fromisoformat(value.strip())
    except ValueError:
        raise click.BadParameter(
            f"{value!r} is no time: write 2026-11-01, 2026-11-01T09:30 or 2026-11-01T09:30-03:00"
        ) from None
    return given if given.tzinfo else given.replace(tzinfo=UTC)


def window_options(command: Command) -> Command:
    """Adds --since, --from and --to; the command gets them as `since`, `begin` and `end`."""
    for option in (
        click.option("--to", "end", type=moment, metavar="TIME", help="Where the window ends; now if left out."),
        click.option(
            "--from",
            "begin",
            type=moment,
            metavar="TIME",
            help="Where it begins: a time in ISO 8601, UTC if without zone.",
        ),
        click.option(
            "--since",
            type=length,
            metavar="LENGTH",
            help="How far it reaches back: 90s, 30m, 24h (the default), 7d, 4w.",
        ),
    ):
        command = option(command)
    return command


def window_of(
    since: timedelta | None, begin: datetime | None, end: datetime | None, now: datetime, default_s: float
) -> tuple[float, datetime | None]:
    """The window that was asked for: its length in seconds, and where it ends, None for now. Raises UsageError."""
    if since is not None and begin is not None:
        raise click.UsageError("--since and --from both say where the window begins: give one of them")
    if begin is None:
        return since.total_seconds() if since else default_s, end
    given = (end or now) - begin
    if not timedelta() < given <= LONGEST:
        raise click.UsageError("the window must begin before it ends, and not a hundred years before")
    return given.total_seconds(), end
