"""Opening hours at a moment: several spans, past midnight, holidays, days nobody knows, and clocks that are moved."""

from __future__ import annotations

from datetime import UTC, date, datetime
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from helpers.shops import MEXICAN, shop_of

from worker.shop.hours import DAY_MINUTES, Hours, Span, hours_in_words, opening, serves_today, span_of

MADRID = ZoneInfo("Europe/Madrid")
MEXICO = ZoneInfo("America/Mexico_City")
ALWAYS = (Span(0, DAY_MINUTES),)


def at(zone: ZoneInfo, year: int, month: int, day: int, hour: int, minute: int, fold: int = 0) -> datetime:
    """A moment by the clock on the shop's wall, as UTC."""
    return datetime(year, month, day, hour, minute, tzinfo=zone, fold=fold).astimezone(UTC)


def weekly(**days: str) -> Hours:
    """Hours by weekday, `monday="09:00-13:00,17:00-21:00"`; an empty text is closed, a day not given unknown."""
    names = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
    given = {name: tuple(map(span_of, filter(None, text.split(",")))) for name, text in days.items()}
    return Hours(tuple(given.get(name) for name in names))


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("09:00-13:00", Span(540, 780)),
        ("9:30 - 13:00", Span(570, 780)),
        ("20:00–02:00", Span(1200, 1560)),
        ("18:00-24:00", Span(1080, 1440)),
        ("18:00-00:00", Span(1080, 1440)),
        ("00:00-24:00", Span(0, 1440)),
    ],
)
def test_spans(text: str, span: Span) -> None:
    """A dash of any length; past midnight where it ends before it begins."""
    assert span_of(text) == span


@pytest.mark.parametrize("text", ["", "-", "09:00", "24:00-02:00", "09:00-24:30", "9-13", "１:00-２:00-3", "a:b-c:d"])
def test_what_is_no_span(text: str) -> None:
    """Is refused in words."""
    with pytest.raises(ValueError, match=r'^"'):
        span_of(text)


@pytest.mark.parametrize(
    ("moment", "told"),
    [
        ((2026, 11, 30, 8, 59), {"open": False, "opens": "09:00"}),
        ((2026, 11, 30, 9, 0), {"open": True, "closes": "14:00"}),
        ((2026, 11, 30, 13, 59), {"open": True, "closes": "14:00"}),
        ((2026, 11, 30, 14, 0), {"open": False, "opens": "16:00"}),
        ((2026, 11, 30, 21, 0), {"open": False, "opens": "martes 1 de diciembre 09:00"}),
        ((2026, 12, 5, 20, 0), {"open": False, "opens": "lunes 7 de diciembre 09:00"}),
        ((2026, 12, 12, 11, 0), {"open": False, "opens": "lunes 14 de diciembre 09:00"}),
        ((2026, 12, 24, 20, 59), {"open": True, "closes": "21:00"}),
        ((2026, 12, 25, 10, 0), {"open": False, "opens": "sábado 26 de diciembre 10:00"}),
    ],
)
def test_one_branch_through_a_week(
    tmp_path: Path, moment: tuple[int, int, int, int, int], told: dict[str, object]
) -> None:
    """Two spans a day, a Sunday, a holiday on a Saturday and Christmas."""
    now = shop_of(tmp_path, MEXICAN).now_facts(at(MEXICO, *moment))
    assert now["branches"]["Centro"] == told


@pytest.mark.parametrize(
    ("moment", "told"),
    [
        ((2026, 12, 4, 19, 59), {"open": False, "opens": "20:00"}),
        ((2026, 12, 4, 23, 30), {"open": True, "closes": "02:00"}),
        ((2026, 12, 5, 1, 59), {"open": True, "closes": "02:00"}),
        ((2026, 12, 5, 2, 0), {"open": False, "opens": "20:00"}),
        ((2026, 12, 6, 1, 0), {"open": True, "closes": "02:00"}),
    ],
)
def test_past_midnight(tmp_path: Path, moment: tuple[int, int, int, int, int], told: dict[str, object]) -> None:
    """The night belongs to the day it began; the last one reaches into a day of which nothing is known."""
    now = shop_of(tmp_path, MEXICAN).now_facts(at(MEXICO, *moment))
    assert now["branches"]["Roma"] == told


def test_a_day_nobody_knows_is_not_told(tmp_path: Path) -> None:
    """Neither open nor closed; nor is an opening that such a day may come before."""
    now = shop_of(tmp_path, MEXICAN).now_facts(at(MEXICO, 2026, 11, 30, 10, 0))
    assert "Roma" not in now["branches"]
    hours = weekly(monday="09:00-13:00", wednesday="09:00-13:00")
    known = opening(hours, at(MADRID, 2026, 11, 30, 15, 0), MADRID)
    assert known is not None
    assert (known.is_open, known.changes) == (False, None)
    assert opening(hours, at(MADRID, 2026, 12, 1, 10, 0), MADRID) is None


def test_a_night_into_a_holiday_stays() -> None:
    """Open on the evening of the 24th until two, though the 25th is closed."""
    hours = Hours((None,) * 7, ((date(2026, 12, 24), (span_of("20:00-02:00"),)), (date(2026, 12, 25), ())))
    found = opening(hours, at(MADRID, 2026, 12, 25, 1, 0), MADRID)
    assert found is not None
    assert (found.is_open, found.changes) == (True, at(MADRID, 2026, 12, 25, 2, 0))


def test_open_round_the_clock() -> None:
    """Nobody is told when it closes; where one day is shorter, that it closes then."""
    always = Hours((ALWAYS,) * 7)
    found = opening(always, at(MADRID, 2026, 11, 30, 12, 0), MADRID)
    assert found is not None
    assert (found.is_open, found.changes) == (True, None)
    shorter = Hours((ALWAYS,) * 7, ((date(2026, 12, 2), (span_of("00:00-12:00"),)),))
    found = opening(shorter, at(MADRID, 2026, 11, 30, 12, 0), MADRID)
    assert found is not None
    assert found.changes == at(MADRID, 2026, 12, 2, 12, 0)


def test_open_to_the_end_of_what_is_known() -> None:
    """Midnight before a day that nobody knows is no closing time."""
    hours = weekly(saturday="00:00-24:00")
    found = opening(hours, at(MADRID, 2026, 12, 5, 12, 0), MADRID)
    assert found is not None
    assert (found.is_open, found.changes) == (True, None)


def test_clocks_that_are_moved() -> None:
    """Summer time ends on 2026-10-25 at three in Madrid, and begins on 2026-03-29 at two: the wall's clock counts."""
    hours = weekly(saturday="20:00-04:00", sunday="09:00-13:00")
    for fold, minute_of_utc in ((0, 0), (1, 1)):
        moment = at(MADRID, 2026, 10, 25, 2, 30, fold=fold)
        assert moment == datetime(2026, 10, 25, minute_of_utc, 30, tzinfo=UTC)
        found = opening(hours, moment, MADRID)
        assert found is not None
        assert (found.is_open, found.changes) == (True, datetime(2026, 10, 25, 3, 0, tzinfo=UTC))
    spring = opening(hours, datetime(2026, 3, 29, 1, 30, tzinfo=UTC), MADRID)
    assert spring is not None
    assert spring.changes == datetime(2026, 3, 29, 2, 0, tzinfo=UTC)
    assert at(MADRID, 2026, 3, 29, 9, 0) == datetime(2026, 3, 29, 7, 0, tzinfo=UTC)
    before = opening(hours, datetime(2026, 3, 29, 6, 59, tzinfo=UTC), MADRID)
    assert before is not None
    assert before.changes == datetime(2026, 3, 29, 7, 0, tzinfo=UTC)


def test_the_shops_own_day_counts(tmp_path: Path) -> None:
    """Two in the morning in Greenwich is still yesterday in Mexico."""
    now = shop_of(tmp_path, MEXICAN).now_facts(datetime(2026, 12, 1, 2, 0, tzinfo=UTC))
    assert now["today"] == "lunes 30 de noviembre"


@pytest.mark.parametrize(
    ("moment", "told"),
    [
        ((2026, 11, 30, 8, 0), True),
        ((2026, 11, 30, 19, 59), True),
        ((2026, 11, 30, 20, 0), False),
        ((2026, 12, 1, 12, 0), None),
        ((2026, 12, 6, 12, 0), False),
    ],
)
def test_deliveries_of_the_day(tmp_path: Path, moment: tuple[int, int, int, int, int], told: bool | None) -> None:
    """Until the last of its hours is over; not known on a day that is not told."""
    now = shop_of(tmp_path, MEXICAN).now_facts(at(MEXICO, *moment))
    assert now.get("delivery_today") is told


def test_deliveries_past_midnight() -> None:
    """What began yesterday is not over yet."""
    hours = weekly(friday="20:00-02:00", saturday="")
    assert serves_today(hours, at(MADRID, 2026, 12, 5, 1, 0), MADRID) is True
    assert serves_today(hours, at(MADRID, 2026, 12, 5, 3, 0), MADRID) is False


def test_what_depends_on_the_hour_seldom_changes(tmp_path: Path) -> None:
    """Minute by minute through a Monday it is one of six, so that cached answers live: it holds no minutes."""
    shop = shop_of(tmp_path, MEXICAN)
    told = [str(shop.now_facts(at(MEXICO, 2026, 11, 30, hour, minute))) for hour in range(24) for minute in range(60)]
    changes = sum(one != other for one, other in pairwise(told))
    assert changes == 5, "opens, closes, opens, the last delivery, closes"


def test_hours_in_words(tmp_path: Path) -> None:
    """Days of the same hours in one, then the exceptions; a day nobody knows is left out."""
    shop = shop_of(tmp_path, MEXICAN)
    assert shop.hours is not None
    assert hours_in_words(shop.hours) == {
        "lunes a viernes": "09:00-14:00, 16:00-21:00",
        "sábado": "10:00-15:00",
        "domingo": "cerrado",
        "12/12/2026": "cerrado",
        "25/12/2026": "cerrado",
    }
    assert hours_in_words(weekly(friday="20:00-02:00", saturday="20:00-02:00")) == {"viernes y sábado": "20:00-02:00"}
    assert hours_in_words(Hours((ALWAYS,) * 7)) == {"lunes a domingo": "00:00-24:00"}
