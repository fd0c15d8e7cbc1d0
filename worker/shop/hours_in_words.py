"""Opening hours and moments in Spanish words, short, for a model and for the person who checks a shop's file."""

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from itertools import groupby
from zoneinfo import ZoneInfo

from babel.dates import format_date

from worker.shop.hours import Hours, Opening, Span

WEEKDAYS = ("lunes", "martes", "miércoles", "jueves", "viernes", "sábado", "domingo")
CLOSED = "cerrado"


def hours_in_words(hours: Hours) -> dict[str, str]:
    """Returns the spans by days: `{"lunes a viernes": "09:00-13:00, 17:00-21:00", "domingo": "cerrado"}`, then by dates
    (`25/12/2026`). A day that is not known is left out.
    """
    return dict(_weekdays(hours)) | {f"{day:%d/%m/%Y}": _spans(spans) for day, spans in hours.dates}


def _weekdays(hours: Hours) -> Iterator[tuple[str, str]]:
    """Yields runs of days that have the same spans."""
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
    found: dict[str, str | bool] = {"open": opened.is_open}
    if opened.changes:
        found["closes" if opened.is_open else "opens"] = _moment(opened, opened.changes, at, zone, locale)
    return found


def _moment(opened: Opening, changes: datetime, at: datetime, zone: ZoneInfo, locale: str) -> str:
    """Returns a time, with its day where the time alone would be taken for today's."""
    wall = changes.astimezone(zone)
    is_plain = changes - at < timedelta(days=1) if opened.is_open else wall.date() == at.astimezone(zone).date()
    return f"{wall:%H:%M}" if is_plain else f"{day_in_words(wall.date(), locale)} {wall:%H:%M}"
