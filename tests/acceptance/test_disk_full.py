"""A PostgreSQL whose disk is really full, under the real service: what comes in waits, and is answered once later."""

from __future__ import annotations

import os
import subprocess
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
from helpers.basics import GUARD_S, Servers
from helpers.service import FLOW_PROCESSES, Service, begin_anew, says, service_processes, webhook
from sqlalchemy.exc import OperationalError

from db import migrations
from db.engine import make_engine
from worker.devkit.gateway import Gateway
from worker.devkit.simulator import Simulator
from worker.redisdb.connect import connect_redis
from worker.redisdb.keys import INBOUND, REJECTED
from worker.runtime.embedded.postgres import Postgres
from worker.runtime.embedded.servers import embedded_servers, start

pytestmark = pytest.mark.long

#: What a fresh cluster with our schema needs, and as much again: nothing of it is the machine's disk.
DISK = "128m"
BLOCK = 8_192
CUSTOMERS = 12
#: More than fits into what is left of the pages that PostgreSQL has already.
WAITING = 20 * CUSTOMERS
#: Longer than a step asks PostgreSQL again, as it is by default.
LEASE_S = "10"


@dataclass(frozen=True, slots=True)
class Disk:
    """A small file system that can be filled to its last block."""

    path: Path

    def fill(self) -> None:
        """Leaves no block free."""
        with (self.path / "ballast").open("ab", buffering=0) as ballast, suppress(OSError):
            while True:
                ballast.write(bytes(BLOCK))

    def clear(self) -> None:
        """Gives the room back."""
        (self.path / "ballast").unlink()


@contextmanager
def small_disk(path: Path) -> Iterator[Disk]:
    """A file system in memory, mounted at `path`; the test is skipped where that is not allowed."""
    path.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={DISK},mode=0700", "tmpfs", str(path)], capture_output=True, text=True
    )
    if mounted.returncode:
        pytest.skip(f"a small file system cannot be mounted: {mounted.stderr.strip()}")
    try:
        yield Disk(path)
    finally:
        subprocess.run(["umount", str(path)], check=True)


@dataclass(frozen=True, slots=True)
class Shop:
    """The service, the disk of its PostgreSQL, and the directory of its servers."""

    service: Service
    disk: Disk
    home: Path

    def send(self, first: int, count: int) -> list[str]:
        """So many messages of a dozen customers; their ids."""
        ids = [f"wamid.disk.{number}" for number in range(first, first + count)]
        for number, message_id in enumerate(ids):
            text = f"agregame {number % 7 + 1} leches"
            self.service.gateway.send(webhook(says(message_id, f"54911000{number % CUSTOMERS:05}", text)))
        return ids

    def logged(self, event: str) -> int:
        """How often an event stands in the log of the service."""
        return self.service.log.read_text().count(f'"event":"{event}"')


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """The service with servers of its own, whose PostgreSQL has a small disk."""
    if os.geteuid():
        pytest.skip("only root may mount a small file system")
    home = tmp_path_factory.mktemp("disk")
    with small_disk(home / "postgres") as disk, embedded_servers(home) as found, Simulator() as simulator:
        servers = Servers(str(found.database_url), str(found.redis_url), home)
        migrations.upgrade(servers.database_url)
        engine = make_engine(servers.database_url)
        given = simulator.base_urls | {"FLOW_LEASE_S": LEASE_S}
        with (
            service_processes(servers, home, given, FLOW_PROCESSES) as (supervisor, log),
            connect_redis(servers.redis_url, timeout_s=5.0) as client,
        ):
            begin_anew(servers, engine, client)
            simulator.set("all", latency_ms=(5, 20))
            service = Service(engine, client, log, Gateway(client), supervisor=supervisor, simulator=simulator)
            yield Shop(service, disk, home)
        engine.dispose()


def assert_answered_once(shop: Shop, ids: list[str]) -> None:
    """Each in exactly one reply, in the order of each customer; nothing refused, nothing given up."""
    service = shop.service
    service.wait_until(lambda: set(ids) <= set(service.answered()), timeout_s=GUARD_S)
    service.collect(1.0)
    answered = [message_id for message_id in service.answered() if message_id in ids]
    assert Counter(answered) == Counter(ids)
    place = {message_id: number for number, message_id in enumerate(answered)}
    for first in range(CUSTOMERS):
        places = [place[message_id] for message_id in ids[first::CUSTOMERS]]
        assert places == sorted(places)
    assert (service.redis.xlen(REJECTED.pattern), service.redis.xlen(INBOUND.pattern)) == (0, 0)
    assert [tuple(row) for row in service.sql("select distinct state from messages")] == [("answered",)]


def test_without_room_for_rows_all_waits_and_is_answered_once(shop: Shop) -> None:
    """PostgreSQL answers, and refuses what needs a new page; the stream keeps what came in."""
    ids = shop.send(0, 2 * CUSTOMERS)
    shop.disk.fill()
    ids += shop.send(len(ids), WAITING)
    before = shop.logged("intake_interrupted")
    shop.service.wait_until(lambda: shop.logged("intake_interrupted") >= before + 3)
    assert shop.service.redis.xlen(INBOUND.pattern) >= WAITING // 2
    shop.disk.clear()
    assert_answered_once(shop, ids)


def test_without_room_for_its_log_postgresql_ends_and_nothing_is_lost(shop: Shop) -> None:
    """The write-ahead log cannot grow, which ends every session; started again it goes on where it was."""
    ids = shop.send(10_000, 2 * CUSTOMERS)
    shop.service.wait_until(lambda: ids[0] in shop.service.answered())
    shop.disk.fill()
    with pytest.raises(OperationalError) as failed:
        shop.service.sql("select pg_logical_emit_message(false, '', repeat('x', 1000000)) from generate_series(1, 40)")
    assert failed.value.connection_invalidated
    ids += shop.send(10_000 + len(ids), WAITING)
    before = shop.logged("intake_interrupted")
    shop.service.wait_until(lambda: shop.logged("intake_interrupted") >= before + 3)
    shop.disk.clear()
    # As `chasqui up`, systemd and Docker do.
    start(Postgres, shop.home)
    assert_answered_once(shop, ids)
