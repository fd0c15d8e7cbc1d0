"""A Redis with two replicas under three Sentinels: for the streams, the caches and Celery's queues."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from faults.injections import wait
from faults.play import Patience, Play
from faults.suite import Fault
from helpers.redis_group import RedisGroup, is_in_step, redis_group

from failover.server_set import TIMES, ServerSet
from worker.runtime.embedded.servers import embedded_servers

#: As docs/deploy.md has it for two replicas.
GUARDED = ("min-replicas-to-write 1", "min-replicas-max-lag 10")
#: Until the replica has taken over, about: messages come for so long.
KILLED_S, SILENT_S = 3.0, 5.0
#: For how long there are two masters.
APART_S = 2.0
#: Until a master that comes back is a replica again: a Sentinel looks at it for eight seconds first.
FIT_TIMEOUT_S = 40.0


class SentinelSet(ServerSet):
    """Redis under Sentinels."""

    name = "Sentinel"
    patience = Patience(timeout_s=3.0, replicas=1)
    short = ("master killed",)
    group: RedisGroup

    @contextmanager
    def open(self, directory: Path) -> Iterator[Mapping[str, str]]:
        """See ServerSet.open."""
        group = redis_group(directory / "group", *GUARDED, replicas=2)
        with embedded_servers(directory, redis=False) as servers, group as self.group:
            yield self.group.settings | {"DATABASE_URL": str(servers.database_url)}

    def faults(self) -> list[Fault]:
        """See ServerSet.faults."""
        return [
            Fault("master killed", TIMES, self._strike(self._kill), lasts_s=KILLED_S),
            # It stands still, as behind a cut network, and wakes up as a master when another is one.
            Fault("master silent", TIMES, self._strike(self._fall_silent), lasts_s=SILENT_S),
            # Its clients still reach it.
            Fault("master cut off", TIMES, self._strike(self._be_cut_off), lasts_s=SILENT_S),
        ]

    def _strike(self, how: Callable[[], None]) -> Callable[[Play], float]:
        def inject(_play: Play) -> float:
            wait(self.group.is_fit, "the Sentinels have no replica", FIT_TIMEOUT_S)
            at = time.time()
            how()
            return at

        return inject

    def _kill(self) -> None:
        dead = self.group.master()
        self.group.fail_over()
        self.group.revive(dead)

    def _fall_silent(self) -> None:
        self.group.fall_silent()

    def _be_cut_off(self) -> None:
        with self.group.cut_off() as parted:
            self.group.wait_for_other_than(parted)
            time.sleep(APART_S)
        wait(lambda: is_in_step(parted), "the master that was cut off does not follow", FIT_TIMEOUT_S)
