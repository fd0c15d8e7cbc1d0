"""WhatsApp streams on the durable Redis: inbound with its consumer group, outbound, orders, rejected."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import redis
from redis.exceptions import ResponseError

from worker.errors import RedisNotSwept
from worker.redisdb import keys
from worker.redisdb.cluster import is_cluster
from worker.redisdb.keys import Key
from worker.redisdb.restarts import run_keys

PUBLISH = Path(__file__).with_name("publish.lua").read_text(encoding="utf-8")
REFUSE = Path(__file__).with_name("refuse.lua").read_text(encoding="utf-8")
GROUP = "chasqui"
#: Before every entry of a stream.
BEGINNING = b"0"
#: Consumer of every intake: only the one that holds the lock reads, so what is pending is its own to finish.
CONSUMER = "intake"
PAYLOAD = "payload"
SWEEP_PATIENCE_S = 5.0
SWEEP_PAUSE_S = 0.1


@dataclass(frozen=True, slots=True)
class Entry:
    """Entry of the inbound stream; `payload` is None where the field is missing."""

    id: bytes
    payload: bytes | None
    fields: dict[bytes, bytes]


class Streams:
    """Reader and writer of the streams. Raises RedisError: callers wait, or leave it to the sweep.

    Args:
        once: a client that repeats nothing by itself. Entries whose answer was lost are pending, and a second read
            would pass them over until the next start; a second `finish` would refuse a payload twice.
    """

    def __init__(self, client: redis.Redis, once: redis.Redis | None = None) -> None:
        self._client = client
        self._once = once or client
        self._publish = client.register_script(PUBLISH)
        self._refuse = client.register_script(REFUSE)

    def send(self, payload: str | bytes) -> None:
        """Adds one payload to the inbound stream."""
        self._client.xadd(keys.INBOUND.pattern, {PAYLOAD: payload})

    def create_group(self) -> None:
        """Makes the consumer group (and the stream) where it is missing; it begins with the first entry."""
        try:
            self._client.xgroup_create(keys.INBOUND.pattern, GROUP, id="0", mkstream=True)
        except ResponseError as exc:
            if "BUSYGROUP" not in str(exc):
                raise

    def read(self, *, pending: bool, count: int, block_ms: int | None = None, after: bytes = BEGINNING) -> list[Entry]:
        """Reads up to `count` entries: those behind `after` that are pending (read and not acknowledged), or new ones,
        for which it waits up to `block_ms`.
        """
        start = after if pending else ">"
        found: Any = self._once.xreadgroup(GROUP, CONSUMER, {keys.INBOUND.pattern: start}, count=count, block=block_ms)
        return [Entry(entry_id, fields.get(PAYLOAD.encode()), fields) for _, entry_id, fields in entries_in(found)]

    def finish(self, entries: Sequence[Entry], rejections: Sequence[tuple[Entry, str]]) -> None:
        """Acknowledges and deletes entries, and keeps each refused payload with its reason, in one transaction, so that
        a crash neither loses nor doubles a refusal.
        """
        if not entries:
            return
        if is_cluster(self._client):
            self._refuse_once(rejections)
            rejections = ()
        with self._once.pipeline(transaction=True) as pipeline:
            for entry, reason in rejections:
                _reject(pipeline, _original(entry), reason)
            ids = [entry.id for entry in entries]
            pipeline.xack(keys.INBOUND.pattern, GROUP, *ids)
            pipeline.xdel(keys.INBOUND.pattern, *ids)
            pipeline.execute()

    def _refuse_once(self, rejections: Sequence[tuple[Entry, str]]) -> None:
        """Keeps refused payloads on a cluster, where they and the inbound stream lie apart: each is remembered, so that
        it is not kept twice where the entry comes again.
        """
        for number, (entry, reason) in enumerate(rejections):
            kept = [keys.REJECTED.pattern, keys.REFUSED.key(f"{entry.id.decode()}:{number}")]
            self._refuse(
                keys=kept, args=[_original(entry), reason, keys.REJECTED_KEEP_ENTRIES, keys.REFUSED.ttl_s or 0]
            )

    def reject(self, payload: str | bytes, reason: str) -> None:
        """Keeps a payload that was refused before it reached the inbound stream."""
        _reject(self._client, payload, reason)

    def publish(self, replies: Sequence[dict[str, Any]], *, by_sweep: bool = False) -> int:
        """Publishes replies (docs/gateway.md) to the outbound stream in their order, each reply id once.

        Returns:
            How many replies were new.

        Raises:
            RedisNotSwept: no sweep has run within 5 s.
        """
        return self._publish_once(
            keys.OUTBOUND, keys.PUBLISHED, [(reply["reply_id"], reply) for reply in replies], by_sweep
        )

    def publish_orders(self, events: Sequence[dict[str, Any]], *, by_sweep: bool = False) -> int:
        """Publishes events of orders (docs/gateway.md, Orders) to their stream, each event id once, as `publish` does
        replies.
        """
        return self._publish_once(
            keys.ORDERS, keys.ORDER_PUBLISHED, [(event["event_id"], event) for event in events], by_sweep
        )

    def _publish_once(
        self, stream: Key, remembered: Key, entries: Sequence[tuple[str, dict[str, Any]]], by_sweep: bool
    ) -> int:
        """Publishes entries, each under its id, those of them that are not remembered as published; returns how many.

        A payload depends on the entry's values alone: one that is published again is the same to the byte. A Redis
        that has restarted may have forgotten its last second: until the sweep has put that back, only the sweep
        publishes, or a customer's next reply would stand before the forgotten one.
        """
        if not entries:
            return 0
        ids = [remembered.key(entry_id) for entry_id, _ in entries]
        names = [stream.pattern, run_keys(self._client, stream)[0], *ids]
        payloads = [orjson.dumps(entry, option=orjson.OPT_SORT_KEYS) for _, entry in entries]
        args = [remembered.ttl_s or 0, "sweep" if by_sweep else "", *payloads]
        until = time.monotonic() + SWEEP_PATIENCE_S
        while (new := int(self._publish(keys=names, args=args))) < 0:
            if time.monotonic() > until:
                raise RedisNotSwept("Redis has restarted, and no sweep has run since")
            time.sleep(SWEEP_PAUSE_S)
        return new

    def trim(self) -> int:
        """Drops replies of more than 7 days, orders and refusals of more than 30; returns how many."""
        now = time.time()
        with self._client.pipeline(transaction=False) as pipeline:
            for stream, keep_s in keys.STREAMS_KEEP_S.items():
                pipeline.xtrim(stream, minid=f"{int((now - keep_s) * 1000)}-0", approximate=False)
            return sum(pipeline.execute())


def _reject(client: Any, payload: str | bytes, reason: str) -> None:
    client.xadd(
        keys.REJECTED.pattern, {PAYLOAD: payload, "reason": reason}, maxlen=keys.REJECTED_KEEP_ENTRIES, approximate=True
    )


def _original(entry: Entry) -> bytes:
    if entry.payload is not None:
        return entry.payload
    fields = {key.decode(errors="replace"): value.decode(errors="replace") for key, value in entry.fields.items()}
    return orjson.dumps(fields)


def entries_in(found: Any) -> Iterator[tuple[bytes, bytes, dict[bytes, bytes]]]:
    """Yields stream, id and fields of each entry in an answer to XREAD or XREADGROUP, in either of redis-py's two
    shapes; one that was deleted while pending has no fields.
    """
    streams = found.items() if isinstance(found, dict) else found or ()
    for stream, entries in streams:
        rows = entries[0] if entries and isinstance(entries[0], list) else entries
        for entry_id, fields in rows:
            yield stream, entry_id, fields
