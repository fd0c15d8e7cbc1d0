"""The broker on a Redis that Sentinel watches over: when the master dies, the service goes on with its replica."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from service import Conversation, begin_anew, says, service_processes, webhook
from sqlalchemy import Engine
from support import Servers

from worker.local.gateway import Gateway
from worker.local.processes import wait_until
from worker.local.redis import Redis
from worker.local.service import Access, free_port
from worker.local.simulator import Simulator
from worker.services import connect_redis

GROUP, PASSWORD = "chasqui", "secret1"


@dataclass(frozen=True, slots=True)
class Watched:
    """A master with its replica, and the Sentinel that watches over them."""

    master: subprocess.Popen[bytes]
    sentinel_port: int

    def master_port(self) -> int | None:
        """Where the master is, as Sentinel says; None while it does not know."""
        with client(self.sentinel_port) as sentinel:
            try:
                return int(sentinel.sentinel_get_master_addr_by_name(GROUP)[1])
            except (redis.RedisError, TypeError):
                return None


def client(port: int, password: str | None = None) -> redis.Redis:
    """A client that tries once."""
    return redis.Redis(port=port, password=password, socket_timeout=2, retry=Retry(NoBackoff(), 0))


@contextmanager
def running(directory: Path, name: str, lines: list[str], *options: str) -> Iterator[subprocess.Popen[bytes]]:
    """A Redis or a Sentinel with this configuration."""
    home = directory / name
    home.mkdir()
    configuration = home / "redis.conf"
    configuration.write_text("\n".join(["bind 127.0.0.1", f"dir {home}", *lines, ""]))
    program = Redis(home).command(Access(port=1, password="x"))[0]
    with subprocess.Popen([program, str(configuration), *options], stdout=subprocess.DEVNULL) as process:
        try:
            yield process
        finally:
            process.kill()


@contextmanager
def watched(directory: Path) -> Iterator[Watched]:
    """All three, and the replica in step."""
    first, second, third = free_port(), free_port(), free_port()
    secured = [f"requirepass {PASSWORD}", f"masterauth {PASSWORD}"]
    sentinel = [
        f"port {third}",
        f"sentinel monitor {GROUP} 127.0.0.1 {first} 1",
        f"sentinel auth-pass {GROUP} {PASSWORD}",
        f"sentinel down-after-milliseconds {GROUP} 1000",
        f"sentinel failover-timeout {GROUP} 5000",
    ]
    with ExitStack() as stack:
        master = stack.enter_context(running(directory, "master", [f"port {first}", *secured]))
        replica = [f"port {second}", f"replicaof 127.0.0.1 {first}", *secured]
        stack.enter_context(running(directory, "replica", replica))
        assert wait_until(lambda: is_in_step(second), 20)
        stack.enter_context(running(directory, "sentinel", sentinel, "--sentinel"))
        found = Watched(master, third)
        assert wait_until(lambda: knows_the_replica(third), 20)
        yield found


def is_in_step(port: int) -> bool:
    """Whether a replica has all that its master has."""
    with client(port, PASSWORD) as replica:
        try:
            return bool(replica.info("replication").get("master_link_status") == "up")
        except redis.RedisError:
            return False


def knows_the_replica(port: int) -> bool:
    """Whether Sentinel could promote it."""
    with client(port) as sentinel:
        try:
            return len(sentinel.sentinel_slaves(GROUP)) == 1
        except redis.RedisError:
            return False


def test_the_service_outlives_the_brokers_master(servers: Servers, shared_engine: Engine, tmp_path: Path) -> None:
    """Answers before, and after Sentinel has made the replica the master; nothing is restarted by hand."""
    with ExitStack() as stack:
        broker = stack.enter_context(watched(tmp_path))
        urls = ";".join([f"sentinel://:{PASSWORD}@127.0.0.1:{broker.sentinel_port}/0"] * 2)
        simulator = stack.enter_context(Simulator())
        given = simulator.base_urls | {"BROKER_URL": urls, "BROKER_MASTER_NAME": GROUP}
        supervisor, log = stack.enter_context(service_processes(servers, tmp_path, given))
        durable = stack.enter_context(connect_redis(servers.redis_url, 5.0))
        begin_anew(servers, shared_engine, durable)
        conversation = Conversation(shared_engine, durable, log, Gateway(durable))
        conversation.gateway.send(webhook(says("wamid.before", "5491122334455", "hola")))
        conversation.wait_until(lambda: "wamid.before" in conversation.answered())
        before = broker.master_port()
        broker.master.kill()
        conversation.gateway.send(webhook(says("wamid.after", "5491122334466", "tenes leche?")))
        conversation.wait_until(lambda: "wamid.after" in conversation.answered(), 60)
        assert broker.master_port() != before
        assert [child.deaths for child in supervisor.children] == [0] * len(supervisor.children)
