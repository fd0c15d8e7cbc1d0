"""A customer as the gateway serves one: writes and taps in Meta's bodies, reads replies, knows nothing else."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from helpers.service import Conversation, webhook

Json = dict[str, Any]
_NUMBERS = count(1)
SHOP_PHONE = "5491155500000"


@dataclass(slots=True)
class Shopper:
    """One customer. replies: those to this customer, oldest first."""

    conversation: Conversation
    phone: str
    replies: list[Json] = field(default_factory=list)

    @property
    def last(self) -> Json:
        """The newest reply."""
        return self.replies[-1]

    def text(self, words: str) -> Json:
        """A text message."""
        return self._message("text", text={"body": words})

    def tapped(self, action: str) -> Json:
        """A tap on a button or row of any reply so far, by the beginning of its id; the newest counts."""
        kind, chosen = next(found for reply in reversed(self.replies) for found in choices(reply, action))
        context = {"from": SHOP_PHONE, "id": "wamid.shop"}
        return self._message("interactive", interactive={"type": kind, kind: chosen}, context=context)

    def location(self, address: str) -> Json:
        """A place on the map with its address."""
        place = {"latitude": -34.6, "longitude": -58.4, "name": "Casa", "address": address}
        return self._message("location", location=place)

    def ordered(self, *items: tuple[str, int]) -> Json:
        """A cart of the catalogue."""
        lines = [
            {"product_retailer_id": sku, "quantity": number, "item_price": 1, "currency": "ARS"}
            for sku, number in items
        ]
        return self._message("order", order={"catalog_id": "1", "product_items": lines})

    def _message(self, kind: str, **content: Any) -> Json:
        head = {"id": f"wamid.shopping.{next(_NUMBERS)}", "from": self.phone, "timestamp": str(int(time.time()))}
        return head | {"type": kind} | content

    def send(self, *messages: Json, times: int = 1) -> list[Json]:
        """Sends each message in a body of its own, so many times, and waits until all are answered; the replies."""
        for _ in range(times):
            self.conversation.gateway.send(*(self.body(message) for message in messages))
        return self.await_all(*messages)

    def body(self, *messages: Json) -> str:
        """One webhook body."""
        return webhook(*messages)

    def send_together(self, *messages: Json) -> list[Json]:
        """The same in one body."""
        self.conversation.gateway.send(self.body(*messages))
        return self.await_all(*messages)

    def await_all(self, *messages: Json) -> list[Json]:
        """Waits until these messages are answered; the replies that do it, each once."""
        due = {message["id"] for message in messages}
        self.conversation.wait_until(lambda: due <= set(self.conversation.answered()))
        new = [reply for reply in self.conversation.replies if due.intersection(reply["in_reply_to"])]
        found = list({reply["reply_id"]: reply for reply in new}.values())
        self.replies += found
        return found

    def says(self, words: str) -> Json:
        """Writes a text, and waits for its reply."""
        return self.send(self.text(words))[-1]

    def taps(self, action: str) -> Json:
        """Taps what the id begins with, and waits for the reply."""
        return self.send(self.tapped(action))[-1]

    def does(self, step: str) -> Json:
        """A step of a script: `[id]` is tapped, `{"LAC-001": 2}` a cart, `@address` a place; all else is written."""
        if step.startswith("["):
            return self.taps(step.strip("[]"))
        if step.startswith("{"):
            return self.send(self.ordered(*json.loads(step).items()))[-1]
        return self.send(self.location(step[1:]))[-1] if step.startswith("@") else self.says(step)


def choices(reply: Json, action: str) -> list[tuple[str, Json]]:
    """Buttons and rows of a reply whose ids begin so, each with the name of its kind in a webhook."""
    rows = reply["list"]["rows"] if reply["list"] else []
    found = [("button_reply", button) for button in reply["quick_replies"]] + [("list_reply", row) for row in rows]
    return [(kind, each) for kind, each in found if each["id"].startswith(action)]


def check_form(reply: Json) -> None:
    """What WhatsApp takes, and the contract allows."""
    has_choices = bool(reply["quick_replies"] or reply["list"])
    assert 0 < len(reply["text"]) <= (1_024 if has_choices else 4_096)
    assert not (reply["quick_replies"] and reply["list"])
    assert len(reply["quick_replies"]) <= 3
    assert all(0 < len(button["title"]) <= 20 and button["id"] for button in reply["quick_replies"])
    rows = reply["list"]["rows"] if reply["list"] else []
    assert len(rows) <= 10
    assert all(0 < len(row["title"]) <= 24 and len(row["description"]) <= 72 and row["id"] for row in rows)
    assert len({button["title"] for button in reply["quick_replies"]}) == len(reply["quick_replies"])
