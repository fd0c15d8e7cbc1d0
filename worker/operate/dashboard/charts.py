"""Options of the charts (Apache ECharts). Colours are the page's CSS variables, so that a chart follows the theme."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from db.dashboard import Bucket, Expired
from worker.operate.dashboard.figures import Figures

Options = dict[str, Any]
DATA = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))
CHARTS: dict[str, Options] = DATA["charts"]
#: A bucket that has hardly begun says little about a rate.
LEAST_SHARE = 0.3
#: As the page's style sheet; an SVG does not take it over.
SMALL = {"color": "var(--muted)", "fontSize": 11, "fontFamily": "Roboto, system-ui, sans-serif"}
LINE = {"lineStyle": {"color": "var(--line)"}}
LEGEND = {"left": 0, "top": 0, "icon": "circle", "itemWidth": 9, "itemHeight": 9, "itemGap": 16}
TOOLTIP = {
    "trigger": "axis",
    "confine": True,
    "backgroundColor": "var(--card)",
    "borderColor": "var(--line)",
    "textStyle": SMALL | {"color": "var(--ink)", "fontSize": 12},
    "axisPointer": {"lineStyle": {"color": "var(--muted)"}},
}


def options(name: str, figures: Figures) -> Options:
    """Returns ECharts' options of a chart, or of its sentence where there is nothing to draw."""
    chart = CHARTS[name]
    buckets = figures.expired if chart.get("buckets") == "expired" else figures.buckets
    values = {getattr(bucket, one["field"]) for one in chart["series"] for bucket in buckets}
    is_empty = values <= {None, chart.get("blank")}
    series = [_series(chart, one, () if is_empty else buckets) for one in chart["series"]]
    has_legend, unit, end_ms = len(series) > 1, DATA["units"][chart["unit"]], figures.until.timestamp() * 1000
    return {
        "useUTC": True,
        "animation": False,
        "title": {
            "show": is_empty,
            "text": chart["empty"],
            "left": "center",
            "top": "middle",
            "textStyle": SMALL | {"fontSize": 14, "fontWeight": "normal"},
        },
        "legend": LEGEND | {"show": has_legend, "textStyle": SMALL | {"fontSize": 12}},
        "grid": {"left": 4, "right": 14, "top": 38 if has_legend else 14, "bottom": 8, "containLabel": True},
        "tooltip": TOOLTIP | {":valueFormatter": unit},
        "xAxis": {
            "type": "time",
            "min": end_ms - figures.range.window_s * 1000,
            "max": end_ms,
            "splitNumber": 6,
            "axisLine": LINE,
            "axisTick": {"show": False},
            "axisLabel": SMALL | {"hideOverlap": True},
        },
        "yAxis": {
            "type": "value",
            "splitNumber": 4,
            "splitLine": LINE,
            "axisLabel": SMALL | {":formatter": unit},
            **chart.get("y_axis", {}),
        },
        "series": series,
    }


def _series(chart: Options, one: Options, buckets: Sequence[Bucket | Expired]) -> Options:
    least_s = LEAST_SHARE * max((bucket.seconds for bucket in buckets), default=0)
    data = [
        [bucket.at.timestamp() * 1000, _value(chart, one, bucket)] for bucket in buckets if bucket.seconds >= least_s
    ]
    colour = f"var({one['colour']})"
    shape: Options = DATA["shapes"][chart["shape"]]
    return shape | {
        "name": one["name"],
        "data": data,
        "color": colour,
        "itemStyle": {"color": colour, "opacity": one.get("opacity", 1), "borderRadius": [2, 2, 0, 0]},
        # A value between two gaps would be a line of no length.
        "showSymbol": sum(value is not None for _, value in data) < 3,
    }


def _value(chart: Options, one: Options, bucket: Bucket | Expired) -> float | None:
    value: float | None = getattr(bucket, one["field"])
    return value if value is None or "rate_s" not in chart else round(value * chart["rate_s"] / bucket.seconds, 2)
