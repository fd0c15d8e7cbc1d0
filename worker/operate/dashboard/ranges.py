"""The lengths of time that the dashboard can look back over."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TimeRange:
    """A window of `window_s` seconds, drawn in buckets of `bucket_s`, read again after `every_s` at the earliest.

    From a day on the buckets are of whole hours: those are summed up already, however many turns there were.
    """

    name: str
    label: str
    window_s: int
    bucket_s: int
    every_s: float


RANGES = (
    TimeRange("15m", "15 min", 900, 15, 4.0),
    TimeRange("1h", "1 h", 3_600, 60, 4.0),
    TimeRange("24h", "24 h", 86_400, 3_600, 8.0),
    TimeRange("7d", "7 d", 604_800, 10_800, 30.0),
    TimeRange("30d", "30 d", 2_592_000, 86_400, 60.0),
)
DEFAULT = RANGES[2]


def named(name: str) -> TimeRange:
    """The range of this name, the default where there is none."""
    return next((candidate for candidate in RANGES if candidate.name == name), DEFAULT)
