"""Page: a live view of the service, laid out in cards of texts and charts, and what an administrator may do."""

import tomllib
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from inspect import isfunction
from pathlib import Path
from typing import Any

import redis
from fastapi import Request
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from nicegui import ui
from nicegui.element import Element
from sqlalchemy import Engine

from db.dashboard import Bucket, Expired
from db.states import ORDER_STATUSES
from worker.operate import display
from worker.operate.dashboard import concerns
from worker.operate.dashboard.access import Access
from worker.operate.dashboard.feed import Feed, View
from worker.operate.dashboard.figures import DEFAULT, RANGES, Figures, TimeRange
from worker.operate.dashboard.gate import LOGIN, SCRIPT, STYLE
from worker.operate.dashboard.panels import Actor, OrdersPanel, box, button, card, letters_panel, people_panel
from worker.providers.circuit_states import Named
from worker.settings import Settings

REFRESH_S = 5.0
MOODS = {"closed": "good", "half_open": "warn", "open": "bad", "forced_open": "bad"}
TILES = ("answered", "reply_time", "cache_hits", "cost", "active_sessions", "waiting_now")
Options = dict[str, Any]
DATA: dict[str, Options] = tomllib.loads(Path(__file__).with_name("charts.toml").read_text(encoding="utf-8"))
COMMON, SHAPES, UNITS, CHARTS, CARDS = (DATA[part] for part in ("common", "shapes", "units", "charts", "cards"))
#: A bucket that has hardly begun says little about a rate.
LEAST_SHARE = 0.3


def register(
    settings: Settings, access: Access, feed: Feed, engine: Engine, cache: redis.Redis, providers: Named
) -> None:
    """Makes the page known to NiceGUI."""
    texts = load_texts(settings, providers)

    @ui.page("/", title="Chasqui", response_timeout=10.0)
    def dashboard(request: Request, range: str = "") -> None:  # noqa: A002  the name in the address
        ui.add_head_html(f"<style>{STYLE}</style><script>{SCRIPT}</script>")
        actor = Actor(access, request.session.get(LOGIN), engine)
        Page(feed, actor, cache, texts, RANGES.get(range, DEFAULT))


def load_texts(settings: Settings, providers: Named) -> Any:
    """Returns the macros of texts.html, which escape what they are given."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {name: shown for name, shown in vars(display).items() if isfunction(shown)}
    environment.globals |= {
        "names": [(name, model) for name, models in providers for model in ("", *models)],
        "moods": MOODS,
        "concerns": partial(concerns.concerns, settings=settings),
        "budgets": concerns.budgets(settings),
        "used_share": concerns.used_share,
        "long_wait_s": concerns.LONG_WAIT_S,
        "nearly_spent": concerns.NEARLY_SPENT,
        "order_statuses": ORDER_STATUSES,
    }
    return environment.get_template("texts.html").module


class Page:
    """One browser tab. It shows at once what is known, and looks again every few seconds while it is open."""

    def __init__(self, feed: Feed, actor: Actor, cache: redis.Redis, texts: Any, span: TimeRange) -> None:
        self._feed, self._actor, self._texts, self._span = feed, actor, texts, span
        actor.changed = self._changed
        self._shows: list[Callable[[View], object]] = []
        self._head()
        with box("page"):
            self._text("status", "status")
            self._text("worries", "concerns").props("role=status")
            self._text("hint")
            with box("tiles"):
                for name in TILES:
                    self._text(name, "card tile")
            with box("cards"):
                self._shows += [OrdersPanel(texts, actor).show, people_panel(texts, actor, cache)]
                for title, (width, note, *content) in CARDS.items():
                    with card(title, width, note):
                        for name in content:
                            self._chart(name) if name in CHARTS else self._text(name)
                self._shows.append(letters_panel(texts, actor))
        self._show(feed.view(span))
        self._timer = ui.timer(REFRESH_S, self._refresh)

    def _head(self) -> None:
        with ui.element("header").classes("head"), box("head-inner"):
            with box("brand"):
                ui.label("Chasqui").classes("brand-name")
                ui.label("administrator" if self._actor.may_act else "read only").classes("badge")
            labels = {span.name: span.label for span in RANGES.values()}
            ranges = ui.toggle(labels, value=self._span.name, on_change=lambda event: self._choose(event.value))
            ranges.props('flat dense no-caps unelevated toggle-color=ink role=group aria-label="Time range"')
            ranges.classes("ranges")
            with box("head-tools"):
                theme = button("Theme").props('aria-label="Colour theme"').classes("theme")
                theme.on("click", js_handler="() => chasquiTheme.next()")
                if self._actor.login:
                    with ui.element("form").props("method=post action=logout"):
                        button("Log out").props("type=submit")

    def _text(self, name: str, classes: str = "", **given: Any) -> Element:
        """Shows what a macro of texts.html makes of a view; it is made anew only when it says something else."""
        text, macro = ui.html(sanitize=False).classes(classes), partial(getattr(self._texts, name), **given)
        self._shows.append(lambda view: text.set_content(macro(view)))
        return text

    def _chart(self, name: str) -> None:
        with box("chart").props(f'role=img aria-label="{name}"'):
            chart = ui.echart({}, renderer="svg").classes("chart-canvas")

        def show(view: View) -> None:
            options = chart_options(name, view.figures) if view.figures else {}
            if options != chart.options:
                chart.options.clear()
                chart.options.update(options)
                chart.update()

        self._shows.append(show)

    async def _changed(self) -> None:
        self._feed.hurry()
        await self._refresh()

    async def _choose(self, name: str) -> None:
        self._span = RANGES[name]
        ui.navigate.history.replace(f"?range={name}")
        await self._refresh()

    async def _refresh(self) -> None:
        if self._actor.role is None:
            # Once: a second order to go there would begin the way anew.
            self._timer.deactivate()
            ui.navigate.to("/login")
            return
        span = self._span
        view = await self._feed.refresh(span)
        if span is self._span:
            self._show(view)

    def _show(self, view: View) -> None:
        for show in self._shows:
            show(view)


def chart_options(name: str, figures: Figures) -> Options:
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
