"""A PostgreSQL primary and its synchronous standby, which whoever watches over them promotes a second later."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from faults.injections import wait
from faults.play import Play
from faults.suite import Fault
from helpers.postgres_pair import Member, Pair, pair

from failover.server_set import TIMES, ServerSet
from worker.runtime.embedded.servers import embedded_servers

#: Until a death is noticed; for how long the standby lags; about until all goes on.
NOTICED_S, LAG_S, LASTS_S = 1.0, 2.0, 3.0
TIMEOUT_S = 30.0


class PostgresSet(ServerSet):
    """PostgreSQL pair."""

    name = "PostgreSQL"
    short = ("primary killed", "primary demoted alive")
    both: Pair
    primary: Member
    standby: Member

    @contextmanager
    def open(self, directory: Path) -> Iterator[Mapping[str, str]]:
        """See ServerSet.open."""
        with embedded_servers(directory, postgres=False) as servers, pair(directory, synchronous=True) as self.both:
            self.primary, self.standby = self.both.one, self.both.two
            yield {"DATABASE_URL": self.both.url, "REDIS_URL": str(servers.redis_url)}

    def faults(self) -> list[Fault]:
        """See ServerSet.faults."""
        return [
            Fault("primary killed", TIMES, self._strike(self._kill), lasts_s=LASTS_S),
            Fault("primary demoted alive", TIMES, self._strike(self._demote), lasts_s=LASTS_S),
            Fault("primary killed, standby lags", TIMES, self._strike(self._lag), lasts_s=LAG_S + LASTS_S),
        ]

    def _strike(self, how: Callable[[], None]) -> Callable[[Play], float]:
        def inject(_play: Play) -> float:
            at = time.time()
            how()
            self._promote()
            return at

        return inject

    def _kill(self) -> None:
        self.primary.kill()
        time.sleep(NOTICED_S)

    def _demote(self) -> None:
        """It refuses writes and keeps its connections."""
        self.primary.set(default_transaction_read_only="on")
        wait(lambda: self.primary.ask("show default_transaction_read_only") == "on", "not demoted", TIMEOUT_S)
        wait(lambda: self.both.in_step(self.primary), "the standby does not follow", TIMEOUT_S)

    def _lag(self) -> None:
        """Commits wait for a standby that has nothing of them when their primary dies."""
        self.standby.freeze()
        time.sleep(LAG_S)
        self.primary.kill()
        self.standby.freeze(signal.SIGCONT)
        time.sleep(NOTICED_S)

    def _promote(self) -> None:
        """The standby takes over, and its primary of old is made anew as its standby."""
        self.standby.promote()
        self.primary.kill()
        self.both.follow(self.primary, self.standby)
        self.primary, self.standby = self.standby, self.primary
        self.primary.wait_for_standby()
