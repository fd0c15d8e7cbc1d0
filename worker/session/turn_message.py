"""Message of a turn, with what it refers to. Pure: no I/O."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from msgspec import Struct
from msgspec.structs import replace

from worker.messages.message import CatalogOrder


class Quoted(Struct, frozen=True):
    """Earlier message that a message quotes.

    Args:
        text: None where we do not know it (any more).
        ours: the shop's words; else the customer's own.
        skus: of the products that a list or the buttons under it put into the cart, in their order.
        actions: ids of its buttons.
    """

    text: str | None = None
    ours: bool = False
    skus: tuple[str, ...] = ()
    actions: tuple[str, ...] = ()


class TurnMessage(Struct, frozen=True):
    """One message of a turn; what is not explained here is as in `InboundMessage`.

    Args:
        quoted: the message that it quotes.
        sender: the customer's id that it came from, None where that is `customer_phone`.
    """

    id: int
    message_id: str
    sent_at_s: int
    attempts: int
    type: str
    text: str | None
    selection_id: str | None
    order: CatalogOrder | None = None
    quoted: Quoted | None = None
    product: str | None = None
    advertisement: str | None = None
    sender: str | None = None

    @property
    def refers(self) -> bool:
        """Returns whether it means something that does not stand in it."""
        return bool(self.quoted or self.product or self.advertisement)

    def without_words(self) -> TurnMessage:
        """The message without anything that was said in or around it."""
        return replace(self, text=None, order=None, quoted=None, advertisement=None)


def references(message: TurnMessage, names: Mapping[str, str]) -> Iterator[dict[str, str | None]]:
    """Yields what a message refers to, as a model is told it. names: as `Turn.transcript` takes them."""
    if message.quoted:
        yield {"quoted": message.quoted.text, "written_by": "shop" if message.quoted.ours else "customer"}
    if message.product:
        yield {"product": names.get(message.product, message.product)}
    if message.advertisement:
        yield {"advertisement": message.advertisement}
