"""Windows of time as people type them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import click
import pytest

from worker.operate.commands.report import length, moment, window_of

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
DAY_S = 86_400.0


@pytest.mark.parametrize(
    ("typed", "seconds"),
    [("90s", 90), ("30m", 1_800), ("24h", 86_400), ("7d", 604_800), ("4w", 2_419_200), (" 2H ", 7_200)],
)
def test_a_length(typed: str, seconds: int) -> None:
    """A number and a unit."""
    assert length(typed) == timedelta(seconds=seconds)


@pytest.mark.parametrize("typed", ["", "24", "h", "0h", "-1h", "1.5h", "1h30m", "2x", "99999999d"])
def test_no_length(typed: str) -> None:
    """Anything else is refused in words that say how it is written."""
    with pytest.raises(click.BadParameter, match="write 90s"):
        length(typed)


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("2026-11-01", "2026-11-01T00:00:00+00:00"),
        ("2026-11-01T09:30", "2026-11-01T09:30:00+00:00"),
        ("2026-11-01 09:30Z", "2026-11-01T09:30:00+00:00"),
        ("2026-11-01T09:30-03:00", "2026-11-01T09:30:00-03:00"),
    ],
)
def test_a_moment(typed: str, expected: str) -> None:
    """ISO 8601; UTC where no zone is named."""
    assert moment(typed).isoformat() == expected


@pytest.mark.parametrize("typed", ["", "yesterday", "2026-13-01", "24h"])
def test_no_moment(typed: str) -> None:
    """Anything else is refused in words that say how it is written."""
    with pytest.raises(click.BadParameter, match="write 2026"):
        moment(typed)


def test_the_windows_that_can_be_asked_for() -> None:
    """Back from now, back from an end, from a beginning to now, from a beginning to an end."""
    begin, end = NOW - timedelta(hours=5), NOW - timedelta(hours=2)
    assert window_of(None, None, None, NOW, DAY_S) == (DAY_S, None)
    assert window_of(timedelta(hours=1), None, None, NOW, DAY_S) == (3_600.0, None)
    assert window_of(timedelta(hours=1), None, end, NOW, DAY_S) == (3_600.0, end)
    assert window_of(None, None, end, NOW, DAY_S) == (DAY_S, end)
    assert window_of(None, begin, None, NOW, DAY_S) == (5 * 3_600.0, None)
    assert window_of(None, begin, end, NOW, DAY_S) == (3 * 3_600.0, end)


@pytest.mark.parametrize(
    ("since", "begin", "end"),
    [
        (timedelta(hours=1), NOW - timedelta(hours=1), None),
        (None, NOW, NOW),
        (None, NOW + timedelta(seconds=1), None),
        (None, datetime(1, 1, 1, tzinfo=UTC), None),
    ],
)
def test_windows_that_make_no_sense(since: timedelta | None, begin: datetime | None, end: datetime | None) -> None:
    """Two beginnings, no length, a beginning after the end, or one before anything was counted: wrong usage."""
    with pytest.raises(click.UsageError):
        window_of(since, begin, end, NOW, DAY_S)
