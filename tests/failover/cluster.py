"""A Redis Cluster of three masters with a replica each, for streams and caches; Celery's queues are elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from faults.play import Patience, Play
from faults.suite import Fault
from helpers.redis_cluster import RunningCluster, redis_cluster

from failover.server_set import TIMES, ServerSet
from worker.redisdb.keys import INBOUND, OUTBOUND
from worker.runtime.embedded.servers import embedded_servers

#: What is struck is the master that has one of these.
STREAMS = (INBOUND.pattern, OUTBOUND.pattern)
KILLED_S, MOVED_S = 3.0, 1.0


class ClusterSet(ServerSet):
    """Redis Cluster."""

    name = "Cluster"
    patience = Patience(timeout_s=3.0, replicas=1)
    short = ("master killed", "slot moved")
    cluster: RunningCluster

    @contextmanager
    def open(self, directory: Path) -> Iterator[Mapping[str, str]]:
        """See ServerSet.open."""
        nodes = redis_cluster(directory / "cluster", replicas=True)
        with embedded_servers(directory) as servers, nodes as self.cluster:
            urls = {"DATABASE_URL": servers.database_url, "BROKER_URL": servers.redis_url}
            yield {name: str(url) for name, url in urls.items()} | {"REDIS_URL": self.cluster.url}

    def faults(self) -> list[Fault]:
        """See ServerSet.faults."""
        return [
            Fault("master killed", TIMES, _strike(self._kill), lasts_s=KILLED_S),
            Fault("slot moved", TIMES, _strike(self._move), lasts_s=MOVED_S),
            Fault("replica promoted", TIMES, _strike(self._promote), lasts_s=MOVED_S),
        ]

    def _kill(self, stream: str) -> None:
        self.cluster.revive(self.cluster.fail_over(stream))

    def _move(self, stream: str) -> None:
        self.cluster.move_slot_of(stream)

    def _promote(self, stream: str) -> None:
        self.cluster.promote_replica(stream)


def _strike(how: Callable[[str], None]) -> Callable[[Play], float]:
    def inject(play: Play) -> float:
        at = time.time()
        how(play.rng.choice(STREAMS))
        return at

    return inject
