"""Conversation of the demo, from `conversation.toml`: bodies that a gateway delivers while a few customers shop."""

import json
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from string import Template
from typing import Any, Final, Literal

import msgspec

Json = dict[str, Any]
Expected = Literal["answered", "closed", "duplicate", "rejected", "nothing"]
_FILE: Final = Path(__file__).with_suffix(".toml").read_text(encoding="utf-8")


class Line(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Delivery as the file has it."""

    customer: str = "WhatsApp"
    texts: list[str] = []
    message: Json = {}
    statuses: list[Json] = []
    payload: str = ""
    repeats: str = ""
    shows: str = ""
    expected: Expected = "answered"


class Script(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Content of the file."""

    shop_phone: str
    customers: dict[str, str]
    lines: list[Line]


CUSTOMERS: Final = msgspec.toml.decode(_FILE, type=Script).customers


@dataclass(frozen=True, slots=True)
class Delivery:
    """Payload for the inbound stream.

    Args:
        message_ids: of the messages in it.
        expected: what becomes of its messages; "nothing" for a body without any.
        customer: a name to print.
        shows: what was written.
    """

    payload: str
    message_ids: tuple[str, ...]
    expected: Expected
    customer: str
    shows: str

    @property
    def wait_for(self) -> tuple[str, ...]:
        """Message ids whose replies are awaited before the next delivery."""
        return self.message_ids if self.expected == "answered" else ()


def demo_conversation(run_id: str, now_s: int) -> tuple[Delivery, ...]:
    """Makes the deliveries, in order.

    Args:
        run_id: makes the message ids new (`wamid.{run_id}.NN`).
        now_s: Unix time of all.
    """
    script = msgspec.toml.decode(Template(_FILE).substitute(run=run_id, now_s=now_s), type=Script)
    deliveries: list[Delivery] = []
    numbers = count(1)
    for line in script.lines:
        messages = [{"type": "text", "text": {"body": text}} for text in line.texts]
        messages += [line.message] if line.message else []
        head = {"from": CUSTOMERS.get(line.customer), "timestamp": str(now_s)}
        sent: list[Json] = [head | {"id": f"wamid.{run_id}.{next(numbers):02}"} | message for message in messages]
        repeated = [old for old in deliveries if (old.customer, old.shows) == (line.customer, line.repeats)]
        payload = repeated[0].payload if repeated else line.payload or _body(script.shop_phone, line, sent)
        ids = repeated[0].message_ids if repeated else tuple(message["id"] for message in sent)
        shows = line.shows or " / ".join(line.texts)
        deliveries.append(Delivery(payload, ids, line.expected, line.customer, shows))
    return tuple(deliveries)


def _body(shop_phone: str, line: Line, messages: list[Json]) -> str:
    metadata = {"display_phone_number": shop_phone, "phone_number_id": "100000000000001"}
    contact = {"profile": {"name": line.customer}, "wa_id": CUSTOMERS.get(line.customer)}
    sent = {"statuses": line.statuses} if line.statuses else {"contacts": [contact], "messages": messages}
    value = {"messaging_product": "whatsapp", "metadata": metadata, **sent}
    entry = {"id": "200000000000001", "changes": [{"value": value, "field": "messages"}]}
    return json.dumps({"object": "whatsapp_business_account", "entry": [entry]}, ensure_ascii=False)
