"""Forecast of what will be asked: counts of past days, the newest weighing most, and what conversations go on to.

Pure: no I/O. Every figure can be worked out by hand: it is an average of what was asked on past days at these hours.
"""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence

from msgspec import Struct

DAY_H = 24
#: After so many days a count weighs half.
HALF_LIFE_DAYS = 5.0
#: A count of the same day of the week weighs so many times as much.
SAME_WEEKDAY = 3.0
#: What has been asked once may never be asked again: so many days, weighing as much as yesterday, without it are added.
UNSEEN_DAYS = 0.6
#: The form's average over all hours stands in for so many days at these hours.
ANY_HOUR_DAYS = 0.5


class DayCount(Struct, frozen=True):
    """Count of a form on one day.

    Args:
        asked: how often it was.
        day: 1 for the 24 hours up to now, 2 for those before, and so on.
        in_window: of it, in the hours of that day that are asked about.
    """

    form_key: str
    day: int
    asked: int
    in_window: int


class Follower(Struct, frozen=True):
    """Count of conversations that have gone on from one form to another."""

    after_key: str
    form_key: str
    asked: int


class History(Struct, frozen=True):
    """History of what a shop was asked.

    Args:
        span_h: hours since the first count, of which nothing older is known.
        recent: how often each form was asked in the last `recent_h` hours.
    """

    span_h: float
    days: Sequence[DayCount]
    followers: Sequence[Follower] = ()
    recent: Mapping[str, int] = {}
    recent_h: float = 1.0


def forecast(history: History, horizon_h: int) -> dict[str, float]:
    """Forecasts how often each form is asked in the next hours.

    Args:
        horizon_h: how many, 1 to 24; `in_window` counts the same hours of past days.
    """
    days = range(1, math.ceil(history.span_h / DAY_H) + 1)
    weights = {day: _weight(day) for day in days}
    covered = sum(weights[day] * _share(history.span_h, day, horizon_h) for day in days)
    all_hours = sum(weights[day] * DAY_H * _share(history.span_h, day, DAY_H) for day in days)
    if not all_hours:
        return {}
    window: defaultdict[str, float] = defaultdict(float)
    total: defaultdict[str, float] = defaultdict(float)
    for count in history.days:
        weight = weights.get(count.day, 0.0)
        window[count.form_key] += weight * count.in_window
        total[count.form_key] += weight * count.asked
    hourly = {key: asked / (all_hours + UNSEEN_DAYS * DAY_H) for key, asked in total.items()}
    steady = {
        key: (window[key] + ANY_HOUR_DAYS * rate * horizon_h) / (covered + UNSEEN_DAYS + ANY_HOUR_DAYS)
        for key, rate in hourly.items()
    }
    following = _following(history, hourly)
    return {key: asked + following.get(key, 0.0) for key, asked in steady.items()}


def chance(expected: float) -> float:
    """Chance that something is asked at all which is expected so often."""
    return 1.0 - math.exp(-expected)


def _weight(day: int) -> float:
    return math.pow(0.5, (day - 1) / HALF_LIFE_DAYS) * (SAME_WEEKDAY if day % 7 == 0 else 1.0)


def _share(span_h: float, day: int, horizon_h: int) -> float:
    """Share of the first `horizon_h` hours of a past day that is known: nothing before the first count."""
    known_h = span_h - (day * DAY_H - horizon_h)
    return min(max(known_h / horizon_h, 0.0), 1.0)


def _following(history: History, hourly: Mapping[str, float]) -> dict[str, float]:
    """Forecasts what conversations under way go on to, as far as there are more of them than usual."""
    leaving: defaultdict[str, int] = defaultdict(int)
    for pair in history.followers:
        leaving[pair.after_key] += pair.asked
    expected: defaultdict[str, float] = defaultdict(float)
    for pair in history.followers:
        surprise = history.recent.get(pair.after_key, 0) - hourly.get(pair.after_key, 0.0) * history.recent_h
        if surprise > 0:
            expected[pair.form_key] += surprise * pair.asked / leaving[pair.after_key]
    return expected
