"""The gateway of the benchmark: speaks XADD and XREAD, knows nothing else of what it measures.

How long a run took is told by the monotonic clock of this process, as the wall clock of a machine may be set meanwhile.
A single message's times are those of Redis: the id of an entry says in milliseconds when it was added, on one clock for
both streams, however late this process looks.
"""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final

import orjson
import redis

from bench.crowd import Written
from worker.errors import CommandError
from worker.redisdb.keys import INBOUND, OUTBOUND

CHUNK: Final = 1_000
#: How long the driver leaves the cores to the measured between two looks while many messages are under way.
LOOK_EVERY_S: Final = 0.02
#: Longer than any message may take, the deadline of a provider and a restart by the sweep included.
SILENCE_S: Final = 60.0
#: Pause between messages sent one by one: the work behind the last reply is done by then.
PAUSE_S: Final = (0.02, 0.04)
Look = Callable[[int], None]
#: Hands messages over; when each was (milliseconds since 1970).
Send = Callable[[Sequence[Written]], Sequence[int]]


def unseen(_count: int) -> None:
    """Where nobody looks on."""


@dataclass(slots=True)
class Played:
    """What became of some messages. sent_ms, replied_ms: when each was added to the inbound stream and when its reply
    appeared in the outbound one (milliseconds since 1970), by id; sources: where replies came from, by number of
    messages; cached: the messages whose reply came from the cache; took_s: from the first message to the last reply.
    """

    sent_ms: dict[str, int] = field(default_factory=dict)
    replied_ms: dict[str, int] = field(default_factory=dict)
    sources: Counter[str] = field(default_factory=Counter)
    cached: set[str] = field(default_factory=set)
    took_s: float = 0.0

    @property
    def answered(self) -> int:
        """How many have their reply."""
        return len(self.replied_ms)

    @property
    def latencies_ms(self) -> list[float]:
        """From a message's entry to that of its reply."""
        return [float(at - self.sent_ms[id_]) for id_, at in self.replied_ms.items()]

    def take(self, reply: dict[str, Any], at_ms: int) -> None:
        """Notes a reply; one that was seen before changes nothing."""
        new = [id_ for id_ in reply["in_reply_to"] if id_ in self.sent_ms and id_ not in self.replied_ms]
        self.replied_ms.update(dict.fromkeys(new, at_ms))
        self.sources[reply["source"]] += len(new)
        self.cached.update(new if reply["source"] == "cache" else ())


class Conversations:
    """Messages and whose turn it is: people wait for a reply before they write again, and whom a reply leaves to a
    person of the shop writes no more, as the AI is silent from then on.
    """

    def __init__(self, messages: Sequence[Written]) -> None:
        self.left = len(messages)
        self._next: list[Written] = []
        self._waiting: dict[str, str] = {}
        self._later: dict[str, deque[Written]] = {}
        for message in messages:
            if message.customer in self._waiting:
                self._later.setdefault(message.customer, deque()).append(message)
            else:
                self._write(message)

    def ready(self) -> list[Written]:
        """What is written now."""
        ready, self._next = self._next, []
        return ready

    def take(self, reply: dict[str, Any]) -> None:
        """A reply, after which its customer may go on."""
        customer = reply["to"]
        if self._waiting.get(customer) not in reply["in_reply_to"]:
            return
        del self._waiting[customer]
        self.left -= 1
        later = self._later.get(customer, deque())
        if reply["requires_human"]:
            self.left -= len(later)
            later.clear()
        if later:
            self._write(later.popleft())

    def _write(self, message: Written) -> None:
        self._waiting[message.customer] = message.id
        self._next.append(message)


class Unanswered:
    """Messages of people who write when they like, answered or not."""

    def __init__(self, messages: Sequence[Written]) -> None:
        self._ids = {message.id for message in messages}

    @property
    def left(self) -> int:
        """How many have no reply."""
        return len(self._ids)

    def ready(self) -> list[Written]:
        """Nothing: all are written in their own time."""
        return []

    def take(self, reply: dict[str, Any]) -> None:
        """A reply."""
        self._ids.difference_update(reply["in_reply_to"])


class BenchGateway:
    """One connection to the two streams. send: another way in than the inbound stream."""

    def __init__(self, client: redis.Redis, send: Send | None = None) -> None:
        self._client = client
        self._send = send or self._add

    def play(self, messages: Sequence[Written], look: Look = unseen) -> Played:
        """Sends everything that may be sent at once, waits for all replies. look: called between looks at the stream
        with the number of replies. Raises CommandError where replies are missing and none has come for 60 s.
        """
        played, conversations, position = Played(), Conversations(messages), self.position()
        began = time.monotonic()
        self._collect(played, conversations, position, look)
        played.took_s = time.monotonic() - began
        return played

    def send(self, messages: Sequence[Written]) -> None:
        """Sends everything at once and waits for nothing."""
        self._send(messages)

    def one_by_one(self, messages: Sequence[Written], rng: Random) -> list[float]:
        """Milliseconds from XADD to the reply in the hands of the gateway; the next is sent when one is answered."""
        return [self._once(message, rng) for message in messages]

    def at_rate(self, messages: Sequence[Written], rate: float, rng: Random, look: Look = unseen) -> Played:
        """Sends `rate` messages per second on average, at random times as unrelated customers do, and does not wait
        for replies meanwhile; then collects them.
        """
        played, unanswered, position = Played(), Unanswered(messages), self.position()
        due = time.monotonic()
        for place, message in enumerate(messages):
            due += rng.expovariate(rate)
            time.sleep(max(due - time.monotonic(), 0))
            played.sent_ms[message.id] = self._send([message])[0]
            look(place)
        self._collect(played, unanswered, position, unseen)
        return played

    def _once(self, message: Written, rng: Random) -> float:
        time.sleep(rng.uniform(*PAUSE_S))
        position, body = self.position(), message.body(int(time.time()))
        began = time.perf_counter()
        self._client.xadd(INBOUND.pattern, {"payload": body})
        while time.perf_counter() - began < SILENCE_S:
            for entry_id, reply in self.read(position, block_ms=1_000):
                position = entry_id
                if message.id in reply["in_reply_to"]:
                    return (time.perf_counter() - began) * 1_000
        raise CommandError(f"no reply within {SILENCE_S:.0f} s")

    def _collect(self, played: Played, conversations: Conversations | Unanswered, position: bytes, look: Look) -> None:
        heard = time.monotonic()
        while conversations.left:
            self._send_on(played, conversations.ready())
            time.sleep(LOOK_EVERY_S)
            for entry_id, reply in self.read(position):
                position, heard = entry_id, time.monotonic()
                played.take(reply, _ms(entry_id))
                conversations.take(reply)
            if time.monotonic() - heard > SILENCE_S:
                raise CommandError(f"no reply for {SILENCE_S:.0f} s; {conversations.left} messages have none")
            look(played.answered)

    def _send_on(self, played: Played, messages: Sequence[Written]) -> None:
        for first in range(0, len(messages), CHUNK):
            chunk = messages[first : first + CHUNK]
            played.sent_ms.update(zip((message.id for message in chunk), self._send(chunk), strict=True))

    def _add(self, messages: Sequence[Written]) -> list[int]:
        now_s = int(time.time())
        pipeline = self._client.pipeline(transaction=False)
        for message in messages:
            pipeline.xadd(INBOUND.pattern, {"payload": message.body(now_s)})
        return [_ms(entry_id) for entry_id in pipeline.execute()]

    def position(self) -> bytes:
        """The newest entry of the outbound stream, as `read` takes it."""
        last: Any = self._client.xrevrange(OUTBOUND.pattern, count=1)
        return bytes(last[0][0]) if last else b"0"

    def read(self, position: bytes, block_ms: int | None = None) -> Iterator[tuple[bytes, dict[str, Any]]]:
        """Entry ids and replies that came after the position; waits for one up to `block_ms` where that is given."""
        found: Any = self._client.xread({OUTBOUND.pattern: position}, count=10 * CHUNK, block=block_ms)
        streams = found.values() if isinstance(found, dict) else (entries for _, entries in found or ())
        for entries in streams:
            for entry_id, fields in entries[0] if entries and isinstance(entries[0], list) else entries:
                yield entry_id, orjson.loads(fields[b"payload"])


def _ms(entry_id: bytes) -> int:
    return int(entry_id.partition(b"-")[0])
