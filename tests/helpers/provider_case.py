"""The running service in front of three providers that play what they are told, and what may be asked of it after."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from helpers.basics import GUARD_S
from helpers.http_provider import Server
from helpers.recorded import TABLE, Recording, cost_microusd, saying
from helpers.service import Conversation, forget, says, webhook

#: By provider: a message for which it is the first candidate and which no cache may answer, and who is asked after it.
FIRST_ASKED = {"openai": "y de esos dos qué me conviene más?", "deepseek": "agregame 2 leches", "gemini": "2"}
NEXT = {"openai": "deepseek", "deepseek": "openai", "gemini": "openai"}
DECISION: dict[str, Any] = {
    "intent": "greeting",
    "confidence": 0.9,
    "entities": {},
    "quick_replies": [{"id": "menu", "title": "Menú"}],
    "requires_human": False,
    "next_state": "browsing",
    "cart_operations": [],
}
#: The figures of a closed circuit without failures, as far as `Shop.circuit` shows them.
HEALTHY = {"state": "closed", "failures": "0"}
STATES = {"browsing", "searching", "viewing_product", "adding_to_cart", "viewing_cart", "checkout", "waiting_address"}
STATES |= {"confirming_order", "order_completed", "inactive"}
INTENTS = {"greeting", "search_product", "browse_category", "add_to_cart", "modify_cart_quantity", "remove_from_cart"}
INTENTS |= {"view_cart", "clear_cart", "checkout", "support", "unknown"}


def decision_of(provider: str) -> str:
    """A decision in words that tell who made it."""
    return json.dumps(DECISION | {"reply": f"Hola de {provider}"}, ensure_ascii=False)


def check_contract(reply: dict[str, Any], message_id: str, phone: str, sent_at_s: int) -> None:
    """The outbound contract (docs/gateway.md), field by field."""
    times = {name: datetime.strptime(reply[name], "%Y-%m-%dT%H:%M:%S%z") for name in ("created_at", "expires_at")}
    names = (
        "reply_id to channel in_reply_to text quick_replies list intent confidence requires_human session_state source"
    )
    assert set(reply) == {*names.split(), "provider", *times}
    assert UUID(reply["reply_id"])
    assert (reply["to"], reply["in_reply_to"]) == (phone, [message_id])
    assert 0 < len(reply["text"]) <= 4_096
    assert len(reply["quick_replies"]) <= 3
    assert all(button["id"] and 0 < len(button["title"]) <= 20 for button in reply["quick_replies"])
    assert reply["intent"] in INTENTS
    assert reply["session_state"] in STATES
    assert 0 <= reply["confidence"] <= 1
    assert isinstance(reply["requires_human"], bool)
    assert times["expires_at"].timestamp() - 86_400 in (sent_at_s, sent_at_s + 1)


@dataclass(slots=True)
class Shop:
    """servers: the providers. good: of each, our decision in a recorded envelope. sent: ids of all messages."""

    conversation: Conversation
    servers: dict[str, Server]
    good: dict[str, Recording] = field(init=False)
    sent: list[str] = field(default_factory=list)
    booked_before: int = 0

    def __post_init__(self) -> None:
        """Every provider is well."""
        self.good = {provider: saying(provider, decision_of(provider)) for provider in self.servers}

    def begin_case(self) -> None:
        """Every provider is well, every circuit closed, and nothing cached or counted."""
        forget(self.conversation.redis, "ai_circuit:*", "ai_response:*", "flight:*")
        self.conversation.sql("delete from events returning id")
        for provider, server in self.servers.items():
            self.play(provider, self.good[provider])
            server.seen.clear()
        self.booked_before = self.booked_microusd()

    def play(self, provider: str, *recordings: Recording) -> None:
        """What this provider answers from now on; the last one stays."""
        self.servers[provider].answers = [recording.answer for recording in recordings]

    def send(self, *texts: str) -> list[str]:
        """Enqueues webhooks in one round trip, each text from a customer of its own; their message ids."""
        first = len(self.sent)
        ids = [f"wamid.recorded.{first + number}" for number in range(len(texts))]
        bodies = [webhook(says(each, phone_of(each), text)) for each, text in zip(ids, texts, strict=True)]
        self.sent += ids
        self.conversation.gateway.send(*bodies)
        return ids

    def ask(self, text: str) -> dict[str, Any]:
        """The reply to a message of a new customer, after a look that it keeps the contract."""
        sent_at_s = int(time.time())
        (message_id,) = self.send(text)
        (reply,) = self.replies_to([message_id])
        check_contract(reply, message_id, phone_of(message_id), sent_at_s)
        return reply

    def replies_to(self, ids: Sequence[str]) -> list[dict[str, Any]]:
        """The replies to these messages, once all of them are there."""
        self.conversation.wait_until(lambda: set(ids) <= set(self.conversation.answered()))
        return [reply for reply in self.conversation.replies if set(ids) & set(reply["in_reply_to"])]

    def metric(self, reply: dict[str, Any]) -> Any:
        """The row of ai_metrics that belongs to a reply; it is written within milliseconds of it."""
        find, deadline = "select * from ai_metrics where reply_id = cast(:id as uuid)", time.monotonic() + GUARD_S
        while not (rows := self.conversation.sql(find, id=reply["reply_id"])):
            assert time.monotonic() < deadline, "its metrics were never recorded"
        (row,) = rows
        return row

    def check_bill(self, reply: dict[str, Any], paid: Iterable[tuple[str, Recording]]) -> None:
        """PostgreSQL and the budget's book both hold what these recordings cost, each at its provider's prices."""
        paid, asked = list(paid), {provider: iter(server.seen) for provider, server in self.servers.items()}
        bills = [(provider, recording.billed(next(asked[provider]).body)) for provider, recording in paid]
        cost = sum(cost_microusd(provider, *tokens) for provider, tokens in bills)
        tokens = tuple(map(sum, zip(*(tokens for _, tokens in bills), strict=True)))
        row = self.metric(reply)
        assert (row.cost_microusd, row.calls) == (cost, len(paid)), (row.cost_microusd, row.calls_made, bills)
        assert (row.prompt_tokens, row.cached_tokens, row.completion_tokens) == tokens
        assert (row.source, row.provider, row.committed) == (reply["source"], reply["provider"], True)
        assert self.booked_microusd() - self.booked_before == cost
        assert self.conversation.redis.zcard("budget:reserved") == 0

    def check_rescue(self, provider: str, answers: Sequence[Recording]) -> None:
        """A message for which `provider` is asked first, and gives these answers, is answered by the next one, whose
        circuit stays healthy and whose price is added.
        """
        reply, rescuer = self.ask(FIRST_ASKED[provider]), NEXT[provider]
        assert (reply["source"], reply["provider"]) == ("ai", TABLE[rescuer]["name"])
        assert reply["text"] == f"Hola de {rescuer}"
        assert self.calls() == {provider: len(answers), rescuer: 1}
        self.check_bill(reply, [*((provider, answer) for answer in answers), (rescuer, self.good[rescuer])])
        assert self.circuit(rescuer) == HEALTHY
        assert self.cached_replies() == 1

    def calls(self) -> dict[str, int]:
        """HTTP requests each provider has taken in this case; those without any are left out."""
        return {provider: len(server.seen) for provider, server in self.servers.items() if server.seen}

    def figures(self, provider: str) -> dict[str, str]:
        """The circuit as it stands in Redis."""
        found: Any = self.conversation.redis.hgetall(f"ai_circuit:{TABLE[provider]['name']}")
        return {name.decode(): value.decode() for name, value in found.items()}

    def circuit(self, provider: str) -> dict[str, str]:
        """State, failures in a row and, where it opened, the reason; nothing where it has never heard of a call."""
        found = self.figures(provider)
        return found and {
            "state": found.get("state", "closed"),
            "failures": found.get("failures", "0"),
            **({"reason": found["reason"]} if found.get("reason") else {}),
        }

    def open_ms(self, provider: str) -> int:
        """For how long a circuit opened."""
        found = self.figures(provider)
        return int(found["until_ms"]) - int(found["since_ms"])

    def circuit_events(self) -> list[Any]:
        """What this case has noted of circuits, for the report."""
        return [row.data for row in self.conversation.sql("select data from events where kind = 'circuit' order by id")]

    def cached_replies(self) -> int:
        """Entries of the reply cache."""
        return sum(1 for _ in self.conversation.redis.scan_iter("ai_response:*"))

    def booked_microusd(self) -> int:
        """What the month's book holds."""
        return int(self.conversation.redis.hget(time.strftime("budget:%Y-%m", time.gmtime()), "spent") or 0)

    def check_end(self) -> None:
        """Every message was answered once, none refused, and nothing is left under way."""
        self.conversation.wait_until(lambda: self.conversation.sql("select from turns where token is not null") == [])
        self.conversation.collect(1.0)
        assert Counter(self.conversation.answered()) == Counter(self.sent)
        assert self.conversation.rejections == []
        assert self.conversation.sql("select distinct state from messages") == [("answered",)]


def phone_of(message_id: str) -> str:
    """The customer who wrote it; each message has one of its own."""
    return f"54911{int(message_id.rpartition('.')[2]):08}"
