"""Restarts and failovers of the durable Redis, and how much of the past the server that answers now may not know."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import redis

from worker.redisdb.keys import RUN_ID, SEEN_AT

ALIVE = Path(__file__).with_name("alive.lua").read_text(encoding="utf-8")
#: Writes that may be gone: fsync every second, and clocks that disagree, with a margin.
MARGIN_S = 10.0
#: Nobody is told anything that is older: WhatsApp refuses it, and its id may be forgotten.
MOST_S = 86_400.0


@dataclass(frozen=True, slots=True)
class Restart:
    """Another run of Redis than before: it has restarted, or a replica has taken over.

    Args:
        lost_s: what was written within this time may be lost.
    """

    run_id: str
    lost_s: float


class RestartWatch:
    """Watch over the runs of the durable Redis. Raises RedisError where it does not answer."""

    def __init__(self, client: redis.Redis) -> None:
        self._client = client
        self._alive = client.register_script(ALIVE)

    def look(self, now_s: float) -> Restart | None:
        """Notes that all is as before, or returns what has happened, until it is settled.

        Args:
            now_s: seconds since 1970.
        """
        found: Any = self._alive(keys=[RUN_ID.pattern, SEEN_AT.pattern], args=[now_s, RUN_ID.ttl_s or 0])
        if not found:
            return None
        run_id, uptime_s, seen_at_s = found
        # A server without the note (of an earlier release, or empty) knows nothing older than itself.
        lost_s = now_s - float(seen_at_s) if seen_at_s else float(uptime_s)
        return Restart(run_id.decode(), min(max(lost_s, 0.0) + MARGIN_S, MOST_S))

    def settle(self, restart: Restart) -> None:
        """Notes that what may have been lost is back."""
        self._client.set(RUN_ID.pattern, restart.run_id, ex=RUN_ID.ttl_s)
