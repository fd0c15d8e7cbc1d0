"""Beat of which several may run: one is active, the others stand by.

The active one renews a lease in Redis with each look at its schedule. One that dies, hangs or is cut off does so no
more, and another takes its place; when it comes back it stands by. While they change, or after Redis has lost its last
second, a task may be sent twice: every periodic task can be run at any time and as often as one likes.
"""

from contextlib import suppress
from pathlib import Path
from typing import Any

import redis
from celery.beat import PersistentScheduler
from redis.exceptions import LockError, RedisError

from worker.log import logger
from worker.redisdb.connect import connect_durable
from worker.redisdb.keys import LEASE
from worker.settings import settings

THING = "beat"
#: Longer than one look at the schedule takes while Redis and the broker are slow.
LEASE_S = 20.0
#: Longest time between two looks of the active one, and of one that stands by.
RENEW_S, STANDBY_S = 5.0, 2.0
#: End of the name of a file that each look at the schedule touches, beside the schedule's; the supervisor knows it too.
ALIVE = ".alive"
log = logger(__name__)


class Lease:
    """Lease of a thing by this object, on the durable Redis.

    One that does not renew it in time loses it, and finds out when it asks again. What it does between two questions
    may therefore be done by another as well: a lease is for work that may be done twice, and need not be.

    Args:
        ttl_s: how long it lasts without being renewed.
    """

    def __init__(self, client: redis.Redis, thing: str, ttl_s: float) -> None:
        self._lock = client.lock(LEASE.key(thing), timeout=ttl_s, blocking=False, thread_local=False)

    def take(self) -> bool:
        """Takes or renews it; returns whether it is ours. Raises RedisError where Redis does not answer."""
        try:
            return bool(self._lock.reacquire())
        except LockError:
            return bool(self._lock.acquire())

    def drop(self) -> None:
        """Leaves it to the next one, if it is ours. Raises RedisError."""
        with suppress(LockError):
            self._lock.release()


class ActiveScheduler(PersistentScheduler):  # type: ignore[misc]  # celery ships no types
    """Schedule of a beat that sends tasks only while it is the active one."""

    def __init__(self, *given: Any, **named: Any) -> None:
        client = connect_durable(settings())
        self._lease = Lease(client, THING, LEASE_S)
        self._was_active: bool | None = None
        super().__init__(*given, **named)

    def tick(self, *given: Any, **named: Any) -> float:
        """Sends at most one task that is due; returns the seconds until the next look."""
        with suppress(OSError):
            self._alive.touch()
        if not self._is_active():
            return STANDBY_S
        next_s: float = super().tick(*given, **named)
        return min(next_s, RENEW_S)

    def close(self) -> None:
        """Saves the schedule and lets another beat go on at once; nobody takes this one for alive any more."""
        super().close()
        with suppress(OSError):
            self._alive.unlink()
        with suppress(RedisError):
            self._lease.drop()

    @property
    def _alive(self) -> Path:
        return Path(f"{self.schedule_filename}{ALIVE}")

    def _is_active(self) -> bool:
        """Renews the lease, or tries to take it. While Redis is away nobody is active; what was due is sent later."""
        try:
            active = self._lease.take()
        except RedisError as exc:
            log.warning("beat_waits_for_redis", error=type(exc).__name__)
            active = False
        if active and not self._was_active:
            log.info("beat_active")
        if not active and self._was_active is not False:
            log.info("beat_stands_by")
        self._was_active = active
        return active
