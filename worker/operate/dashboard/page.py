"""Page: a live view of the service, laid out in cards of texts and charts, and what an administrator may do."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from fastapi import Request
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from nicegui import ui
from nicegui.element import Element
from nicegui.elements.mixins.text_element import TextElement
from nicegui.events import GenericEventArguments
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from db import queries, retry
from worker.log import logger
from worker.operate.dashboard import charts, concerns, formats
from worker.operate.dashboard.access import Access, Role
from worker.operate.dashboard.feed import Feed, View
from worker.operate.dashboard.figures import DEFAULT, RANGES, TimeRange
from worker.operate.dashboard.gate import LOGIN, SCRIPT, STYLE
from worker.providers.circuit_states import Named
from worker.settings import Settings

REFRESH_S = 5.0
MOODS = {"closed": "good", "half_open": "warn", "open": "bad", "forced_open": "bad"}
FORMATS = ("count", "rate", "milliseconds", "duration", "dollars", "spoken", "standing")
BASELINE = "baseline: every message sent to gpt-3.5-turbo at its last prices, nothing cached"
TILES = ("answered", "reply_time", "cache_hits", "cost", "active_sessions", "waiting_now")
#: Title, width and note of each card, and what is in it: charts (of charts.toml) and texts (macros of texts.html).
CARDS = (
    ("Messages per minute", "wide", "", ("Messages per minute",)),
    ("Providers", "third", "of the replies that a model made", ("providers",)),
    ("Reply time", "half", "", ("Reply time",)),
    ("Cache hits", "half", "", ("Cache hits", "layers")),
    ("Cost", "wide", BASELINE, ("Cost",)),
    ("Spending", "third", "days and months are UTC", ("spending",)),
    ("Circuits", "wide", "", ("circuits",)),
    ("Backlog", "third", "now", ("backlog",)),
    ("How far sessions get", "third", "stand in this state or a later one, or ended there", ("funnel",)),
    ("Top intents", "third", "of the replies", ("intents",)),
    ("Sessions", "third", "", ("sessions", "Expired sessions per hour")),
)
#: What may be done with a dead letter, whether it was done, and what is said then.
ACTS: dict[str, tuple[Callable[[Connection, int], bool], str]] = {
    "replay": (lambda connection, letter: queries.replay_dead_letters(connection, [letter]) == 1, "is answered again"),
    "discard": (queries.discard_dead_letter, "is discarded"),
}
SEND_ACT = "event => { const {act, letter} = event.target.dataset; if (act) emit({act, letter}) }"
log = logger(__name__)


def register(settings: Settings, access: Access, feed: Feed, engine: Engine, providers: Named) -> None:
    """Makes the page known to NiceGUI."""
    texts = load_texts(settings, providers)

    @ui.page("/", title="Chasqui", response_timeout=10.0)
    def dashboard(request: Request, range: str = "") -> None:  # noqa: A002  the name in the address
        ui.add_head_html(f"<style>{STYLE}</style><script>{SCRIPT}</script>")
        Page(access, feed, engine, texts, request.session.get(LOGIN), RANGES.get(range, DEFAULT))


def load_texts(settings: Settings, providers: Named) -> Any:
    """Returns the macros of texts.html, which escape what they are given."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {name: getattr(formats, name) for name in FORMATS}
    environment.globals |= {
        "names": [(name, model) for name, models in providers for model in ("", *models)],
        "moods": MOODS,
        "concerns": partial(concerns.concerns, settings=settings),
        "budgets": concerns.budgets(settings),
        "used_share": concerns.used_share,
        "long_wait_s": concerns.LONG_WAIT_S,
        "nearly_spent": concerns.NEARLY_SPENT,
    }
    return environment.get_template("texts.html").module


class Page:
    """One browser tab. It shows at once what is known, and looks again every few seconds while it is open.

    Args:
        texts: the macros of texts.html.
    """

    def __init__(
        self, access: Access, feed: Feed, engine: Engine, texts: Any, login: str | None, span: TimeRange
    ) -> None:
        self._access, self._feed, self._engine, self._texts = access, feed, engine, texts
        self._login, self._span = login, span
        self._shows: list[Callable[[View], object]] = []
        self._head()
        with _box("page"):
            self._text("status", "status")
            self._text("worries", "concerns").props("role=status")
            self._text("hint")
            with _box("tiles"):
                for name in TILES:
                    self._text(name, "card tile")
            with _box("cards"):
                for title, width, note, content in CARDS:
                    with _card(title, width, note):
                        for name in content:
                            self._chart(name) if name in charts.CHARTS else self._text(name)
                self._dead_letters()
        self._show(feed.view(span))
        self._timer = ui.timer(REFRESH_S, self._refresh)

    def _is_admin(self) -> bool:
        return self._access.role(self._login) is Role.ADMIN

    def _head(self) -> None:
        with ui.element("header").classes("head"), _box("head-inner"):
            with _box("brand"):
                ui.label("Chasqui").classes("brand-name")
                ui.label("administrator" if self._is_admin() else "read only").classes("badge")
            labels = {span.name: span.label for span in RANGES.values()}
            ranges = ui.toggle(labels, value=self._span.name, on_change=lambda event: self._choose(event.value))
            ranges.props('flat dense no-caps unelevated toggle-color=ink role=group aria-label="Time range"')
            ranges.classes("ranges")
            with _box("head-tools"):
                theme = _button("Theme").props('aria-label="Colour theme"').classes("theme")
                theme.on("click", js_handler="() => chasquiTheme.next()")
                if self._login:
                    with ui.element("form").props("method=post action=logout"):
                        _button("Log out").props("type=submit")

    def _text(self, name: str, classes: str = "", **given: Any) -> Element:
        """Shows what a macro of texts.html makes of a view; it is made anew only when it says something else."""
        text, macro = ui.html(sanitize=False).classes(classes), partial(getattr(self._texts, name), **given)
        self._shows.append(lambda view: text.set_content(macro(view)))
        return text

    def _chart(self, name: str) -> None:
        with _box("chart").props(f'role=img aria-label="{name}"'):
            chart = ui.echart({}, renderer="svg").classes("chart-canvas")

        def show(view: View) -> None:
            options = charts.options(name, view.figures) if view.figures else {}
            if options != chart.options:
                chart.options.clear()
                chart.options.update(options)
                chart.update()

        self._shows.append(show)

    def _dead_letters(self) -> None:
        with _card("Dead letters", "full", "messages given up after five attempts; nobody's words are shown here"):
            letters = self._text("letters", may_act=self._is_admin())
            if self._is_admin():
                letters.on("click", self._act, js_handler=SEND_ACT)

    async def _act(self, event: GenericEventArguments) -> None:
        """Does what a button of a dead letter says, if the visitor still may: a page can outlive its login."""
        letter, (call, done) = int(event.args["letter"]), ACTS[event.args["act"]]
        if event.args["act"] == "discard" and not await _is_sure(letter):
            return
        if not self._is_admin():
            ui.notify("You are no longer logged in as an administrator.", type="negative")
            return
        try:
            happened = await asyncio.to_thread(retry.again_on_conflict, partial(self._commit, call, letter))
        except SQLAlchemyError as exc:
            log.warning("dead_letter_action_failed", letter=letter, error=type(exc).__name__)
            ui.notify("PostgreSQL does not answer; nothing was changed.", type="negative")
            return
        log.info("dead_letter_action", letter=letter, what=done)
        said = f"Message {letter} {done}." if happened else f"Message {letter} is no longer a dead letter."
        ui.notify(said, type="positive" if happened else "warning")
        self._feed.hurry()
        await self._refresh()

    def _commit(self, call: Callable[[Connection, int], bool], letter: int) -> bool:
        """Not repeated where the server goes away: it may have been done, and the second attempt would deny it."""
        with self._engine.connect() as connection:
            return call(connection, letter)

    async def _choose(self, name: str) -> None:
        self._span = RANGES[name]
        ui.navigate.history.replace(f"?range={name}")
        await self._refresh()

    async def _refresh(self) -> None:
        if self._access.role(self._login) is None:
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


async def _is_sure(letter: int) -> bool:
    with ui.dialog() as dialog, _box("dialog"):
        ui.label(f"Discard dead letter {letter}?").classes("card-title")
        ui.label("The customer has got an apology; the message itself will never be answered.").classes("note")
        with _box("letter-actions"):
            _button("Keep it", lambda: dialog.submit(False))
            _button("Discard", lambda: dialog.submit(True)).classes("quiet-bad")
    sure = await dialog
    dialog.delete()
    return bool(sure)


def _box(classes: str) -> Element:
    return ui.element("div").classes(classes)


def _card(title: str, width: str, note: str) -> Element:
    """A titled area of the page, to be used with `with`; its content goes below the title."""
    area = ui.element("section").classes(f"card {width}").props(f'aria-label="{title}"')
    with area, _box("card-head"):
        TextElement(tag="h2", text=title).classes("card-title")
        ui.label(note).classes("note").set_visibility(bool(note))
    return area


def _button(label: str, action: Callable[[], object] | None = None) -> ui.button:
    return ui.button(label, on_click=action, color=None).props("flat dense no-caps").classes("action")
