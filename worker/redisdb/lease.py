"""Lease: of several processes that could do a thing, the one that holds it does."""

from pathlib import Path
from uuid import uuid4

import redis

from worker.redisdb.keys import LEASE

SCRIPT = Path(__file__).with_name("lease.lua").read_text(encoding="utf-8")


class Lease:
    """Lease of a thing by this object, on the durable Redis.

    One that does not renew it in time loses it, and finds out when it asks again. What it does between two questions
    may therefore be done by another as well: a lease is for work that may be done twice, and need not be.

    Args:
        ttl_s: how long it lasts without being renewed.
    """

    def __init__(self, client: redis.Redis, thing: str, ttl_s: float) -> None:
        self._keys = [LEASE.key(thing)]
        self._token = uuid4().hex
        self._ttl_ms = int(ttl_s * 1000)
        self._script = client.register_script(SCRIPT)

    def take(self) -> bool:
        """Takes or renews it; returns whether it is ours. Raises RedisError where Redis does not answer."""
        return bool(self._script(keys=self._keys, args=["take", self._token, self._ttl_ms]))

    def drop(self) -> None:
        """Leaves it to the next one, if it is ours. Raises RedisError."""
        self._script(keys=self._keys, args=["drop", self._token, 0])
