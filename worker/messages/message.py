"""Values that come out of an inbound payload."""

from collections.abc import Mapping

from msgspec import Struct

from worker.language.patterns import read_data

MAX_ID_CHARS = 512
MAX_TYPE_CHARS = 64
#: Types of messages that get no answer.
NO_REPLY_TYPES = frozenset(read_data(__file__, "types")["no_reply"].split())
#: Types of messages that do something to others (`worker.messages.events`); an echo is the plain form's name for one.
ECHO, EDIT, REVOKE = "echo", "edit", "revoke"
#: Reason of a message that came too late to be answered.
TOO_LATE = "too_late"


class OrderItem(Struct, frozen=True):
    """Product in a cart sent from WhatsApp's catalogue; `sku` is the catalogue's id for it."""

    sku: str
    quantity: int


class CatalogOrder(Struct, frozen=True):
    """Cart sent from WhatsApp's catalogue, with what the customer wrote beside it."""

    items: tuple[OrderItem, ...] = ()
    note: str | None = None

    def words(self, names: Mapping[str, str] | None = None) -> str | None:
        """The cart as the line a customer would have written, None for an empty one.

        Args:
            names: of products, by sku; a product without a name keeps its sku.
        """
        named = names or {}
        items = ", ".join(f"{item.quantity} x {named.get(item.sku, item.sku)}" for item in self.items)
        return ". ".join(filter(None, (items and f"Pedido: {items}", self.note))) or None


class Link(Struct, frozen=True, omit_defaults=True):
    """Two ids of one person.

    Args:
        alias: the id beside `customer_phone`, or before it.
        customer_phone: a phone, if one is named.
        former: the alias is no longer theirs.
    """

    alias: str
    customer_phone: str
    former: bool = False


class InboundMessage(Struct, frozen=True, omit_defaults=True):
    """One message of one customer, whatever body it came in, as `accept_messages(jsonb)` takes it.

    No string holds a NUL or a lone surrogate.

    Args:
        message_id: WhatsApp's, at most 512 characters.
        customer_phone: digits, or a business-scoped user id: the id that the body names, one of maybe several.
        sent_at_s: seconds since the epoch, None where the body does not say it believably.
        type: as sent.
        text: what can be read as text, None if nothing can, never blank, at most 4,096 characters.
        selection_id: id of a tapped button or list row.
        reply_due: False for what gets no answer.
        order: the cart of a message that holds one; `text` says the same in words.
        channel: id of the business number that it came to, None where the body names none.
        act: what it does to other messages: echo (then `text` is the shop's), edit or revoke (of `target`; where the
            type is echo, of an earlier echo).
        edited: what `target` says now; `text` says so as a message of its own.
        reason: why it is closed although a reply was due.
        quoted: WhatsApp's id of the message that it quotes.
        product: the catalogue's id of the product that it is about.
        advertisement: words of the advertisement that led to it.
        links: what the body tells about the customer's ids.
    """

    message_id: str
    customer_phone: str
    name: str | None
    sent_at_s: int | None
    type: str
    text: str | None
    selection_id: str | None
    reply_due: bool
    order: CatalogOrder | None = None
    channel: str | None = None
    act: str | None = None
    target: str | None = None
    edited: str | None = None
    reason: str | None = None
    quoted: str | None = None
    product: str | None = None
    advertisement: str | None = None
    links: tuple[Link, ...] = ()


class DeliveryStatus(Struct, frozen=True):
    """Report of WhatsApp's about one of our replies.

    Args:
        reply_id: ours, as the gateway gave it (`biz_opaque_callback_data`).
        state: sent, delivered, read or failed.
        wamid: WhatsApp's id of the reply.
        at_s: seconds since the epoch, None where the body does not say it believably.
        code: Meta's, of a failure; 0 where it names none.
    """

    reply_id: str
    state: str
    wamid: str | None = None
    at_s: int | None = None
    code: int | None = None


class Parsed(Struct, frozen=True):
    """All that one payload holds: its good messages in their order, what it reports of our replies, and one reason for
    each part that is not usable.
    """

    messages: tuple[InboundMessage, ...] = ()
    rejections: tuple[str, ...] = ()
    statuses: tuple[DeliveryStatus, ...] = ()
