"""Panels of what needs somebody (orders, people who wait, dead letters), and the elements of the whole page."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any, Literal, NamedTuple

import redis
from nicegui import ui
from nicegui.element import Element
from nicegui.elements.mixins.text_element import TextElement
from nicegui.events import GenericEventArguments
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from db import dead_letters, retry
from db.customers import resume_customer
from db.dashboard import OpenOrder
from db.orders import set_order_status
from db.states import ORDER_STATUSES
from worker.log import logger
from worker.operate.dashboard.access import Access, Role
from worker.operate.dashboard.feed import View
from worker.redisdb.cache import forget_reply_limits

#: What a pressed button says of itself.
SEND_DATA = "event => { if (event.target.tagName === 'BUTTON') emit({...event.target.dataset}) }"
#: The choice shows the new status only when it is kept: until then it goes back to the one before.
SEND_STATUS = """
event => {
    const choice = event.target, {order, status} = choice.dataset;
    if (order) { emit({order, status: choice.value}); choice.value = status }
}
"""
#: What may be done with a dead letter, whether it was done, and what is said then.
LETTER_ACTS: dict[str, tuple[Callable[[Connection, int], bool], str]] = {
    "replay": (lambda connection, letter: dead_letters.replay(connection, [letter]) == 1, "is answered again"),
    "discard": (dead_letters.discard, "is discarded"),
}
log = logger(__name__)


class Said(NamedTuple):
    """Sentence for whoever has pressed a button. mood: warning where nothing was changed."""

    text: str
    mood: Literal["positive", "warning"] = "positive"


class Actor:
    """Visitor of one page, who may change something while the login is an administrator's.

    Attributes:
        changed: shows a change; the page sets it.
    """

    def __init__(self, access: Access, login: str | None, engine: Engine) -> None:
        self._access, self.login = access, login
        self._engine = engine.execution_options(isolation_level="READ COMMITTED")
        self.changed: Callable[[], Awaitable[None]] | None = None

    @property
    def role(self) -> Role | None:
        """The role that the login has now, None for none: a page can outlive it."""
        return self._access.role(self.login)

    @property
    def may_act(self) -> bool:
        """Returns whether the visitor is an administrator now."""
        return self.role is Role.ADMIN

    async def act(self, act: str, change: Callable[[Connection], Said], **facts: object) -> None:
        """Makes a change in a transaction of its own, and tells of it; facts are for the log, and nothing personal."""
        if not self.may_act:
            ui.notify("You are no longer logged in as an administrator.", type="negative")
            return
        try:
            said = await asyncio.to_thread(retry.again_on_conflict, partial(self._commit, change))
        except SQLAlchemyError as exc:
            log.warning("dashboard_action_failed", act=act, error=type(exc).__name__, **facts)
            ui.notify("PostgreSQL does not answer; nothing was changed.", type="negative")
            return
        log.info("dashboard_action", act=act, happened=said.mood == "positive", **facts)
        ui.notify(said.text, type=said.mood)
        if self.changed:
            await self.changed()

    def _commit(self, change: Callable[[Connection], Said]) -> Said:
        """Not repeated where the server goes away: it may have been done, and the second attempt would deny it."""
        with self._engine.begin() as connection:
            return change(connection)


def box(classes: str) -> Element:
    """An area of these classes, to be used with `with`."""
    return ui.element("div").classes(classes)


def card(title: str, width: str, note: str = "") -> Element:
    """A titled area of the page, to be used with `with`; its content goes below the title."""
    area = ui.element("section").classes(f"card {width}").props(f'aria-label="{title}"')
    with area, box("card-head"):
        TextElement(tag="h2", text=title).classes("card-title")
        ui.label(note).classes("note").set_visibility(bool(note))
    return area


def button(label: str, action: Callable[[], object] | None = None) -> ui.button:
    """A button in the page's own style."""
    return ui.button(label, on_click=action, color=None).props("flat dense no-caps").classes("action")


async def is_sure(question: str, consequence: str, keep: str, go_on: str) -> bool:
    """Asks in a dialog; returns whether the visitor wants to go on."""
    with ui.dialog() as dialog, box("dialog"):
        ui.label(question).classes("card-title")
        ui.label(consequence).classes("note")
        with box("letter-actions"):
            button(keep, lambda: dialog.submit(False))
            button(go_on, lambda: dialog.submit(True)).classes("quiet-bad")
    sure = await dialog
    dialog.delete()
    return bool(sure)


def people_panel(texts: Any, actor: Actor, cache: redis.Redis) -> Callable[[View], object]:
    """Draws who waits for a person, and returns what shows a view; an administrator gives them back to the AI."""
    note = "the AI keeps silent for them; a wait that ended by itself stays here for a day"
    return _buttons_panel("People waiting", note, texts.people, actor, partial(_resume, actor, cache))


def letters_panel(texts: Any, actor: Actor) -> Callable[[View], object]:
    """Draws the dead letters; returns what shows a view in it. An administrator replays and discards."""
    note = "messages given up after five attempts; nobody's words are shown here"
    return _buttons_panel("Dead letters", note, texts.letters, actor, partial(_act_on_letter, actor))


def _buttons_panel(
    title: str,
    note: str,
    text: Callable[[View, bool], str],
    actor: Actor,
    press: Callable[[Mapping[str, str]], Awaitable[None]],
) -> Callable[[View], object]:
    may_act = actor.may_act
    with card(title, "full", note):
        content = ui.html(sanitize=False)
        if may_act:
            content.on("click", lambda event: press(event.args), js_handler=SEND_DATA)
    return lambda view: content.set_content(text(view, may_act))


RESUMED = {
    "resumed": Said("The AI answers this customer again."),
    "not_waiting": Said("This customer does not wait any more.", "warning"),
    "busy": Said("A message of this customer is being answered right now; try again.", "warning"),
}


async def _resume(actor: Actor, cache: redis.Redis, pressed: Mapping[str, str]) -> None:
    phone = str(pressed["customer"])

    def change(connection: Connection) -> Said:
        answer = resume_customer(connection, phone)
        if answer == "resumed":
            forget_reply_limits(cache, [phone])
        return RESUMED[answer]

    await actor.act("resume", change)


async def _act_on_letter(actor: Actor, pressed: Mapping[str, str]) -> None:
    letter, act = int(pressed["letter"]), pressed["act"]
    call, done = LETTER_ACTS[act]
    consequence = "The customer has got an apology; the message itself will never be answered."
    if act == "discard" and not await is_sure(f"Discard dead letter {letter}?", consequence, "Keep it", "Discard"):
        return

    def change(connection: Connection) -> Said:
        if call(connection, letter):
            return Said(f"Message {letter} {done}.")
        return Said(f"Message {letter} is no longer a dead letter.", "warning")

    await actor.act(act, change, letter=letter)


class OrdersPanel:
    """Table with a row for each open order: an administrator sees whose they are, and says how far they have come.

    What a row says and its choice of a status are apart, so that a choice that somebody has just opened stays open
    while times go on.
    """

    def __init__(self, texts: Any, actor: Actor) -> None:
        self._texts, self._actor, self._may_act = texts, actor, actor.may_act
        self._rows: list[tuple[ui.html, ui.html]] = []
        with card("Orders", "full", "not delivered yet, new ones first"):
            self._head = ui.html(sanitize=False)
            self._table = box("orders")
        if self._may_act:
            self._table.on("change", self._choose, js_handler=SEND_STATUS)

    def show(self, view: View) -> None:
        """Shows a view."""
        orders = view.orders or ()
        self._head.set_content(self._texts.orders_head(view))
        self._fit(orders)
        for (words, status), order in zip(self._rows, orders, strict=True):
            words.set_content(self._texts.order_words(order, view.now, self._may_act))
            status.set_content(self._texts.order_status(order, self._may_act))

    def _fit(self, orders: Sequence[OpenOrder]) -> None:
        for words, _ in self._rows[len(orders) :]:
            words.parent_slot.parent.delete()  # type: ignore[union-attr]  # the row that it stands in
        del self._rows[len(orders) :]
        for _ in orders[len(self._rows) :]:
            with self._table, box("order"):
                self._rows.append((ui.html(sanitize=False).classes("order-words"), ui.html(sanitize=False)))

    async def _choose(self, event: GenericEventArguments) -> None:
        """Does what a choice of a status says; the sweep tells the shop's stream."""
        order, status = int(event.args["order"]), str(event.args["status"])
        if status not in ORDER_STATUSES:
            return
        consequence = "It leaves this list. The customer is not told by this page."
        if status == "cancelled" and not await is_sure(f"Cancel order {order}?", consequence, "Keep it", "Cancel it"):
            return

        def change(connection: Connection) -> Said:
            if "problem" in set_order_status(connection, order, status):
                return Said(f"Order {order} is no longer open.", "warning")
            return Said(f"Order {order} is {status}.")

        await self._actor.act("order_status", change, order=order, status=status)
