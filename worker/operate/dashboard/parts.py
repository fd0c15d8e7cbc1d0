"""The pieces the page is built of. Each is made once and then only told what has changed, so that nothing flickers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from nicegui import ui
from nicegui.element import Element
from nicegui.elements.mixins.text_element import TextElement

from worker.operate.dashboard.charts import Line, Options
from worker.operate.dashboard.wording import NONE


def box(classes: str) -> Element:
    """A plain container, to be used with `with`."""
    return ui.element("div").classes(classes)


def card(title: str, classes: str, note: str = "") -> Element:
    """A titled area of the page, to be used with `with`; its content goes below the title."""
    area = ui.element("section").classes(f"card {classes}").props(f'aria-label="{title}"')
    with area, box("card-head"):
        TextElement(tag="h2", text=title).classes("card-title")
        if note:
            ui.label(note).classes("note")
    return area


def legend(entries: Iterable[tuple[str, str]]) -> None:
    """A line that explains colours: names, and CSS variables."""
    with box("legend"):
        for name, colour in entries:
            with box("legend-item"):
                box("swatch").style(f"background: var({colour})")
                ui.label(name)


def tone(element: Element, name: str) -> None:
    """Colours an element: good, warn, bad, or nothing."""
    others = " ".join(other for other in ("good", "warn", "bad") if other != name)
    element.classes(name, remove=others)


class Tile:
    """A headline figure with a line about it."""

    def __init__(self, title: str) -> None:
        with box("card tile"):
            ui.label(title).classes("tile-title")
            self._value = ui.label(NONE).classes("tile-value")
            self._note = ui.label("").classes("note")

    def show(self, value: str, note: str, mood: str = "") -> None:
        """The figure and what is said below it."""
        self._value.set_text(value)
        self._note.set_text(note)
        tone(self._value, mood)


class Facts:
    """Names and their values, one a line."""

    def __init__(self, *names: str) -> None:
        self._values = []
        with box("facts"):
            for name in names:
                with box("fact"):
                    ui.label(name).classes("fact-name")
                    self._values.append(ui.label(NONE).classes("fact-value"))

    def show(self, *values: str) -> None:
        """The values in the order of the names."""
        for label, value in zip(self._values, values, strict=True):
            label.set_text(value)


@dataclass(frozen=True, slots=True)
class Meter:
    """A row with a bar. `share`: 0..1 of the bar's width; `mood` colours it."""

    name: str
    value: str
    share: float
    note: str = ""
    mood: str = ""


class Meters:
    """Rows with bars; as many as there are to show."""

    def __init__(self, empty: str) -> None:
        self._area = box("meters")
        self._empty = ui.label(NONE).classes("empty")
        self._why = empty
        self._rows: list[_MeterRow] = []

    def show(self, meters: Sequence[Meter]) -> None:
        """These rows and no others."""
        while len(self._rows) < len(meters):
            with self._area:
                self._rows.append(_MeterRow())
        for number, row in enumerate(self._rows):
            row.show(meters[number] if number < len(meters) else None)
        self._empty.set_text(self._why)
        self._empty.set_visibility(not meters)


class _MeterRow:
    def __init__(self) -> None:
        self._row = box("meter")
        with self._row:
            self._name, self._value = ui.label().classes("meter-name"), ui.label().classes("meter-value")
            with box("track"):
                self._fill = box("fill")
            self._note = ui.label().classes("note")

    def show(self, meter: Meter | None) -> None:
        self._row.set_visibility(meter is not None)
        if meter is None:
            return
        self._name.set_text(meter.name)
        self._value.set_text(meter.value)
        self._note.set_text(meter.note)
        self._note.set_visibility(bool(meter.note))
        self._fill.style(f"width: {min(max(meter.share, 0.0), 1.0) * 100:.1f}%")
        tone(self._fill, meter.mood)


class Chart:
    """A chart with its legend, and in its place a sentence while there is nothing to draw."""

    def __init__(self, name: str, lines: Sequence[Line], empty: str) -> None:
        self._shown: Options = {}
        if len(lines) > 1:
            legend((line.name, line.colour) for line in lines)
        with box("chart").props(f'role=img aria-label="{name}"') as self._area:
            self._chart = ui.echart({}, renderer="svg").classes("chart-canvas")
            self._empty = ui.label(empty).classes("empty chart-empty")
            self._empty.set_visibility(False)

    def show(self, options: Options, *, is_empty: bool) -> None:
        """Draws what has changed."""
        self._empty.set_visibility(is_empty)
        if is_empty:
            options = options | {"series": [line | {"data": []} for line in options["series"]]}
        if options != self._shown:
            self._shown = options
            self._chart.options.clear()
            self._chart.options.update(options)
            self._chart.update()
