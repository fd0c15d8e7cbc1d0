"""Entries of one customer in the durable Redis: in streams, among parked turns, behind flights that are led."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from typing import Any

import orjson
import redis

from worker.messages.inbound import parse_payload
from worker.redisdb.keys import FLIGHT, INBOUND, ORDERS, OUTBOUND, PARKED, REJECTED, Key
from worker.redisdb.layers import key_batches
from worker.redisdb.streams import GROUP, PAYLOAD

Fields = dict[bytes, bytes]
#: Entries looked at in one round trip.
LOOK = 500


class CustomerEntries:
    """Finder and remover of the entries of one customer, by all ids. Raises RedisError where Redis does not answer.

    Attributes:
        left_to_intake: inbound entries that the last `remove` left alone, because they hold messages of others too.
    """

    def __init__(self, client: redis.Redis, ids: Collection[str]) -> None:
        self._client: Any = client
        self._ids = frozenset(ids)
        any_of = b"|".join(re.escape(known.encode()) for known in self._ids)
        self._whole_number = re.compile(rb"(?<![0-9A-Za-z])(?:" + any_of + rb")(?![0-9A-Za-z])")
        self._looked_at: dict[str, bytes] = {}
        self.left_to_intake = 0

    def remove(self) -> Counter[str]:
        """Deletes what is theirs alone; returns how much of each kind. Outbound, rejected and order entries are looked
        at once, however often this is called.
        """
        return Counter(
            inbound=self._remove_inbound(),
            outbound=self._remove_new(OUTBOUND, self._is_reply),
            rejected=self._remove_new(REJECTED, self._is_named),
            order_events=self._remove_new(ORDERS, self._is_order),
            parked=self._remove_parked(),
        )

    def leads(self) -> dict[str, str]:
        """Returns the reply cache keys that anybody's turn is asking a provider for, by the token of the turn."""
        return {
            value[1:].decode(): key.decode().removeprefix(FLIGHT.key(""))
            for keys in key_batches(self._client, FLIGHT)
            for key, value in zip(keys, self._client.mget(keys), strict=True)
            if value is not None and value.startswith(b"L")
        }

    def _remove_inbound(self) -> int:
        self.left_to_intake = removed = 0
        for entries in self._entries(INBOUND, b"-"):
            theirs = [(entry_id, self._is_alone(fields)) for entry_id, fields in entries if self._is_named(fields)]
            self.left_to_intake += sum(alone is None for _, alone in theirs)
            removed += self._delete(INBOUND, [entry_id for entry_id, alone in theirs if alone])
        return removed

    def _remove_new(self, stream: Key, is_theirs: Callable[[Fields], bool]) -> int:
        removed = 0
        for entries in self._entries(stream, self._looked_at.get(stream.name, b"-")):
            removed += self._delete(stream, [entry_id for entry_id, fields in entries if is_theirs(fields)])
            self._looked_at[stream.name] = b"(" + entries[-1][0]
        return removed

    def _remove_parked(self) -> int:
        """Removes their turns that wait for the answer to somebody's equal question."""
        return sum(
            self._client.lrem(key, 0, turn)
            for keys in key_batches(self._client, PARKED)
            for key in keys
            for turn in self._client.lrange(key, 0, -1)
            if orjson.loads(turn)["customer_phone"] in self._ids
        )

    def _is_named(self, fields: Fields) -> bool:
        return any(self._whole_number.search(value) for value in fields.values())

    def _is_reply(self, fields: Fields) -> bool:
        return self._is_named(fields) and orjson.loads(fields[PAYLOAD.encode()])["to"] in self._ids

    def _is_order(self, fields: Fields) -> bool:
        return self._is_named(fields) and orjson.loads(fields[PAYLOAD.encode()])["order"]["customer"] in self._ids

    def _is_alone(self, fields: Fields) -> bool | None:
        """Returns whether a payload that names this customer holds no message of anybody else; None where it holds
        both, or what intake is going to reject.
        """
        parsed = parse_payload(fields.get(PAYLOAD.encode(), b""), time.time())
        if parsed.rejections:
            return None
        owners = {message.customer_phone for message in parsed.messages}
        return owners <= self._ids or (None if owners & self._ids else False)

    def _entries(self, stream: Key, start: bytes) -> Iterator[list[tuple[bytes, Fields]]]:
        while entries := self._client.xrange(stream.pattern, min=start, count=LOOK):
            yield entries
            start = b"(" + entries[-1][0]

    def _delete(self, stream: Key, ids: list[bytes]) -> int:
        if not ids:
            return 0
        with self._client.pipeline(transaction=True) as pipeline:
            if stream is INBOUND:
                pipeline.xack(stream.pattern, GROUP, *ids)
            pipeline.xdel(stream.pattern, *ids)
            return int(pipeline.execute()[-1])
