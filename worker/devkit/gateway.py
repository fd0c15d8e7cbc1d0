"""Gateway's side of the two streams, for the command line and trials: sends payloads, follows replies."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import orjson
import redis

from worker.redisdb.cluster import is_cluster
from worker.redisdb.keys import INBOUND, OUTBOUND, REJECTED
from worker.redisdb.streams import entries_in

BLOCK_MS = 200


@dataclass(frozen=True, slots=True)
class StreamEntry:
    """Entry that appeared in a stream: a reply (outbound) or a refused payload (rejected)."""

    stream: str
    fields: dict[str, str]

    @property
    def reply(self) -> dict[str, Any]:
        """Outbound payload."""
        return dict(orjson.loads(self.fields["payload"]))


class Gateway:
    """Follows with XREAD from where the streams stood at the start, never through a gateway's consumer group."""

    def __init__(self, client: redis.Redis) -> None:
        self._client = client
        self._positions: dict[Any, Any] = {key.pattern: self._end(key.pattern) for key in (OUTBOUND, REJECTED)}

    def _end(self, stream: str) -> str:
        last: Any = self._client.xrevrange(stream, count=1)
        return last[0][0].decode() if last else "0"

    def send(self, *payloads: str | bytes) -> None:
        """Enqueues payloads in one round trip."""
        pipeline = self._client.pipeline(transaction=False)
        for payload in payloads:
            pipeline.xadd(INBOUND.pattern, {"payload": payload})
        pipeline.execute()

    def follow(self, timeout_s: float, clock: Callable[[], float] = time.monotonic) -> Iterator[StreamEntry]:
        """Yields what appears until `timeout_s` has passed."""
        deadline = clock() + timeout_s
        while clock() < deadline:
            for stream, entry_id, fields in self._read():
                self._positions[stream.decode()] = entry_id
                yield StreamEntry(stream.decode(), {name.decode(): value.decode() for name, value in fields.items()})

    def _read(self) -> Iterator[tuple[bytes, bytes, dict[bytes, bytes]]]:
        """Yields what is new in both streams; on a cluster, where they lie apart, one is read after the other."""
        apart = [dict([each]) for each in self._positions.items()] if is_cluster(self._client) else [self._positions]
        for positions in apart:
            found: Any = self._client.xread(positions, block=BLOCK_MS // len(apart))
            yield from entries_in(found)

    def outcome_of(self, message_id: str, timeout_s: float) -> dict[str, Any] | None:
        """Waits for the reply to a message sent before, or {"reason"} where its payload was refused."""
        for entry in self.follow(timeout_s):
            if entry.stream == OUTBOUND.pattern and message_id in entry.reply["in_reply_to"]:
                return entry.reply
            if entry.stream == REJECTED.pattern and message_id in entry.fields["payload"]:
                return {"reason": entry.fields["reason"]}
        return None


def payloads_of(content: bytes) -> list[bytes]:
    """Splits content into payloads: one where the whole is one JSON text, otherwise one per line that is not blank."""
    try:
        orjson.loads(content)
    except orjson.JSONDecodeError:
        return [line for line in content.splitlines() if line.strip()]
    return [content.strip()]
