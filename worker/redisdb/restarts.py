"""Restarts and failovers of the durable Redis, and how much of the past the server that answers now may not know."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import redis

from worker.redisdb.cluster import is_cluster
from worker.redisdb.keys import ORDERS, OUTBOUND, RUN_ID, SEEN_AT, Key, beside

ALIVE = Path(__file__).with_name("alive.lua").read_text(encoding="utf-8")
#: Writes that may be gone: fsync every second, and clocks that disagree, with a margin.
MARGIN_S = 10.0
#: Nobody is told anything that is older: WhatsApp refuses it, and its id may be forgotten.
MOST_S = 86_400.0


@dataclass(frozen=True, slots=True)
class Restart:
    """Other runs of Redis than before: it has restarted, or a replica has taken over.

    Args:
        run_ids: by the key that notes them.
        lost_s: what was written within this time may be lost.
    """

    run_ids: Mapping[str, str]
    lost_s: float


class RestartWatch:
    """Watch over the runs of the durable Redis: on a cluster, of the nodes that have a stream of replies or of orders.
    Raises RedisError where one does not answer.
    """

    def __init__(self, client: redis.Redis) -> None:
        self._client = client
        self._noted = [run_keys(client, OUTBOUND)]
        if is_cluster(client):
            self._noted += [run_keys(client, ORDERS)]
        self._alive = client.register_script(ALIVE)

    def look(self, now_s: float) -> Restart | None:
        """Notes that all is as before, or returns what has happened, until it is settled.

        Args:
            now_s: seconds since 1970.
        """
        run_ids, lost_s = dict[str, str](), 0.0
        for keys in self._noted:
            found: Any = self._alive(keys=keys, args=[now_s, RUN_ID.ttl_s or 0])
            if found:
                run_id, uptime_s, seen_at_s = found
                run_ids[keys[0]] = run_id.decode()
                # A server without the note (of an earlier release, or empty) knows nothing older than itself.
                lost_s = max(lost_s, now_s - float(seen_at_s) if seen_at_s else float(uptime_s))
        return Restart(run_ids, min(lost_s + MARGIN_S, MOST_S)) if run_ids else None

    def settle(self, restart: Restart) -> None:
        """Notes that what may have been lost is back."""
        for key, run_id in restart.run_ids.items():
            self._client.set(key, run_id, ex=RUN_ID.ttl_s)


def run_keys(client: redis.Redis, stream: Key) -> tuple[str, str]:
    """Returns the keys that note the run of the server that has a stream, and when it was last seen to go on."""
    if is_cluster(client):
        return beside(RUN_ID, stream), beside(SEEN_AT, stream)
    return RUN_ID.pattern, SEEN_AT.pattern
