"""Order as the shop is told of it (contract 3.9). Money and quantities are decimal texts. Pure: no I/O."""

from typing import Literal

from msgspec import Struct

from db.states import OrderStatus


class OrderItem(Struct, frozen=True):
    """Line of an order as it was when it was placed.

    Args:
        sku: None where the product was gone from the catalogue by then.
        unit: u, kg or l; quantity and price are of it.
    """

    sku: str | None
    name: str
    unit: str
    quantity: str
    price: str
    total: str


class Order(Struct, frozen=True):
    """Confirmed purchase in one currency.

    Args:
        customer: WhatsApp's id, or `erased`.
        channel: the business number that the customer wrote to, None where the inbound named none.
        delivery: `delivery` or `pickup`; None in orders of the version before.
    """

    id: int
    customer: str
    name: str | None
    channel: str | None
    status: OrderStatus
    items: tuple[OrderItem, ...]
    subtotal: str
    delivery_fee: str
    total: str
    currency: str
    delivery: Literal["delivery", "pickup"] | None
    address: str | None
    payment: str | None
    note: str | None
