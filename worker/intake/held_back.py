"""Customers whose messages intake holds back in the stream, because somebody else holds a row of theirs."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection

from redis import Redis
from redis.exceptions import RedisError
from sqlalchemy import Connection

from db import queries
from worker.log import logger
from worker.redisdb.keys import LOCKED_CUSTOMERS

#: Of a customer who cannot be seen to be locked (a row that is inserted and not committed) every try costs the others
#: `lock_timeout`, so it is made less often.
UNSEEN_S = 3.0
#: Entries held back beyond which no new ones are read: each pass reads all of them again.
MAX_ENTRIES = 10_000
log = logger(__name__)


class Held:
    """Who is held back, in the active intake. What is held stays pending in the stream, so it is neither lost nor
    overtaken: a pass over what is pending begins with the oldest entry, and within a pass nobody is let go.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._not_before_s: dict[str, float] = {}
        self._entries = 0
        self._told = 0

    def __contains__(self, phone: str) -> bool:
        return phone in self._not_before_s

    def __bool__(self) -> bool:
        return bool(self._not_before_s)

    def add(self, connection: Connection, phones: Collection[str]) -> None:
        """Holds these customers back from now on."""
        if phones:
            seen = queries.locked_for_acceptance(connection, phones)
            unseen_s = self._clock() + UNSEEN_S
            self._not_before_s |= {phone: 0.0 if phone in seen else unseen_s for phone in phones}

    def look_again(self, connection: Connection) -> None:
        """At the beginning of a pass: lets those go who are no longer seen to be locked."""
        self._entries = 0
        now_s = self._clock()
        due = [phone for phone, not_before_s in self._not_before_s.items() if not_before_s <= now_s]
        if due:
            for phone in set(due) - queries.locked_for_acceptance(connection, due):
                del self._not_before_s[phone]

    def count(self, entries: int) -> None:
        """Entries of a read that stay pending."""
        self._entries += entries

    @property
    def is_full(self) -> bool:
        """Whether no more may be read."""
        return self._entries >= MAX_ENTRIES

    def tell(self, client: Redis, swept: Collection[str]) -> None:
        """Says how many customers are locked, in the log where that has changed, and to the exporter. swept: those of
        whom the sweep has found it.
        """
        locked = len(self._not_before_s.keys() | swept)
        if locked != self._told:
            log.warning("customers_locked", customers=locked)
        if locked or self._told:
            try:
                client.set(LOCKED_CUSTOMERS.pattern, locked, ex=LOCKED_CUSTOMERS.ttl_s)
            except RedisError as exc:
                log.warning("counters_unavailable", error=type(exc).__name__)
        self._told = locked
