"""Conversation of the demo, from `conversation.toml`: bodies that a gateway delivers while a few customers shop."""

from __future__ import annotations

import json
import tomllib
from dataclasses import dataclass
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


CUSTOMERS: Final = msgspec.convert(tomllib.loads(_FILE), Script).customers


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
    script = msgspec.convert(tomllib.loads(Template(_FILE).substitute(run=run_id, now_s=now_s)), Script)
    deliveries: list[Delivery] = []
    numbered = 0
    for line in script.lines:
        messages = [{"type": "text", "text": {"body": text}} for text in line.texts]
        messages += [line.message] if line.message else []
        ids = [f"wamid.{run_id}.{number:02}" for number in range(numbered + 1, numbered + len(messages) + 1)]
        numbered += len(ids)
        head = {"from": CUSTOMERS.get(line.customer), "timestamp": str(now_s)}
        sent = [head | {"id": each} | message for each, message in zip(ids, messages, strict=True)]
        again = [each for each in deliveries if (each.customer, each.shows) == (line.customer, line.repeats)]
        payload = again[0].payload if again else line.payload or _body(script.shop_phone, line, sent)
        ids = ids or [message_id for each in again for message_id in each.message_ids]
        shows = line.shows or " / ".join(line.texts)
        deliveries.append(Delivery(payload, tuple(ids), line.expected, line.customer, shows))
    return tuple(deliveries)


def _body(shop_phone: str, line: Line, messages: list[Json]) -> str:
    metadata = {"display_phone_number": shop_phone, "phone_number_id": "100000000000001"}
    contact = {"profile": {"name": line.customer}, "wa_id": CUSTOMERS.get(line.customer)}
    sent = {"statuses": line.statuses} if line.statuses else {"contacts": [contact], "messages": messages}
    value = {"messaging_product": "whatsapp", "metadata": metadata, **sent}
    entry = {"id": "200000000000001", "changes": [{"value": value, "field": "messages"}]}
    return json.dumps({"object": "whatsapp_business_account", "entry": [entry]}, ensure_ascii=False)
