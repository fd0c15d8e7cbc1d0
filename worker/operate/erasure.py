"""Erasure of a customer: from PostgreSQL, both roles of Redis, and what is on its way between them."""

import re
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from typing import Any

import orjson
import redis
from sqlalchemy import Connection

from db import retry
from db.customers import erase_customer, forget_ids, linked_ids
from worker.errors import CommandError
from worker.messages.inbound import parse_payload
from worker.redisdb import keys
from worker.redisdb.cache import key_batches
from worker.redisdb.streams import GROUP, PAYLOAD

STATEMENT_TIMEOUT_MS = 60_000
#: By then whoever had something in hands during one pass has put it where the next pass finds it.
PAUSE_S = 1.0
#: Counted kinds, in the order in which they are shown. Unanswered messages and dead letters are among the messages.
COUNTED = (
    *("messages", "unanswered", "dead_letters", "sessions", "orders", "customers"),
    *("inbound", "outbound", "rejected", "order_events", "parked", "redis_keys"),
)
Fields = dict[bytes, bytes]
#: Entries looked at in one round trip.
LOOK = 500


class Erasure:
    """Erasure of one customer under all their ids, in passes until one finds nothing: while the service works, what it
    has just read or is about to write shows only in the next pass.
    """

    def __init__(self, connection: Connection, durable: redis.Redis, cache: redis.Redis, phone: str) -> None:
        self._connection = connection
        self._durable: Any = durable
        self._cache: Any = cache
        self._phone = phone
        self._ids = {phone}
        self._entries = CustomerEntries(durable, self._ids)
        self._known: dict[str, set[str]] = {"tokens": set(), "reply_keys": set(), "terms": set()}

    def run(
        self,
        give_up_after_s: float,
        clock: Callable[[], float] = time.monotonic,
        pause: Callable[[float], None] = time.sleep,
    ) -> dict[str, int]:
        """Erases; returns how many of each of COUNTED are gone. Raises CommandError where something is left by then."""
        # Before anything is gone that tells which keys to look for; the durable one is asked first anyway.
        self._cache.ping()
        removed: Counter[str] = Counter()
        deadline = clock() + give_up_after_s
        while self._pass(removed):
            if clock() >= deadline:
                raise CommandError(
                    "not everything is erased: the customer is still being answered, or writes again and again, or "
                    "nobody reads whatsapp:inbound. Run it again."
                )
            pause(PAUSE_S)
        # Last, so that whoever has to run this again finds that these ids are of one customer.
        retry.commit(self._connection, forget_ids, sorted(self._ids))
        return {name: removed[name] for name in COUNTED}

    def _pass(self, removed: Counter[str]) -> bool:
        """Looks everywhere once and adds what it removed to `removed`; returns whether another pass may find more."""
        leads = self._entries.leads()
        found = self._remove_rows()
        asked = {leads[token] for token in self._known["tokens"] if token in leads}
        self._known["reply_keys"] |= asked
        found += self._entries.remove()
        found["redis_keys"] = self._remove_keys(led=set(leads.values()))
        removed.update(found)
        return bool(found.total() or asked or self._entries.left_to_intake)

    def _remove_rows(self) -> Counter[str]:
        """Removes rows of PostgreSQL, in one commit that also takes the turn away from whoever works on it."""

        def erase(connection: Connection) -> tuple[list[str], dict[str, Any]]:
            ids = linked_ids(connection, self._phone)
            return ids, erase_customer(connection, ids[0])

        ids, row = retry.commit(self._connection, erase)
        if not self._ids.issuperset(ids):
            self._ids |= set(ids)
            self._entries = CustomerEntries(self._durable, self._ids)
        for name, known in self._known.items():
            known.update(row.pop(name))
        # Somebody may be about to publish what has just been committed: what counts as published is left alone.
        for entry_id in row.pop("unpublished"):
            for key in (keys.PUBLISHED, keys.ORDER_PUBLISHED):
                self._durable.set(key.key(entry_id), "1", ex=key.ttl_s, nx=True)
        return Counter(row)

    def _remove_keys(self, led: set[str]) -> int:
        """Removes the keys whose names are known, among them cached answers to questions that hold the session, and
        words that were searched for. A flight that is still led stays: others may be parked for it.
        """
        replies, terms = self._known["reply_keys"], self._known["terms"]
        durable = [*map(keys.CALL_LIMIT.key, self._ids), *map(keys.FLIGHT.key, replies - led)]
        cached = [*map(keys.AI_RESPONSE.key, replies), *map(keys.PRODUCT_SEARCH.key, terms)]
        own = [key.key(known) for key in (keys.SESSION, keys.REPLY_LIMIT) for known in self._ids]
        return int(self._durable.delete(*durable)) + int(self._cache.delete(*own, *cached))


class CustomerEntries:
    """Finder and remover of the entries of one customer, by all ids. left_to_intake: inbound entries that the last
    `remove` left alone, because they hold messages of others too.
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
            outbound=self._remove_new(keys.OUTBOUND, lambda reply: reply["to"]),
            rejected=self._remove_new(keys.REJECTED),
            order_events=self._remove_new(keys.ORDERS, lambda event: event["order"]["customer"]),
            parked=self._remove_parked(),
        )

    def leads(self) -> dict[str, str]:
        """Returns the reply cache keys that anybody's turn is asking a provider for, by the token of the turn."""
        return {
            value[1:].decode(): key.decode().removeprefix(keys.FLIGHT.key(""))
            for batch in key_batches(self._client, keys.FLIGHT)
            for key, value in zip(batch, self._client.mget(batch), strict=True)
            if value is not None and value.startswith(b"L")
        }

    def _remove_inbound(self) -> int:
        self.left_to_intake = removed = 0
        for entries in self._entries(keys.INBOUND, b"-"):
            theirs = [(entry_id, self._is_alone(fields)) for entry_id, fields in entries if self._is_named(fields)]
            self.left_to_intake += sum(alone is None for _, alone in theirs)
            removed += self._delete(keys.INBOUND, [entry_id for entry_id, alone in theirs if alone])
        return removed

    def _remove_new(self, stream: keys.Key, owner: Callable[[Any], str] | None = None) -> int:
        """Removes entries that name them, and whose payload has them for its owner, where an owner can be told."""
        removed = 0
        for entries in self._entries(stream, self._looked_at.get(stream.name, b"-")):
            named = [(entry_id, fields) for entry_id, fields in entries if self._is_named(fields)]
            removed += self._delete(stream, [entry_id for entry_id, fields in named if self._is_theirs(fields, owner)])
            self._looked_at[stream.name] = b"(" + entries[-1][0]
        return removed

    def _remove_parked(self) -> int:
        """Removes their turns that wait for the answer to somebody's equal question."""
        return sum(
            self._client.lrem(key, 0, turn)
            for batch in key_batches(self._client, keys.PARKED)
            for key in batch
            for turn in self._client.lrange(key, 0, -1)
            if orjson.loads(turn)["customer_phone"] in self._ids
        )

    def _is_named(self, fields: Fields) -> bool:
        return any(self._whole_number.search(value) for value in fields.values())

    def _is_theirs(self, fields: Fields, owner: Callable[[Any], str] | None) -> bool:
        return owner is None or owner(orjson.loads(fields[PAYLOAD.encode()])) in self._ids

    def _is_alone(self, fields: Fields) -> bool | None:
        """Returns whether a payload that names this customer holds no message of anybody else; None where it holds
        both, or what intake is going to reject.
        """
        parsed = parse_payload(fields.get(PAYLOAD.encode(), b""), time.time())
        if parsed.rejections:
            return None
        owners = {message.customer_phone for message in parsed.messages}
        return owners <= self._ids or (None if owners & self._ids else False)

    def _entries(self, stream: keys.Key, start: bytes) -> Iterator[list[tuple[bytes, Fields]]]:
        while entries := self._client.xrange(stream.pattern, min=start, count=LOOK):
            yield entries
            start = b"(" + entries[-1][0]

    def _delete(self, stream: keys.Key, ids: list[bytes]) -> int:
        if not ids:
            return 0
        with self._client.pipeline(transaction=True) as pipeline:
            if stream is keys.INBOUND:
                pipeline.xack(stream.pattern, GROUP, *ids)
            pipeline.xdel(stream.pattern, *ids)
            return int(pipeline.execute()[-1])
