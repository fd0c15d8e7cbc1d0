"""The gateway of a town: sends what customers write until it is taken, and watches the streams without a pause."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from threading import Event, Lock, Thread
from typing import Any, Final

import orjson
import redis
from celery import Celery
from helpers.inbound import add
from kombu import Queue
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from faults.workload import Delivery
from worker.celery_ext.broker import Broker
from worker.redisdb.keys import ORDERS, OUTBOUND, REJECTED
from worker.redisdb.streams import entries_in

BLOCK_MS: Final = 100
PAUSE_S: Final = 0.1
#: As docs/gateway.md has it: the service declares it.
DOOR: Final = Queue("inbound", no_declare=True)


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry of the outbound stream."""

    entry_id: str
    payload: bytes

    @property
    def at(self) -> float:
        """Seconds since 1970, when Redis took it."""
        return int(self.entry_id.partition("-")[0]) / 1000

    @property
    def reply(self) -> dict[str, Any]:
        """The reply, decoded."""
        return dict(orjson.loads(self.payload))


@dataclass(slots=True)
class Sent:
    """What was sent. message_ids: of all good messages; tries: by payload, how often it may have reached Redis."""

    deliveries: list[Delivery] = field(default_factory=list)
    message_ids: set[str] = field(default_factory=set)
    tries: Counter[bytes] = field(default_factory=Counter)


class Sender:
    """Sends deliveries in their order from a thread of its own; one that fails is sent again until it is taken.

    Args:
        client: its own, whose time limits say when something has failed; replicas: that must have what was taken.
    """

    def __init__(self, client: redis.Redis, broker: Broker, replicas: int = 0) -> None:
        self.sent = Sent()
        self._client, self._replicas = client, replicas
        self._celery = celery_of(broker)
        self._queue: SimpleQueue[tuple[Delivery, float]] = SimpleQueue()
        self._left = 0
        self._lock = Lock()
        self._stop = Event()
        self._thread = Thread(target=self._run, name="sender", daemon=True)

    def __enter__(self) -> Sender:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._stop.set()
        self._thread.join()
        self._client.close()
        self._celery.close()

    def send(self, deliveries: Iterable[Delivery], pace_s: float = 0.0) -> None:
        """Puts the deliveries at the end of what is to be sent, each `pace_s` seconds after the one before."""
        for delivery in deliveries:
            with self._lock:
                self._left += 1
            self._queue.put((delivery, pace_s))

    @property
    def is_idle(self) -> bool:
        """Whether everything was taken."""
        with self._lock:
            return self._left == 0

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                delivery, pace_s = self._queue.get(timeout=PAUSE_S)
            except Empty:
                continue
            self._stop.wait(pace_s)
            self.sent.deliveries.append(delivery)
            self.sent.message_ids.update(delivery.message_ids)
            while not self._stop.is_set() and not self._is_taken(delivery):
                self._stop.wait(PAUSE_S)
            with self._lock:
                self._left -= 1

    def _is_taken(self, delivery: Delivery) -> bool:
        self.sent.tries[delivery.payload] += 1
        try:
            if delivery.door == "stream":
                return add(self._client, delivery.payload, self._replicas)
            self._celery.send_task("worker.receive", (delivery.payload.decode(),), queue=DOOR, retry=False)
        except (RedisError, OperationalError, OSError):
            return False
        return True


def celery_of(broker: Broker) -> Celery:
    """An application that sends to the broker and declares nothing there."""
    celery = Celery(broker=broker.url, set_as_current=False)
    celery.conf.update(broker_transport_options=broker.options, broker_use_ssl=broker.tls)
    return celery


class Observer:
    """Reads both streams as they grow, like a gateway that is always there. What it saw it keeps, also what Redis may
    forget when it is killed.
    """

    def __init__(self, client: redis.Redis) -> None:
        self.replies: list[Entry] = []
        self.rejected: Counter[bytes] = Counter()
        #: When the first reply to a message was seen, by message id.
        self.answered_at: dict[str, float] = {}
        self._client = client
        self._positions: dict[str, Any] = {OUTBOUND.pattern: "0", REJECTED.pattern: "0"}
        self._stop = Event()
        self._thread = Thread(target=self._run, name="observer", daemon=True)

    def __enter__(self) -> Observer:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._stop.set()
        self._thread.join()
        self._client.close()

    def kept(self, since: str = "-") -> list[Entry]:
        """What stands in the outbound stream now, from an entry id on."""
        found: Any = self._client.xrange(OUTBOUND.pattern, min=since)
        return [Entry(entry_id.decode(), fields[b"payload"]) for entry_id, fields in found]

    def orders(self) -> list[dict[str, Any]]:
        """What the shop has been told of orders."""
        found: Any = self._client.xrange(ORDERS.pattern)
        return [orjson.loads(fields[b"payload"]) for _, fields in found]

    def _run(self) -> None:
        while not self._stop.is_set():
            # On a cluster no command reads two streams.
            for stream in self._positions:
                self._read_on(stream)

    def _read_on(self, stream: str) -> None:
        try:
            found: Any = self._client.xread({stream: self._positions[stream]}, count=500, block=BLOCK_MS)
        except (RedisError, OSError):
            time.sleep(PAUSE_S)
            return
        for _, entry_id, fields in entries_in(found):
            self._positions[stream] = entry_id
            self._note(stream, entry_id.decode(), fields)

    def _note(self, stream: str, entry_id: str, fields: dict[bytes, bytes]) -> None:
        if stream == REJECTED.pattern:
            self.rejected[fields[b"payload"]] += 1
            return
        entry = Entry(entry_id, fields[b"payload"])
        for message_id in entry.reply["in_reply_to"]:
            self.answered_at.setdefault(message_id, entry.at)
        self.replies.append(entry)
