"""Enumerations of the schema that Python shares (contracts 3.5 and 3.9)."""

from __future__ import annotations

from typing import Final, Literal, get_args

#: States of a session that a conversation can lead to.
ConversationState = Literal[
    "browsing",
    "searching",
    "viewing_product",
    "adding_to_cart",
    "viewing_cart",
    "checkout",
    "waiting_address",
    "confirming_order",
    "order_completed",
]
#: All of them: `inactive` is no place in a conversation.
SessionState = Literal[ConversationState, "inactive"]
SESSION_STATES: Final[tuple[str, ...]] = get_args(SessionState)
#: Statuses of an order (contract 3.9), in their order; it begins with the first, and the last two close it.
ORDER_STATUSES: Final = ("received", "accepted", "preparing", "ready", "dispatched", "delivered", "cancelled")
CLOSED_ORDERS: Final = ORDER_STATUSES[-2:]
