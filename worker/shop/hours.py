"""Opening hours: spans by weekday and by date, and what they say about a moment in the shop's time zone. Pure: no I/O.

A span that ends at or before its beginning goes on past midnight, and belongs to the day on which it began.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from itertools import groupby
from zoneinfo import ZoneInfo

from babel.dates import format_date
from msgspec import Struct

#: Nobody is told of an opening that is farther away.
LOOK_AHEAD_DAYS = 30
DAY_MINUTES = 24 * 60
WEEKDAYS = ("lunes", "martes", "miércoles", "jueves", "viernes", "sábado", "domingo")
CLOSED = "cerrado"


class Span(Struct, frozen=True, order=True):
    """Part of a day in which a shop is open, in minutes since its midnight; `closes` may lie beyond the next one."""

    opens: int
    closes: int

    def __str__(self) -> str:
        return f"{_clock(self.opens)}-{'24:00' if self.closes == DAY_MINUTES else _clock(self.closes)}"


class Hours(Struct, frozen=True):
    """Opening hours.

    Args:
        days: spans by weekday, Monday first; none: closed, None: not known.
        dates: spans of days that are not as their weekday, in their order.
    """

    days: tuple[tuple[Span, ...] | None, ...]
    dates: tuple[tuple[date, tuple[Span, ...]], ...] = ()

    def on(self, day: date) -> tuple[Span, ...] | None:
        """Returns the spans that begin on a day; None where they are not known."""
        return dict(self.dates).get(day, self.days[day.weekday()])

    def with_dates(self, dates: tuple[tuple[date, tuple[Span, ...]], ...]) -> Hours:
        """Returns the same hours with more exceptions; their own win."""
        return Hours(self.days, tuple(sorted((dict(dates) | dict(self.dates)).items())))


class Stretch(Struct, frozen=True):
    """Time without a break in which a shop is open, as instants of UTC."""

    opens: datetime
    closes: datetime


class Opening(Struct, frozen=True):
    """State of a shop at a moment.

    Args:
        is_open: customers are served.
        changes: when that will be otherwise; None where it will not soon, or is not known.
    """

    is_open: bool
    changes: datetime | None


def _clock(minutes: int) -> str:
    hours, rest = divmod(minutes % DAY_MINUTES, 60)
    return f"{hours:02}:{rest:02}"


def opening(hours: Hours, at: datetime, zone: ZoneInfo) -> Opening | None:
    """Returns whether a shop is open at an aware moment, None where it is not known."""
    coming = _coming(hours, at, zone)
    if coming is not None and coming.opens <= at:
        return Opening(True, coming.closes if _is_known_end(hours, coming, at, zone) else None)
    if hours.on(at.astimezone(zone).date()) is None:
        return None
    return Opening(False, coming.opens if coming else None)


def _is_known_end(hours: Hours, stretch: Stretch, at: datetime, zone: ZoneInfo) -> bool:
    """Returns whether a stretch ends because the shop closes, and not where our look ahead or the known days end."""
    end = stretch.closes.astimezone(zone)
    goes_on = end.time() == time(0) and hours.on(end.date()) is None
    return not goes_on and stretch.closes - at < timedelta(days=LOOK_AHEAD_DAYS // 2)


def serves_today(hours: Hours, at: datetime, zone: ZoneInfo) -> bool | None:
    """Returns whether anything of a day's hours is left at a moment of it, None where the day is not known."""
    today = at.astimezone(zone).date()
    coming = _coming(hours, at, zone)
    if coming is not None and coming.opens <= at:
        return True
    spans = hours.on(today)
    return None if spans is None else any(_instant(today, span.closes, zone) > at for span in spans)


def _coming(hours: Hours, at: datetime, zone: ZoneInfo) -> Stretch | None:
    """Returns the first stretch that is not over; those that touch are one: open until 24:00 and from 0:00."""
    found: Stretch | None = None
    for each in _stretches(hours, at.astimezone(zone).date(), zone):
        if found is None or each.opens > found.closes:
            if found is not None and found.closes > at:
                break
            found = each
        else:
            found = Stretch(found.opens, max(found.closes, each.closes))
    return found if found is not None and found.closes > at else None


def _stretches(hours: Hours, today: date, zone: ZoneInfo) -> Iterator[Stretch]:
    """Yields the stretches that begin yesterday or later, up to the first day that is not known."""
    for ahead in range(-1, LOOK_AHEAD_DAYS):
        day = today + timedelta(days=ahead)
        spans = hours.on(day)
        if spans is None and ahead >= 0:
            return
        for span in spans or ():
            yield Stretch(_instant(day, span.opens, zone), _instant(day, span.closes, zone))


def _instant(day: date, minutes: int, zone: ZoneInfo) -> datetime:
    """Returns the instant at which a clock on the wall of the shop shows a time, whatever summer time does that day."""
    over, rest = divmod(minutes, DAY_MINUTES)
    wall = datetime.combine(day + timedelta(days=over), time(*divmod(rest, 60)), zone)
    return wall.astimezone(UTC)


def span_of(text: object) -> Span:
    """Reads `09:00-13:00`; `20:00-02:00` goes on past midnight, `00:00-24:00` is the whole day. Raises ValueError with
    the part that is no time of day.
    """
    if not isinstance(text, str):
        raise ValueError('a span of time stands in quotes, such as "09:00-13:00"')
    opens, dash, closes = (part.strip() for part in text.replace("–", "-").partition("-"))
    if not dash:
        raise ValueError(f'"{text}" is no span of time such as "09:00-13:00"')
    first, last = _minutes(opens), _minutes(closes)
    if first in (DAY_MINUTES, last):
        raise ValueError(f'"{text}" is no span of time: the whole day is "00:00-24:00"')
    return Span(first, last if last > first else last + DAY_MINUTES)


def _minutes(text: str) -> int:
    hours, _, minutes = text.partition(":")
    figures = hours.isdecimal() and minutes.isdecimal() and len(hours) <= 2 == len(minutes)
    total = 60 * int(hours) + int(minutes) if figures else DAY_MINUTES + 1
    if total > DAY_MINUTES or int(minutes) > 59:
        raise ValueError(f'"{text}" is no time of day')
    return total


def hours_in_words(hours: Hours) -> dict[str, str]:
    """Returns the spans by days: `{"lunes a viernes": "09:00-13:00, 17:00-21:00", "domingo": "cerrado"}`, then by dates
    (`25/12/2026`). A day that is not known is left out.
    """
    return dict(_weekdays(hours)) | {f"{day:%d/%m/%Y}": _spans(spans) for day, spans in hours.dates}


def _weekdays(hours: Hours) -> Iterator[tuple[str, str]]:
    for spans, run in groupby(range(7), key=lambda day: hours.days[day]):
        days = list(run)
        if spans is not None:
            first, last = WEEKDAYS[days[0]], WEEKDAYS[days[-1]]
            yield (first if first == last else f"{first} {'y' if len(days) == 2 else 'a'} {last}"), _spans(spans)


def _spans(spans: tuple[Span, ...]) -> str:
    return ", ".join(map(str, spans)) or CLOSED


def day_in_words(day: date, locale: str) -> str:
    """Returns a day as `lunes 30 de noviembre`."""
    return format_date(day, "EEEE d 'de' MMMM", locale=locale)


def opening_in_words(opened: Opening, at: datetime, zone: ZoneInfo, locale: str) -> dict[str, str | bool]:
    """Returns `{"open": true, "closes": "20:00"}` or `{"open": false, "opens": "martes 1 de diciembre 09:00"}`."""
    if opened.changes is None:
        return {"open": opened.is_open}
    wall = opened.changes.astimezone(zone)
    is_soon = opened.changes - at < timedelta(days=1) if opened.is_open else wall.date() == at.astimezone(zone).date()
    # With its day where the time alone would be taken for today's.
    told = f"{wall:%H:%M}" if is_soon else f"{day_in_words(wall.date(), locale)} {wall:%H:%M}"
    return {"open": opened.is_open, "closes" if opened.is_open else "opens": told}
