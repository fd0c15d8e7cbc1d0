"""The page: its parts in their order, and what makes it live."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from fastapi import Request
from nicegui import ui

from worker.operate.dashboard.access import Access, Role, Visitor
from worker.operate.dashboard.circuits import Circuits
from worker.operate.dashboard.conversations import Backlog, Funnel, Intents, Sessions
from worker.operate.dashboard.dead import DeadLetters
from worker.operate.dashboard.economy import Caches, Money, Providers, Purses, ReplyTime, Traffic
from worker.operate.dashboard.feed import Feed, Snapshot
from worker.operate.dashboard.gate import SCRIPT, STYLE, VISITOR
from worker.operate.dashboard.parts import box, tone
from worker.operate.dashboard.ranges import RANGES, TimeRange, named
from worker.operate.dashboard.status import Headlines, concerns
from worker.providers.circuit_states import Named
from worker.settings import Settings

REFRESH_S = 5.0


class Part(Protocol):
    """A part of the page."""

    def show(self, snapshot: Snapshot) -> None:
        """Takes over what has changed."""


@dataclass(frozen=True, slots=True)
class Dashboard:
    """What all pages of this process share."""

    settings: Settings
    access: Access
    feed: Feed
    providers: Named

    def register(self) -> None:
        """Makes the page known to NiceGUI."""

        @ui.page("/", title="Chasqui", response_timeout=10.0)
        def dashboard(request: Request, range: str = "") -> None:  # noqa: A002  the name in the address
            ui.add_head_html(f"<style>{STYLE}</style><script>{SCRIPT}</script>")
            Page(self, request.scope[VISITOR], named(range)).start()


class Page:
    """One browser tab."""

    def __init__(self, shared: Dashboard, visitor: Visitor, span: TimeRange) -> None:
        self._shared, self._visitor, self._span = shared, visitor, span
        self._buttons: dict[str, ui.button] = {}
        self._head()
        with box("page"):
            self._status = _Status(shared.settings)
            self._parts = self._build()

    def start(self) -> None:
        """Shows what is known at once, and looks again every few seconds while the tab is open."""
        self._show(self._shared.feed.snapshot(self._span))
        ui.timer(REFRESH_S, self._refresh)

    def _build(self) -> list[Part]:
        shared, settings = self._shared, self._shared.settings
        with box("tiles"):
            parts: list[Part] = [Headlines()]
        with box("cards"):
            parts += [Traffic(), Providers(), ReplyTime(), Caches(), Money()]
            parts += [Purses(settings.ai_daily_budget_usd, settings.ai_monthly_budget_usd)]
            parts += [Circuits(shared.providers), Backlog(), Funnel(), Intents(), Sessions()]
            parts += [DeadLetters(shared.access, self._visitor, shared.feed.engine, self._look_now)]
        return parts

    def _head(self) -> None:
        with ui.element("header").classes("head"), box("head-inner"):
            with box("brand"):
                ui.label("Chasqui").classes("brand-name")
                ui.label("administrator" if self._visitor.role is Role.ADMIN else "read only").classes("badge")
            with box("ranges").props('role=group aria-label="Time range"'):
                for span in RANGES:
                    self._range_button(span)
            with box("head-tools"):
                theme = ui.button("Theme", color=None).props('flat dense no-caps aria-label="Colour theme"')
                theme.classes("action theme").on("click", js_handler="() => chasquiTheme.next()")
                if self._visitor.login:
                    with ui.element("form").props("method=post action=logout"):
                        ui.button("Log out", color=None).props("flat dense no-caps type=submit").classes("action")

    def _range_button(self, span: TimeRange) -> None:
        button = ui.button(span.label, on_click=lambda: self._choose(span), color=None)
        self._buttons[span.name] = button.props("flat dense no-caps").classes("range")
        self._mark(span)

    def _mark(self, span: TimeRange) -> None:
        chosen = span is self._span
        self._buttons[span.name].props(f"aria-pressed={str(chosen).lower()}")
        self._buttons[span.name].classes("chosen" if chosen else "", remove="" if chosen else "chosen")

    async def _choose(self, span: TimeRange) -> None:
        self._span = span
        for other in RANGES:
            self._mark(other)
        ui.navigate.history.replace(f"?range={span.name}")
        await self._refresh()

    async def _look_now(self) -> None:
        self._shared.feed.hurry()
        await self._refresh()

    async def _refresh(self) -> None:
        if self._shared.access.visitor(self._visitor.login) is None:
            ui.navigate.to("/login")
            return
        span = self._span
        snapshot = await self._shared.feed.refresh(span)
        if span is self._span:
            self._show(snapshot)

    def _show(self, snapshot: Snapshot) -> None:
        self._status.show(snapshot)
        for part in self._parts:
            part.show(snapshot)


class _Status:
    """Whether all is well, and since when that is known."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        with box("status"):
            self._badge = ui.label("Looking …").classes("badge status-badge")
            self._updated = ui.label("").classes("note")
        self._list = box("concerns").props("role=status")
        self._lines: list[ui.label] = []
        self._hint = ui.label("").classes("hint")

    def show(self, snapshot: Snapshot) -> None:
        found = concerns(snapshot, self._settings)
        while len(self._lines) < len(found):
            with self._list:
                self._lines.append(ui.label().classes("concern"))
        for number, line in enumerate(self._lines):
            line.set_visibility(number < len(found))
            if number < len(found):
                line.set_text(found[number].text)
                tone(line, found[number].mood)
        known = snapshot.figures is not None
        mood = found[0].mood if found else "good" if known else ""
        self._badge.set_text({"good": "All is well", "": "Looking …"}.get(mood, "Needs a look"))
        tone(self._badge, mood)
        self._updated.set_text(f"Figures of {snapshot.read_at:%H:%M:%S}; all times are UTC" if snapshot.read_at else "")
        quiet = snapshot.figures is not None and not snapshot.figures.report["messages"]
        self._hint.set_visibility(quiet)
        self._hint.set_text(
            f"No messages were answered in the last {snapshot.range.label}. Choose a longer time, or, if the service "
            'is new, send a first one: chasqui send --from PHONE "hola"'
        )
