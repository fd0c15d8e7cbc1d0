"""The part of the page about circuits: how each stands, and what happened to it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from html import escape

from nicegui import ui

from worker.operate.dashboard.feed import Snapshot
from worker.operate.dashboard.figures import CircuitChange, Figures
from worker.operate.dashboard.parts import box, card, legend, tone
from worker.operate.dashboard.wording import NONE, duration, spoken
from worker.providers.circuit_states import Circuit, Named

SHOWN_CHANGES = 6
MOODS = {"closed": "good", "half_open": "warn", "open": "bad", "forced_open": "bad"}


@dataclass(frozen=True, slots=True)
class Stretch:
    """A share (0..1) of the window in one state."""

    state: str
    share: float


def timeline(changes: Iterable[CircuitChange], since: datetime, until: datetime) -> list[Stretch]:
    """The states of one circuit from `since` to `until`; closed until something else is known."""
    length = (until - since) / timedelta(seconds=1)
    stretches: list[Stretch] = []
    state, begun = "closed", since
    for change in [*changes, CircuitChange(until, "", "")]:
        at = min(max(change.at, since), until)
        if at > begun:
            stretches.append(Stretch(state, (at - begun) / timedelta(seconds=1) / length))
        state, begun = change.state, at
    return stretches


def standing(circuit: Circuit, now: datetime) -> str:
    """A circuit in a few words."""
    if circuit.state == "closed" and circuit.answered_by:
        return f"answered by {circuit.answered_by}"
    if circuit.state == "closed" and circuit.model:
        return "may be asked"
    if circuit.state == "closed":
        failures = f" · {circuit.failures} of the last {circuit.calls} failed" if circuit.failures else ""
        return f"calls go through{failures}"
    since = f"for {duration((now - circuit.since).total_seconds())}" if circuit.since else ""
    reason = f"({spoken(circuit.reason)})" if circuit.reason else ""
    told = f"· “{circuit.told}”" if circuit.told else ""
    return " ".join(part for part in (since, reason, f"· {_way_back(circuit)}", told) if part)


def _way_back(circuit: Circuit) -> str:
    if circuit.state == "forced_open":
        return "until somebody closes it"
    return "the next call is a try" if circuit.open_s is None else f"next try in {duration(circuit.open_s)}"


class Circuits:
    """A row for each provider and each of its models, and the latest changes."""

    def __init__(self, providers: Named) -> None:
        with card("Circuits", "wide"):
            legend((("closed", "--good"), ("open", "--bad")))
            names = [
                name for provider, models in providers for name in (provider, *(f"{provider}/{m}" for m in models))
            ]
            self._rows = {name: _Row(name) for name in names}
            ui.label("Latest changes").classes("note subhead")
            self._empty = ui.label(NONE).classes("empty")
            with box("changes"):
                self._changes = [_Change() for _ in range(SHOWN_CHANGES)]

    def show(self, snapshot: Snapshot) -> None:
        """States from Redis, history from PostgreSQL; each as far as it is known."""
        if durable := snapshot.durable:
            for circuit in durable.circuits:
                self._rows[circuit.name].show_state(circuit, durable.at)
        if snapshot.figures:
            self._show_history(snapshot.figures)

    def _show_history(self, figures: Figures) -> None:
        since = figures.until - timedelta(seconds=figures.range.window_s)
        for name, row in self._rows.items():
            own = [change for change in figures.circuit_changes if change.name == name]
            row.show_history(timeline(own, since, figures.until))
        latest = [change for change in reversed(figures.circuit_changes) if change.at > since][:SHOWN_CHANGES]
        self._empty.set_text("No circuit has changed in this time.")
        self._empty.set_visibility(not latest)
        for number, shown in enumerate(self._changes):
            shown.show(latest[number] if number < len(latest) else None, figures.until)


class _Row:
    def __init__(self, name: str) -> None:
        provider, _, model = name.partition("/")
        with box("circuit"):
            ui.label(model or provider).classes("circuit-name" + (" circuit-model" if model else ""))
            self._state = ui.label("not known").classes("badge")
            self._standing = ui.label("").classes("note")
            self._strip = box("strip").props(f'role=img aria-label="States of {name} over the time"')
        self._shown: list[Stretch] = []

    def show_state(self, circuit: Circuit, now: datetime) -> None:
        self._state.set_text(spoken(circuit.state))
        tone(self._state, MOODS.get(circuit.state, "warn"))
        self._standing.set_text(standing(circuit, now))

    def show_history(self, stretches: list[Stretch]) -> None:
        if stretches == self._shown:
            return
        self._shown = stretches
        self._strip.clear()
        with self._strip:
            for stretch in stretches:
                mood = MOODS.get(stretch.state, "warn")
                box(f"stretch {mood}").style(f"flex-grow: {stretch.share:.4f}")


class _Change:
    def __init__(self) -> None:
        self._row = box("change")
        with self._row:
            self._ago, self._provider = ui.label().classes("change-ago"), ui.label().classes("change-name")
            self._state = ui.label().classes("badge")
        self._row.set_visibility(False)

    def show(self, change: CircuitChange | None, now: datetime) -> None:
        self._row.set_visibility(change is not None)
        if change is None:
            return
        self._ago.set_text(f"{duration((now - change.at).total_seconds())} ago")
        self._ago.props(f'title="{change.at:%Y-%m-%d %H:%M:%S} UTC"')
        self._provider.set_text(change.name)
        self._provider.props(f'title="{escape(change.told, quote=True)}"')
        self._state.set_text(spoken(change.state))
        tone(self._state, MOODS.get(change.state, "warn"))
