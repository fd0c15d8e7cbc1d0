"""Panel of the open orders, new ones first: an administrator sees whose they are, and says how far they have come."""

from collections.abc import Sequence
from typing import Any

from nicegui import ui
from nicegui.events import GenericEventArguments
from sqlalchemy import Connection

from db.orders import set_order_status
from db.states import ORDER_STATUSES
from worker.operate.dashboard.acting import Actor, Said
from worker.operate.dashboard.elements import box, card, is_sure
from worker.operate.dashboard.feed import View
from worker.operate.dashboard.figures import OpenOrder

NOTE = "not delivered yet, new ones first"
#: The choice shows the new status only when it is kept: until then it goes back to the one before.
SEND_STATUS = """
event => {
    const choice = event.target, {order, status} = choice.dataset;
    if (order) { emit({order, status: choice.value}); choice.value = status }
}
"""
CONSEQUENCE = "It leaves this list. The customer is not told by this page."


def set_status(connection: Connection, order_id: int, status: str) -> bool:
    """Changes an order's status; the sweep tells the shop's stream. Returns whether there is such an order, and it was
    open.
    """
    return "problem" not in set_order_status(connection, order_id, status)


class OrdersPanel:
    """Table with a row for each open order. What a row says and its choice of a status are apart, so that a choice
    that somebody has just opened stays open while times go on.
    """

    def __init__(self, texts: Any, actor: Actor) -> None:
        self._texts, self._actor, self._may_act = texts, actor, actor.may_act
        self._rows: list[tuple[ui.html, ui.html]] = []
        with card("Orders", "full", NOTE):
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
        """Has as many rows as there are orders."""
        for words, _ in self._rows[len(orders) :]:
            words.parent_slot.parent.delete()  # type: ignore[union-attr]  # the row that it stands in
        del self._rows[len(orders) :]
        with self._table:
            self._rows += [self._new_row() for _ in orders[len(self._rows) :]]

    def _new_row(self) -> tuple[ui.html, ui.html]:
        with box("order"):
            return ui.html(sanitize=False).classes("order-words"), ui.html(sanitize=False)

    async def _choose(self, event: GenericEventArguments) -> None:
        """Does what a choice of a status says."""
        order, status = int(event.args["order"]), str(event.args["status"])
        if status not in ORDER_STATUSES:
            return
        if status == "cancelled" and not await is_sure(f"Cancel order {order}?", CONSEQUENCE, "Keep it", "Cancel it"):
            return

        def change(connection: Connection) -> Said:
            if set_status(connection, order, status):
                return Said(f"Order {order} is {status}.")
            return Said(f"Order {order} is no longer open.", "warning")

        await self._actor.act("order_status", change, order=order, status=status)
