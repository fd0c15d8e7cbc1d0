"""Panel of the customers who wait for a person: an administrator sees who they are, and gives them back to the AI."""

from collections.abc import Callable
from functools import partial
from typing import Any

import redis
from nicegui import ui
from nicegui.events import GenericEventArguments
from sqlalchemy import Connection

from db.customers import resume_customer
from worker.operate.dashboard.acting import Actor, Said
from worker.operate.dashboard.elements import card
from worker.operate.dashboard.feed import View
from worker.operate.resuming import forget_replies

NOTE = "the AI keeps silent for them; a wait that ended by itself stays here for a day"
SEND_CUSTOMER = "event => { const {customer} = event.target.dataset; if (customer) emit({customer}) }"
SAID = {
    "resumed": Said("The AI answers this customer again."),
    "not_waiting": Said("This customer does not wait any more.", "warning"),
    "busy": Said("A message of this customer is being answered right now; try again.", "warning"),
}


def people_panel(texts: Any, actor: Actor, cache: redis.Redis) -> Callable[[View], None]:
    """Draws the panel; returns what shows a view in it.

    Args:
        cache: counts the replies of an hour, which begin anew for whoever is given back.
    """
    may_act = actor.may_act
    with card("People waiting", "full", NOTE):
        people = ui.html(sanitize=False)
        if may_act:
            people.on("click", partial(press, actor, cache), js_handler=SEND_CUSTOMER)

    def show(view: View) -> None:
        people.set_content(texts.people(view, may_act))

    return show


async def press(actor: Actor, cache: redis.Redis, event: GenericEventArguments) -> None:
    """Gives the customer of a button back to the AI."""
    phone = str(event.args["customer"])

    def change(connection: Connection) -> Said:
        answer = resume_customer(connection, phone)
        if answer == "resumed":
            forget_replies(cache, [phone])
        return SAID[answer]

    await actor.act("resume", change)
