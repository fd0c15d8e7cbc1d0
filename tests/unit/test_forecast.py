"""The forecast of what will be asked: worked out by hand, and against the plain ways on a history of its own."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from random import Random

import pytest

from worker.precache.forecast import (
    ANY_HOUR_DAYS,
    HALF_LIFE_DAYS,
    SAME_WEEKDAY,
    UNSEEN_DAYS,
    DayCount,
    Follower,
    History,
    chance,
    forecast,
)

DAY_H = 24


def days(*asked: int, form: str = "a") -> list[DayCount]:
    """What was asked yesterday, the day before, and so on, all of it in the hours that are to come."""
    return [DayCount(form, day, count, count) for day, count in enumerate(asked, 1) if count]


def test_one_day_by_hand() -> None:
    """Asked six times yesterday; all hours are asked about, so that both averages are of the same."""
    hourly = 6 / (DAY_H + UNSEEN_DAYS * DAY_H)
    expected = (6 + ANY_HOUR_DAYS * hourly * DAY_H) / (1 + UNSEEN_DAYS + ANY_HOUR_DAYS)
    assert forecast(History(24.0, days(6)), DAY_H) == pytest.approx({"a": expected})


def test_nothing_is_known_of_a_first_hour() -> None:
    """Nor of a shop without any."""
    assert forecast(History(0.0, []), DAY_H) == {}


@pytest.mark.parametrize("asked", [1, 2, 3, 10])
def test_what_was_asked_once_may_not_be_asked_again(asked: int) -> None:
    """It is expected less often than it was, and never more."""
    assert 0.4 * asked < forecast(History(24.0, days(asked)), DAY_H)["a"] < asked


def test_the_newest_day_weighs_most() -> None:
    """What is no longer asked fades, by half in a week; so a season passes."""
    rising, falling = (forecast(History(4 * 24.0, days(*asked)), DAY_H)["a"] for asked in ((8, 4, 2, 1), (1, 2, 4, 8)))
    assert rising > falling
    one, other = (forecast(History(30 * 24.0, [DayCount("a", day, 8, 8)]), DAY_H)["a"] for day in (1, 16))
    assert one / other == pytest.approx(2 ** (15 / HALF_LIFE_DAYS))


def test_the_same_weekday_weighs_more() -> None:
    """Who sells meat on Saturdays is asked for it on Saturdays."""
    history = [DayCount("a", 7, 8, 8), DayCount("b", 6, 8, 8)]
    found = forecast(History(8 * 24.0, history), DAY_H)
    assert found["a"] / found["b"] == pytest.approx(SAME_WEEKDAY * 2 ** (-1 / HALF_LIFE_DAYS))


def test_the_hours_to_come_count() -> None:
    """Breakfast is asked for in the morning: the same number of questions at other hours is worth less."""
    history = [DayCount("coffee", day, 10, 10) for day in range(1, 8)] + [
        DayCount("pizza", day, 10, 0) for day in range(1, 8)
    ]
    found = forecast(History(7 * 24.0, history), 6)
    assert found["coffee"] > 4 * found["pizza"] > 0


def test_a_part_of_a_day_is_a_part() -> None:
    """Six hours after opening, six questions are a day's worth of more than six."""
    assert forecast(History(6.0, days(6)), DAY_H)["a"] > 6


def test_conversations_under_way_go_on() -> None:
    """More than usual have just asked for pasta: sauce is expected more, as far as it follows."""
    history = days(24, form="pasta") + days(24, form="sauce")
    followers = [Follower("pasta", "sauce", 3), Follower("pasta", "wine", 1)]
    usual = forecast(History(24.0, history, followers, {"pasta": 0}), 1)
    busy = forecast(History(24.0, history, followers, {"pasta": 20}, recent_h=1.0), 1)
    hourly = 24 / (DAY_H + UNSEEN_DAYS * DAY_H)
    assert busy["sauce"] - usual["sauce"] == pytest.approx((20 - hourly) * 3 / 4)
    assert busy["pasta"] == usual["pasta"]


def test_chances() -> None:
    """Nothing expected is never asked; once expected is asked in two of three cases."""
    assert (chance(0.0), chance(1.0)) == (0.0, pytest.approx(1 - math.exp(-1)))


def shop_days(number: int, seed: int) -> list[Counter[str]]:
    """What a shop is asked: some forms often and most seldom, some at the weekend alone, some rising and falling."""
    rng = Random(seed)
    weights = {f"form {rank}": 60 / rank for rank in range(1, 400)}
    weekend = {f"grill {rank}": 25 / rank for rank in range(1, 40)}
    made = []
    for day in range(number):
        season = {f"season {rank}": (1 + abs(day % 42 - 21)) / rank for rank in range(1, 40)}
        forms = weights | season | (weekend if day % 7 in (5, 6) else {})
        made.append(Counter(rng.choices(list(forms), list(forms.values()), k=900)))
    return made


def histories(made: Sequence[Counter[str]], day: int) -> History:
    """What is known at the beginning of a day."""
    counts = [DayCount(form, day - past, asked, asked) for past in range(day) for form, asked in made[past].items()]
    return History(24.0 * day, counts)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_it_finds_more_than_the_plain_ways(seed: int) -> None:
    """Nothing made ahead finds nothing. Of as many forms as yesterday's most asked ones more are asked, fewer are in
    vain, and about as many are asked as it says.
    """
    made = shop_days(42, seed)
    ours = yesterdays = said = picked = 0
    for day in range(14, 42):
        expected = forecast(histories(made, day), DAY_H)
        likely = sorted(expected, key=lambda form: (-expected[form], form))[:150]
        top = [form for form, _ in made[day - 1].most_common(150)]
        ours += sum(form in made[day] for form in likely)
        yesterdays += sum(form in made[day] for form in top)
        said += sum(chance(expected[form]) for form in likely)
        picked += len(likely)
    assert ours > 1.04 * yesterdays
    assert picked - ours < 0.9 * (picked - yesterdays)
    assert abs(said - ours) / picked < 0.06
