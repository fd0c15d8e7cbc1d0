"""Options of the charts (Apache ECharts), as charts.toml describes them."""

import tomllib
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from db.dashboard import Bucket, Expired
from worker.operate.dashboard.figures import Figures

Options = dict[str, Any]
DATA: dict[str, Options] = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))
COMMON, SHAPES, UNITS, CHARTS = (DATA[part] for part in ("common", "shapes", "units", "charts"))
#: A bucket that has hardly begun says little about a rate.
LEAST_SHARE = 0.3


def options(name: str, figures: Figures) -> Options:
    """Returns ECharts' options of a chart, or of its sentence where there is nothing to draw."""
    chart = CHARTS[name]
    buckets: Sequence[Bucket | Expired] = getattr(figures, chart.get("buckets", "buckets"))
    values = {getattr(bucket, one["field"]) for one in chart["series"] for bucket in buckets}
    is_empty, has_legend = values <= {None, chart.get("blank")}, len(chart["series"]) > 1
    unit, y_axis = UNITS[chart["unit"]], COMMON["yAxis"]
    return COMMON | {
        "title": COMMON["title"] | {"show": is_empty, "text": chart["empty"]},
        "legend": COMMON["legend"] | {"show": has_legend},
        "grid": COMMON["grid"] | ({} if has_legend else {"top": 14}),
        "tooltip": COMMON["tooltip"] | {":valueFormatter": unit},
        "xAxis": COMMON["xAxis"] | {"min": _ms(figures.since), "max": _ms(figures.until)},
        "yAxis": y_axis | {"axisLabel": y_axis["axisLabel"] | {":formatter": unit}} | chart.get("y_axis", {}),
        "series": [_series(chart, one, () if is_empty else buckets) for one in chart["series"]],
    }


def _series(chart: Options, one: Options, buckets: Sequence[Bucket | Expired]) -> Options:
    least_s = LEAST_SHARE * max((bucket.seconds for bucket in buckets), default=0)
    drawn = [bucket for bucket in buckets if bucket.seconds >= least_s]
    values: list[float | None] = [getattr(bucket, one["field"]) for bucket in drawn]
    if "rate_s" in chart:
        pairs = zip(values, drawn, strict=True)
        values = [value and round(value * chart["rate_s"] / bucket.seconds, 2) for value, bucket in pairs]
    # A value between two gaps would be a line of no length.
    neighbours = zip([None, *values], values, [*values[1:], None], strict=False)
    is_lone = any(value is not None and before is after is None for before, value, after in neighbours)
    colour, shape = f"var({one['colour']})", SHAPES[chart["shape"]]
    series: Options = shape | {
        "name": one["name"],
        "data": [(_ms(bucket.at), value) for bucket, value in zip(drawn, values, strict=True)],
        "color": colour,
        "itemStyle": {"color": colour, "opacity": one.get("opacity", 1), "borderRadius": [2, 2, 0, 0]},
        "showSymbol": is_lone,
    }
    return series


def _ms(moment: datetime) -> float:
    return moment.timestamp() * 1000
