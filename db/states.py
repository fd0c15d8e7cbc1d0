"""Enumerations of the schema that Python shares."""

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
#: Statuses of an order, in the order in which a shop usually goes through them.
OrderStatus = Literal["received", "accepted", "preparing", "ready", "dispatched", "delivered", "cancelled"]
ORDER_STATUSES: Final[tuple[OrderStatus, ...]] = get_args(OrderStatus)
#: Those from which an order moves no more.
FINAL_STATUSES: Final = ORDER_STATUSES[-2:]
#: All of them: `inactive` is no place in a conversation.
SessionState = Literal[ConversationState, "inactive"]
SESSION_STATES: Final[tuple[str, ...]] = get_args(SessionState)
