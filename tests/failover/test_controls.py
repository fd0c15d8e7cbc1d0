"""Negative controls: what no replica had is gone with its master, and the checker must see it.

Asynchronous replication, a replica that stands still or is away, a gateway that neither waits for it nor sends again.
With `WAIT` and sending again, the same death does no harm. A trial that saw no loss here would prove nothing.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest
from faults.play import Patience, Play
from faults.programs import INTAKES
from helpers.postgres_pair import pair
from helpers.redis_group import RedisGroup, redis_group

from failover.postgres import PostgresSet
from failover.sentinel import SentinelSet
from failover.suite import open_play
from worker.redisdb.keys import INBOUND
from worker.runtime.embedded.processes import wait_until
from worker.runtime.embedded.servers import embedded_servers

pytestmark = pytest.mark.long
SEED, CUSTOMERS, MESSAGES = 20_262, 40, 10
#: Long enough for what is left to come to rest.
SETTLE_S = 5.0


class OneReplica(SentinelSet):
    """A group whose one replica can be kept from getting anything."""

    def __init__(self, replicas: int) -> None:
        self.patience = Patience(timeout_s=3.0, replicas=replicas)

    @contextmanager
    def open(self, directory: Path) -> Iterator[Mapping[str, str]]:
        """See ServerSet.open."""
        with embedded_servers(directory, redis=False) as servers, redis_group(directory / "group") as self.group:
            yield self.group.settings | {"DATABASE_URL": str(servers.database_url)}


class Asynchronous(PostgresSet):
    """A pair whose primary waits for nobody."""

    @contextmanager
    def open(self, directory: Path) -> Iterator[Mapping[str, str]]:
        """See ServerSet.open."""
        with embedded_servers(directory, postgres=False) as servers, pair(directory) as self.both:
            self.primary, self.standby = self.both.one, self.both.two
            yield {"DATABASE_URL": self.both.url, "REDIS_URL": str(servers.redis_url)}


@pytest.mark.parametrize("replicas", [0, 1])
def test_what_no_replica_had_is_lost_unless_the_gateway_waits_for_one(tmp_path: Path, replicas: int) -> None:
    """Messages that nobody has read, on a master that dies while its replica stands still."""
    servers = OneReplica(replicas)
    with open_play(servers, tmp_path, SEED, MESSAGES, CUSTOMERS) as play:
        with nobody_reads(play):
            frozen = servers.group.freeze_replica()
            play.sender.send(play.workload.take(MESSAGES, 1_800_000_000, harmless=True))
            assert wait_until(lambda: has_arrived(play, waits=bool(replicas)), 20)
            die(servers.group, frozen)
        rests = play.settle(SETTLE_S)
        lost = [finding for finding in play.check() if finding.kind == "lost"]
    assert (rests, bool(lost)) == ((True, False) if replicas else (False, True))
    assert {"sent and never accepted" in finding.what for finding in lost} <= {True}


def test_what_no_standby_had_is_lost(tmp_path: Path) -> None:
    """Messages that were accepted while the standby was away; Redis has forgotten them, as it may."""
    servers = Asynchronous()
    with open_play(servers, tmp_path, SEED, MESSAGES, CUSTOMERS) as play:
        servers.standby.kill()
        play.sender.send(play.workload.take(MESSAGES, 1_800_000_000, harmless=True))
        assert play.settle()
        servers.primary.kill()
        servers.standby.start()
        servers.standby.promote()
        assert not play.settle(SETTLE_S)
        lost = [finding for finding in play.check() if finding.kind == "lost"]
    assert len([finding for finding in lost if "sent and never accepted" in finding.what]) >= MESSAGES


def has_arrived(play: Play, *, waits: bool) -> bool:
    """Whether all is in the stream; a gateway that waits for a replica does not get past the first."""
    return bool(play.town.redis.xlen(INBOUND.pattern)) if waits else play.sender.is_idle


@contextmanager
def nobody_reads(play: Play) -> Iterator[None]:
    """Lets the intakes stand still for the length of the block."""
    for name in INTAKES:
        os.kill(play.town.child(name).process.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for name in INTAKES:
            os.kill(play.town.child(name).process.pid, signal.SIGCONT)


def die(group: RedisGroup, frozen: int) -> None:
    """The master dies; its replica wakes up and takes over; the dead comes back as a replica."""
    dead = group.master()
    group.servers[dead].kill()
    group.servers[dead].wait()
    group.wake(frozen)
    group.wait_for_other_than(dead)
    group.revive(dead)
