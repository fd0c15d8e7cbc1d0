"""Plays a workload through the two streams as a gateway would: many customers at once, each in their own order."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Collection, Sequence
from typing import Any, Final

import orjson

from bench.workload import Message
from worker.devkit.gateway import Gateway, StreamEntry
from worker.errors import CommandError
from worker.redisdb.keys import REJECTED

#: Messages without a reply at any time; customers are people and wait for theirs before they go on.
IN_FLIGHT: Final = 100
LIMIT_S: Final = 1_200.0
#: Longer than any message may take, a provider's deadline and a restart by the sweep included.
SILENCE_S: Final = 90.0
LOOK_EVERY_S: Final = 1.0
MESSAGE_ID: Final = "wamid.economy.{}"


class NotAnswered(CommandError):
    """The replay was given up; `message_ids` are those that were sent and have no reply."""

    def __init__(self, message: str, message_ids: list[str]) -> None:
        super().__init__(message)
        self.message_ids = message_ids


class Replay:
    """One run of a workload. replies: outbound payloads by the number of the message; took_s: seconds from sending a
    message to its reply, likewise; duration_s: of the whole run; count: messages of it. A customer whom a reply hands
    over to a person of the shop writes no more, on no later day either: the AI keeps silent from then on. with_person:
    those of earlier days.
    """

    def __init__(self, gateway: Gateway, messages: Sequence[Message], with_person: Collection[str] = ()) -> None:
        self.replies: dict[int, dict[str, Any]] = {}
        self.took_s: dict[int, float] = {}
        self.duration_s = 0.0
        self._gateway = gateway
        self.count = len(messages)
        self._waiting = deque(messages)
        #: Customers who wait for a reply, with what they will write next.
        self._busy: dict[str, deque[Message]] = {}
        self._sent_at: dict[int, float] = {}
        self.with_person = set(with_person)
        self._by_number = {message.number: message for message in messages}

    def play(self, look: Callable[[int], None]) -> None:
        """Sends everything and collects the replies. look: called about every second with the number of replies so far.
        Raises NotAnswered where nothing comes for 90 s or the whole takes more than 20 minutes, CommandError where a
        message is refused.
        """
        began = heard = time.monotonic()
        self._send_more()
        while self._sent_at:
            for seen in self._gateway.follow(LOOK_EVERY_S):
                heard = time.monotonic()
                self._take(seen)
                if not self._sent_at:
                    break
            look(len(self.replies))
            self._give_up_if_late(began, heard)
        self.duration_s = time.monotonic() - began

    def _give_up_if_late(self, began: float, heard: float) -> None:
        now, ids = time.monotonic(), [MESSAGE_ID.format(number) for number in self._sent_at]
        if ids and now - heard > SILENCE_S:
            raise NotAnswered(f"no reply for {SILENCE_S:.0f} s, {len(ids)} messages wait for theirs", ids)
        if ids and now - began > LIMIT_S:
            missing = self.count - len(self.replies)
            raise NotAnswered(f"given up after {LIMIT_S / 60:.0f} minutes, {missing} messages have no reply", ids)

    def _send_more(self) -> None:
        while self._waiting and len(self._sent_at) < IN_FLIGHT:
            message = self._waiting.popleft()
            if message.customer in self.with_person:
                continue
            if message.customer in self._busy:
                self._busy[message.customer].append(message)
            else:
                self._busy[message.customer] = deque()
                self._send(message)

    def _send(self, message: Message) -> None:
        self._sent_at[message.number] = time.monotonic()
        self._gateway.send(payload(message, int(time.time())))

    def _take(self, seen: StreamEntry) -> None:
        if seen.stream == REJECTED.pattern:
            raise CommandError(f"a message was rejected: {seen.fields['reason']}")
        reply = seen.reply
        for message_id in reply["in_reply_to"]:
            number = int(message_id.rpartition(".")[2])
            if number in self._sent_at:  # the outbound stream is at-least-once
                self.replies[number] = reply
                self.took_s[number] = time.monotonic() - self._sent_at.pop(number)
                self._go_on(self._by_number[number].customer, with_person=reply["requires_human"])

    def _go_on(self, customer: str, *, with_person: bool) -> None:
        if with_person:
            self.with_person.add(customer)
        elif self._busy[customer]:
            self._send(self._busy[customer].popleft())
            return
        del self._busy[customer]
        self._send_more()


def payload(message: Message, now_s: int) -> bytes:
    """The message as a gateway enqueues it (docs/gateway.md)."""
    told = {"from": message.customer, "name": message.name, "timestamp": now_s, "type": "text", "text": message.text}
    return orjson.dumps({"message_id": MESSAGE_ID.format(message.number), **told})
