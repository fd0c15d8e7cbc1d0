"""The parts of the page about customers: their sessions, what they want, and what waits for an answer."""

from __future__ import annotations

from nicegui import ui

from worker.operate.dashboard import charts
from worker.operate.dashboard.feed import Snapshot
from worker.operate.dashboard.parts import Chart, Facts, Meter, Meters, card
from worker.operate.dashboard.wording import NONE, count, duration, rate, spoken
from worker.telemetry.report import percent

TOP_INTENTS = 8


class Funnel:
    """How far sessions get on the way to an order."""

    def __init__(self) -> None:
        with card("How far sessions get", "third", "stand in this state or a later one, or ended there"):
            self._meters = Meters("No sessions in this time.")

    def show(self, snapshot: Snapshot) -> None:
        """Sessions alive now and those that ended in the window."""
        if not snapshot.figures:
            return
        steps, total = snapshot.figures.steps, snapshot.figures.steps[0].reached
        meters = [
            Meter(
                spoken(step.state),
                f"{count(step.reached)} · {rate(percent(step.reached, total))}",
                step.reached / total,
            )
            for step in steps
            if total
        ]
        self._meters.show(meters)


class Intents:
    """What customers want most."""

    def __init__(self) -> None:
        with card("Top intents", "third", "of the replies"):
            self._meters = Meters("No messages in this time.")

    def show(self, snapshot: Snapshot) -> None:
        """The most frequent ones and their share."""
        if not snapshot.figures:
            return
        intents = snapshot.figures.intents
        total = sum(replies for _, replies in intents)
        self._meters.show(
            [
                Meter(spoken(name), f"{count(replies)} · {rate(percent(replies, total))}", replies / total)
                for name, replies in intents[:TOP_INTENTS]
            ]
        )


class Sessions:
    """How many, how long, and how many expire."""

    def __init__(self) -> None:
        with card("Sessions", "third"):
            self._facts = Facts("Active now", "Mean duration", "Messages per session", "Expired in this time")
            ui.label("Expired per hour").classes("note subhead")
            self._chart = Chart("Expired sessions per hour", (), "No session expired in this time.")

    def show(self, snapshot: Snapshot) -> None:
        """Figures of the report, and expiries per hour."""
        if not (figures := snapshot.figures):
            return
        sessions = figures.report["sessions"]
        self._facts.show(
            count(sessions["active_sessions"]),
            duration(sessions["average_session_duration_s"]) if figures.sessions else NONE,
            f"{figures.messages_per_session:.1f}" if figures.sessions else NONE,
            count(sessions["expired_sessions_cleaned"]),
        )
        nothing = not any(expiries.sessions for expiries in figures.expiries)
        self._chart.show(charts.expired(figures), is_empty=nothing)


class Backlog:
    """What has come in and has no reply yet."""

    def __init__(self) -> None:
        with card("Backlog", "third", "now"):
            self._facts = Facts(
                "Not read yet (inbound stream)",
                "Oldest of them",
                "Accepted, unanswered",
                "Oldest of them",
                "Refused payloads kept",
            )

    def show(self, snapshot: Snapshot) -> None:
        """The stream from Redis, the rest from PostgreSQL; each as far as it is known."""
        streams, waiting = snapshot.durable and snapshot.durable.streams, snapshot.waiting
        self._facts.show(
            count(streams.inbound) if streams else NONE,
            duration(streams.oldest_s) if streams else NONE,
            count(waiting.unanswered) if waiting else NONE,
            duration(waiting.oldest_s) if waiting else NONE,
            count(streams.rejected) if streams else NONE,
        )
