"""Customers whose messages intake holds back in the stream, because another transaction holds a row of theirs."""

import time
from collections.abc import Collection

from redis import Redis
from redis.exceptions import RedisError
from sqlalchemy import Connection

from db import queries
from worker.log import logger, warned
from worker.redisdb.keys import LOCKED_CUSTOMERS

#: Between two tries for a customer who cannot be seen to be locked (a row that is inserted and not committed): each try
#: costs the others `lock_timeout`.
UNSEEN_S = 3.0
#: Entries held back beyond which no new ones are read: each pass reads all of them again.
MAX_ENTRIES = 10_000
log = logger(__name__)


class HeldBack:
    """Customers held back by the active intake, by phone.

    Their entries stay pending in the stream, neither lost nor overtaken: a pass over what is pending begins with the
    oldest entry, and within a pass no customer is released.
    """

    def __init__(self) -> None:
        self._not_before_s: dict[str, float] = {}
        self._entries = 0
        self._reported = 0

    def __contains__(self, phone: str) -> bool:
        return phone in self._not_before_s

    def add(self, connection: Connection, phones: Collection[str]) -> None:
        """Holds these customers back from now on."""
        if phones:
            seen = queries.locked_for_acceptance(connection, phones)
            unseen_s = time.monotonic() + UNSEEN_S
            self._not_before_s |= {phone: 0.0 if phone in seen else unseen_s for phone in phones}

    def release_unlocked(self, connection: Connection) -> None:
        """Begins a pass: releases the customers who are no longer seen to be locked."""
        self._entries = 0
        now_s = time.monotonic()
        due = [phone for phone, not_before_s in self._not_before_s.items() if not_before_s <= now_s]
        if due:
            for phone in set(due) - queries.locked_for_acceptance(connection, due):
                del self._not_before_s[phone]

    def count(self, entries: int) -> None:
        """Counts entries of a read that stay pending."""
        self._entries += entries

    @property
    def is_full(self) -> bool:
        """Returns whether no more may be read."""
        return self._entries >= MAX_ENTRIES

    def report(self, client: Redis, swept: Collection[str]) -> None:
        """Reports how many customers are locked, those that the sweep has `swept` included: to the log where that has
        changed, and to the exporter.
        """
        locked = len(self._not_before_s.keys() | swept)
        if locked != self._reported:
            log.warning("customers_locked", customers=locked)
        if locked or self._reported:
            with warned(log, "counters_unavailable", RedisError):
                client.set(LOCKED_CUSTOMERS.pattern, locked, ex=LOCKED_CUSTOMERS.ttl_s)
        self._reported = locked
