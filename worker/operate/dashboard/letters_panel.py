"""Panel of the dead letters: everybody sees them, an administrator replays and discards."""

from collections.abc import Callable
from functools import partial
from typing import Any

from nicegui import ui
from nicegui.events import GenericEventArguments
from sqlalchemy import Connection

from db import queries
from worker.operate.dashboard.acting import Actor, Said
from worker.operate.dashboard.elements import card, is_sure
from worker.operate.dashboard.feed import View

NOTE = "messages given up after five attempts; nobody's words are shown here"
#: What may be done with a dead letter, whether it was done, and what is said then.
ACTS: dict[str, tuple[Callable[[Connection, int], bool], str]] = {
    "replay": (lambda connection, letter: queries.replay_dead_letters(connection, [letter]) == 1, "is answered again"),
    "discard": (queries.discard_dead_letter, "is discarded"),
}
SEND_ACT = "event => { const {act, letter} = event.target.dataset; if (act) emit({act, letter}) }"
CONSEQUENCE = "The customer has got an apology; the message itself will never be answered."


def letters_panel(texts: Any, actor: Actor) -> Callable[[View], None]:
    """Draws the panel; returns what shows a view in it."""
    may_act = actor.may_act
    with card("Dead letters", "full", NOTE):
        letters = ui.html(sanitize=False)
        if may_act:
            letters.on("click", partial(press, actor), js_handler=SEND_ACT)

    def show(view: View) -> None:
        letters.set_content(texts.letters(view, may_act))

    return show


async def press(actor: Actor, event: GenericEventArguments) -> None:
    """Does what a button of a dead letter says."""
    letter, act = int(event.args["letter"]), event.args["act"]
    call, done = ACTS[act]
    if act == "discard" and not await is_sure(f"Discard dead letter {letter}?", CONSEQUENCE, "Keep it", "Discard"):
        return

    def change(connection: Connection) -> Said:
        if call(connection, letter):
            return Said(f"Message {letter} {done}.")
        return Said(f"Message {letter} is no longer a dead letter.", "warning")

    await actor.act(act, change, letter=letter)
