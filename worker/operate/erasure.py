"""Erasure of a customer: from PostgreSQL, both roles of Redis, and what is on its way between them."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import redis
from sqlalchemy import Connection

from db import queries, retry
from worker.errors import CommandError
from worker.operate.customer_entries import CustomerEntries
from worker.redisdb.keys import (
    AI_RESPONSE,
    CALL_LIMIT,
    FLIGHT,
    ORDER_PUBLISHED,
    PRODUCT_SEARCH,
    PUBLISHED,
    REPLY_LIMIT,
    SESSION,
)

STATEMENT_TIMEOUT_MS = 60_000
#: By then whoever had something in hands during one pass has put it where the next pass finds it.
PAUSE_S = 1.0
#: Counted kinds, in the order in which they are shown. Unanswered messages and dead letters are among the messages.
COUNTED = (
    *("messages", "unanswered", "dead_letters", "sessions", "orders", "customers"),
    *("inbound", "outbound", "rejected", "order_events", "parked", "redis_keys"),
)


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
        self._tokens: set[str] = set()
        self._reply_keys: set[str] = set()
        self._terms: set[str] = set()

    def run(
        self,
        give_up_after_s: float,
        clock: Callable[[], float] = time.monotonic,
        pause: Callable[[float], None] = time.sleep,
    ) -> dict[str, int]:
        """Erases, and can always be run again.

        Returns:
            How many of each of COUNTED are gone.

        Raises:
            CommandError: something is left after `give_up_after_s`.
        """
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
        self._forget_ids()
        return {name: removed[name] for name in COUNTED}

    def _forget_ids(self) -> None:
        """Forgets that these ids are of one customer: last, so that whoever has to run this again finds them again."""
        with self._connection.begin():
            queries.forget_ids(self._connection, sorted(self._ids))

    def _pass(self, removed: Counter[str]) -> bool:
        """Looks everywhere once and adds what it removed to `removed`; returns whether another pass may find more."""
        leads = self._entries.leads()
        found = self._remove_rows()
        asked = {leads[token] for token in self._tokens if token in leads}
        self._reply_keys |= asked
        found += self._entries.remove()
        found["redis_keys"] = self._remove_keys(led=set(leads.values()))
        removed.update(found)
        return bool(found.total() or asked or self._entries.left_to_intake)

    def _remove_rows(self) -> Counter[str]:
        """Removes rows of PostgreSQL, in one commit that also takes the turn away from whoever works on it."""

        def erase() -> tuple[list[str], dict[str, Any]]:
            with self._connection.begin():
                ids = queries.linked_ids(self._connection, self._phone)
                return ids, queries.erase_customer(self._connection, ids[0])

        ids, row = retry.again_on_conflict(erase)
        if not self._ids.issuperset(ids):
            self._ids |= set(ids)
            self._entries = CustomerEntries(self._durable, self._ids)
        self._tokens |= set(row.pop("tokens"))
        self._reply_keys |= set(row.pop("reply_keys"))
        self._terms |= set(row.pop("terms"))
        # Somebody may be about to publish what has just been committed: what counts as published is left alone.
        for entry_id in row.pop("unpublished"):
            for key in (PUBLISHED, ORDER_PUBLISHED):
                self._durable.set(key.key(entry_id), "1", ex=key.ttl_s, nx=True)
        return Counter(row)

    def _remove_keys(self, led: set[str]) -> int:
        """Removes the keys whose names are known, among them cached answers to questions that hold the session, and
        words that were searched for. A flight that is still led stays: others may be parked for it.
        """
        durable = [*map(CALL_LIMIT.key, self._ids), *map(FLIGHT.key, self._reply_keys - led)]
        cached = [*map(AI_RESPONSE.key, self._reply_keys), *map(PRODUCT_SEARCH.key, self._terms)]
        own = [key.key(known) for key in (SESSION, REPLY_LIMIT) for known in self._ids]
        return int(self._durable.delete(*durable)) + int(self._cache.delete(*own, *cached))
