"""The part of the page about dead letters: what was given up, and what may be done about it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial

from nicegui import ui
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from worker.log import logger
from worker.operate.dashboard import desk
from worker.operate.dashboard.access import Access, Role, Visitor
from worker.operate.dashboard.feed import Snapshot
from worker.operate.dashboard.figures import MAX_DEAD_LETTERS, DeadLetter
from worker.operate.dashboard.parts import box, card
from worker.operate.dashboard.wording import count

log = logger(__name__)


class DeadLetters:
    """The table, with buttons for administrators."""

    def __init__(
        self, access: Access, visitor: Visitor, engine: Engine, on_change: Callable[[], Awaitable[None]]
    ) -> None:
        self._access, self._visitor, self._engine = access, visitor, engine
        self._on_change = on_change
        self._shown: tuple[DeadLetter, ...] | None = None
        with card("Dead letters", "full", "messages given up after five attempts; nobody's words are shown here"):
            self._more = ui.label("").classes("note")
            self._table = box("letters")
            self._empty = ui.label("None. Every accepted message was answered or waits for its turn.").classes("empty")
            self._empty.set_visibility(False)

    def show(self, snapshot: Snapshot) -> None:
        """The newest ones; rows are made anew only when there are others."""
        waiting = snapshot.waiting
        if waiting is None:
            return
        self._empty.set_visibility(not waiting.dead)
        self._more.set_visibility(waiting.dead > MAX_DEAD_LETTERS)
        self._more.set_text(f"The newest {MAX_DEAD_LETTERS} of {count(waiting.dead)}.")
        if waiting.dead_letters != self._shown:
            self._shown = waiting.dead_letters
            self._table.clear()
            with self._table:
                self._fill(waiting.dead_letters)

    def _fill(self, letters: tuple[DeadLetter, ...]) -> None:
        if not letters:
            return
        may_act = self._visitor.role is Role.ADMIN
        with box("letter letter-head"):
            for name in ("Id", "Given up (UTC)", "Customer", "Type", "Attempts", "Reason", "Last error"):
                ui.label(name)
            if may_act:
                ui.label("")
        for letter in letters:
            self._row(letter, may_act)

    def _row(self, letter: DeadLetter, may_act: bool) -> None:
        with box(f"letter letter-{letter.id}"):
            ui.label(str(letter.id))
            ui.label(f"{letter.died_at:%Y-%m-%d %H:%M}").props(f'title="{letter.died_at:%Y-%m-%d %H:%M:%S} UTC"')
            ui.label(letter.customer)
            ui.label(letter.type)
            ui.label(str(letter.attempts)).classes("letter-attempts")
            ui.label(letter.reason).classes("letter-reason")
            ui.label(letter.last_error).classes("letter-reason")
            if may_act:
                with box("letter-actions"):
                    _button("Replay", partial(self._act, desk.replay, letter, "is answered again"), "replay")
                    _button("Discard", partial(self._confirm_discard, letter), "discard quiet-bad")

    async def _confirm_discard(self, letter: DeadLetter) -> None:
        with ui.dialog() as dialog, box("dialog"):
            ui.label(f"Discard dead letter {letter.id}?").classes("card-title")
            ui.label("The customer has got an apology; the message itself will never be answered.").classes("note")
            with box("letter-actions"):
                _button("Keep it", lambda: dialog.submit(False), "")
                _button("Discard", lambda: dialog.submit(True), "confirm-discard quiet-bad")
        if await dialog:
            await self._act(desk.discard, letter, "is discarded")
        dialog.delete()

    async def _act(self, action: Callable[[Engine, int], bool], letter: DeadLetter, done: str) -> None:
        """Whether the visitor still may is asked again, because a page can outlive its login."""
        visitor = self._access.visitor(self._visitor.login)
        if visitor is None or visitor.role is not Role.ADMIN:
            ui.notify("You are no longer logged in as an administrator.", type="negative")
            return
        try:
            happened = await asyncio.to_thread(action, self._engine, letter.id)
        except SQLAlchemyError as exc:
            log.warning("dead_letter_action_failed", letter=letter.id, error=type(exc).__name__)
            ui.notify("PostgreSQL does not answer; nothing was changed.", type="negative")
            return
        log.info("dead_letter_action", letter=letter.id, what=done)
        said = f"Message {letter.id} {done}." if happened else f"Message {letter.id} is no longer a dead letter."
        ui.notify(said, type="positive" if happened else "warning")
        await self._on_change()


def _button(label: str, action: Callable[[], object], classes: str) -> ui.button:
    button = ui.button(label, on_click=action, color=None)
    return button.props("flat dense no-caps").classes(f"action {classes}")
