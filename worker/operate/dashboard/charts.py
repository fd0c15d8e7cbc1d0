"""Options of the charts (Apache ECharts). Colours are the page's CSS variables, so that a chart follows the theme."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from worker.operate.dashboard.buckets import Bucket
from worker.operate.dashboard.figures import Figures

Options = dict[str, Any]
#: Milliseconds since 1970, and a value.
Point = list[float | None]
#: A bucket that has hardly begun says little about a rate.
LEAST_SHARE = 0.3
#: As the page's style sheet; an SVG does not take it over.
FONT = "Roboto, system-ui, sans-serif"
NUMBER = "value => value == null ? '–' : value.toLocaleString('en', {maximumFractionDigits: 1})"
MILLISECONDS = "value => value == null ? '–' : value < 1000 ? value + ' ms' : (value / 1000).toFixed(2) + ' s'"
PERCENT = "value => value == null ? '–' : value.toFixed(1) + ' %'"
DOLLARS = "value => value == null ? '–' : '$' + value.toFixed(Math.abs(value) >= 1 || value == 0 ? 2 : 4)"


@dataclass(frozen=True, slots=True)
class Line:
    """One series: what it is called, its colour among the page's variables, and its value in a bucket."""

    name: str
    colour: str
    value: Callable[[Bucket], float | None]


def _per_minute(source: str) -> Callable[[Bucket], float]:
    return lambda bucket: round(float(getattr(bucket, source)) * 60 / bucket.seconds, 2)


MESSAGES = (
    Line("cache", "--teal", _per_minute("cache")),
    Line("model", "--blue", _per_minute("ai")),
    Line("fallback", "--amber", _per_minute("fallback")),
    Line("canned", "--grey", _per_minute("canned")),
)
REPLY_TIME = (
    Line("p50", "--teal", lambda bucket: bucket.p50_ms),
    Line("p95", "--blue", lambda bucket: bucket.p95_ms),
    Line("p99", "--violet", lambda bucket: bucket.p99_ms),
)
HIT_RATES = (
    Line("replies", "--teal", lambda bucket: bucket.cache_hit_rate),
    Line("sessions", "--blue", lambda bucket: bucket.session_hit_rate),
)
MONEY = (
    Line("baseline", "--grey", lambda bucket: round(bucket.baseline_usd, 6)),
    Line("cost", "--blue", lambda bucket: round(bucket.cost_usd, 6)),
)
EXPIRED = "--grey"


def messages(figures: Figures) -> Options:
    """Messages per minute by where the reply came from, one upon the other."""
    series = [
        _line(line, figures) | {"stack": "all", "areaStyle": {"opacity": 0.35}, "lineStyle": {"width": 1}}
        for line in MESSAGES
    ]
    return _frame(figures, series, NUMBER)


def reply_time(figures: Figures) -> Options:
    """From acceptance to the published reply: median, 95th and 99th percentile."""
    return _frame(figures, [_line(line, figures) for line in REPLY_TIME], MILLISECONDS)


def hit_rates(figures: Figures) -> Options:
    """How often a reply and a session were found in their caches."""
    options = _frame(figures, [_line(line, figures) for line in HIT_RATES], PERCENT)
    options["yAxis"] |= {"min": 0, "max": 100, "interval": 25}
    return options


def money(figures: Figures) -> Options:
    """What the bucket has cost, before what it would have cost."""
    bars = [_bars(line.name, line.colour, _points(line, figures)) | {"barGap": "-100%"} for line in MONEY]
    bars[0]["itemStyle"]["opacity"] = 0.35
    return _frame(figures, bars, DOLLARS)


def expired(figures: Figures) -> Options:
    """Expired sessions per hour."""
    length_s = max(piece.seconds for piece in figures.expiries)
    whole = [piece for piece in figures.expiries if piece.seconds >= length_s * LEAST_SHARE]
    points = [_point(piece.at, round(piece.sessions * 3600 / piece.seconds, 1)) for piece in whole]
    return _frame(figures, [_bars("sessions per hour", EXPIRED, points)], NUMBER)


def _points(line: Line, figures: Figures) -> list[Point]:
    whole = [b for b in figures.buckets if b.seconds >= figures.range.bucket_s * LEAST_SHARE]
    return [_point(bucket.at, line.value(bucket)) for bucket in whole]


def _point(at: datetime, value: float | None) -> Point:
    return [at.timestamp() * 1000, value]


def _line(line: Line, figures: Figures) -> Options:
    points = _points(line, figures)
    return {
        "type": "line",
        "name": line.name,
        "data": points,
        "color": f"var({line.colour})",
        # A value between two gaps would be a line of no length.
        "showSymbol": sum(value is not None for _, value in points) < 3,
        "symbolSize": 5,
        "lineStyle": {"width": 2},
        "emphasis": {"disabled": True},
    }


def _bars(name: str, colour: str, points: list[Point]) -> Options:
    return {
        "type": "bar",
        "name": name,
        "data": points,
        "itemStyle": {"color": f"var({colour})", "borderRadius": [2, 2, 0, 0]},
        "color": f"var({colour})",
        "barCategoryGap": "25%",
        "emphasis": {"disabled": True},
    }


def _frame(figures: Figures, series: Sequence[Options], unit: str) -> Options:
    end_ms = figures.until.timestamp() * 1000
    quiet = {"color": "var(--muted)", "fontSize": 11, "fontFamily": FONT}
    return {
        "useUTC": True,
        "animation": False,
        "grid": {"left": 4, "right": 14, "top": 14, "bottom": 8, "containLabel": True},
        "tooltip": {
            "trigger": "axis",
            "confine": True,
            "backgroundColor": "var(--card)",
            "borderColor": "var(--line)",
            "textStyle": {"color": "var(--ink)", "fontSize": 12, "fontFamily": FONT},
            "axisPointer": {"lineStyle": {"color": "var(--muted)"}},
            ":valueFormatter": unit,
        },
        "xAxis": {
            "type": "time",
            "min": end_ms - figures.range.window_s * 1000,
            "max": end_ms,
            "splitNumber": 6,
            "axisLine": {"lineStyle": {"color": "var(--line)"}},
            "axisTick": {"show": False},
            "axisLabel": quiet | {"hideOverlap": True},
        },
        "yAxis": {
            "type": "value",
            "splitNumber": 4,
            "splitLine": {"lineStyle": {"color": "var(--line)"}},
            "axisLabel": quiet | {":formatter": unit},
        },
        "series": list(series),
    }
