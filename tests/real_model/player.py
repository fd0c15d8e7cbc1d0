"""Plays a script through the two streams: customers side by side, each one's messages one after the other."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

import orjson
from helpers.service import Conversation
from msgspec import convert

from real_model.script import Act, by_customer
from real_model.transcript import Booked, Exchange, Shot
from worker.session.handover import waits_for_person
from worker.session.session import Context

COLLECT_S: Final = 0.1
ENDED: Final = "select message_id, state, outcome from messages where message_id = any(:ids) and state <> 'accepted'"
SESSION: Final = "select session_state, cart_data, context_data from customer_sessions where customer_phone = :phone"
ORDERED: Final = """
    select jsonb_object_agg(i.name, i.quantity::double precision) from orders o join order_items i on i.order_id = o.id
    where o.customer_phone = :phone group by o.id order by o.id
"""
BOOKED: Final = """
    select coalesce(sum(calls), 0), coalesce(sum(prompt_tokens), 0), coalesce(sum(completion_tokens), 0)
    from ai_metrics
"""
RESTS: Final = """
    select (select count(*) from messages where state = 'accepted' or (reply is not null and published_at is null))
         + (select count(*) from turns where token is not null)
"""


@dataclass(slots=True)
class _Said:
    """Messages that are under way."""

    ids: tuple[str, ...]
    text: str
    before: Shot
    sent_s: float = field(default_factory=time.monotonic)


class Player:
    """Plays on one running service. Not thread safe."""

    def __init__(self, talk: Conversation, run_id: str, tell: Callable[[Exchange], None]) -> None:
        """run_id: makes the message ids new. tell: hears each exchange when it has ended."""
        self._talk = talk
        self._run_id = run_id
        self._tell = tell
        self._numbered = 0

    def play(self, acts: Sequence[Act], sending_s: float, ending_s: float) -> list[Exchange]:
        """The exchanges as they ended. Nothing more is said after `sending_s` seconds; what then has not ended within
        `ending_s` more comes last, without a reply.
        """
        left, began = dict(by_customer(acts)), time.monotonic()
        under_way: dict[str, _Said] = {}
        ended: list[Exchange] = []
        while (left or under_way) and time.monotonic() < began + sending_s + ending_s:
            if time.monotonic() >= began + sending_s:
                left = {}
            for customer in [customer for customer in left if customer not in under_way]:
                under_way[customer] = self._say(customer, left[customer].pop(0))
                if not left[customer]:
                    del left[customer]
            self._talk.collect(COLLECT_S)
            for customer in self._done(under_way):
                ended.append(self._exchange(customer, under_way.pop(customer)))
                self._tell(ended[-1])
        return ended + [self._exchange(customer, said) for customer, said in under_way.items()]

    def settle(self, timeout_s: float) -> bool:
        """Whether within this time nothing is under way any more and every reply is recorded."""
        deadline = time.monotonic() + timeout_s
        while self._talk.sql(RESTS)[0][0]:
            if time.monotonic() >= deadline:
                return False
            self._talk.collect(COLLECT_S)
        return True

    def booked(self) -> Booked:
        """What has been recorded of calls so far."""
        return Booked(*(int(figure) for figure in self._talk.sql(BOOKED)[0]))

    def _say(self, customer: str, texts: Sequence[str]) -> _Said:
        before = self.shot(customer)
        ids = []
        for text in texts:
            self._numbered += 1
            ids.append(f"wamid.{self._run_id}.{self._numbered:03}")
            message = {"message_id": ids[-1], "from": customer, "name": "Prueba", "timestamp": int(time.time())}
            self._talk.gateway.send(orjson.dumps(message | {"type": "text", "text": text}))
        return _Said(tuple(ids), "\n".join(texts), before)

    def _done(self, under_way: dict[str, _Said]) -> list[str]:
        """Customers all of whose messages have a published reply, or ended without one."""
        waiting = {i for said in under_way.values() for i in said.ids} - set(self._talk.answered())
        silent = {row.message_id for row in self._rows(sorted(waiting)) if row.state != "answered"} if waiting else ()
        return [customer for customer, said in under_way.items() if waiting.isdisjoint(set(said.ids) - set(silent))]

    def _exchange(self, customer: str, said: _Said) -> Exchange:
        rows = {row.message_id: row for row in self._rows(said.ids)}
        outcomes = [row.outcome for row in rows.values() if row.outcome]
        replies = {r["reply_id"]: r for r in self._talk.replies if set(r["in_reply_to"]) & set(said.ids)}
        return Exchange(
            customer=customer,
            message_ids=said.ids,
            said=said.text,
            replies=tuple(replies.values()),
            states=tuple(rows[i].state if i in rows else "accepted" for i in said.ids),
            before=said.before,
            after=self.shot(customer),
            shared=any(o["source"] in ("ai", "cache") and not o.get("reply_key") for o in outcomes),
            took_s=time.monotonic() - said.sent_s,
        )

    def _rows(self, ids: Sequence[str]) -> list[Any]:
        return self._talk.sql(ENDED, ids=list(ids))

    def shot(self, customer: str) -> Shot:
        """The customer now. Nothing of his may be under way."""
        orders = tuple(row[0] for row in self._talk.sql(ORDERED, phone=customer))
        for state, cart, context in self._talk.sql(SESSION, phone=customer):
            quantities = {item["name"]: float(item["quantity"]) for item in cart}
            waits = waits_for_person(convert(context, Context), datetime.now(UTC))
            address = convert(context, Context).checkout.address or None
            return Shot(state, quantities, waits, address, orders)
        return Shot(orders=orders)
