"""Notes of models that are answered by another one than was asked, for the operator."""

from __future__ import annotations

import time
from collections.abc import Callable

import redis
from redis.exceptions import RedisError

from worker.log import logger
from worker.redisdb.keys import MODEL_CIRCUIT

#: The same is noted, and said in the log, again after this time.
AGAIN_S = 600.0
#: Notes that are older than this are no news any more.
FRESH_S = 3_600.0
log = logger(__name__)


class Reroutes:
    """Keeps `answered_by` and `answered_at` with the model's circuit. One per process; the worst that two threads can
    do is to say the same twice.
    """

    def __init__(self, client: redis.Redis, clock: Callable[[], float] = time.time) -> None:
        self._client = client
        self._clock = clock
        self._noted: dict[tuple[str, str, str], float] = {}

    def note(self, provider: str, model: str, name: str) -> None:
        """An answer of `provider`, of which `model` was asked, names its model `name`."""
        now = self._clock()
        if now - self._noted.get((provider, model, name), 0.0) < AGAIN_S:
            return
        self._noted[provider, model, name] = now
        log.warning("answered_by_another_model", provider=provider, model=model, answered_by=name)
        key = MODEL_CIRCUIT.key(f"{provider}:{model}")
        try:
            self._client.hset(key, mapping={"answered_by": name, "answered_at": int(now)})
            self._client.expire(key, MODEL_CIRCUIT.ttl_s or 0)
        except RedisError as exc:
            log.warning("reroute_not_noted", provider=provider, model=model, error=type(exc).__name__)
