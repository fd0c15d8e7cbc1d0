"""The broker on a Redis that Sentinel watches over: when the master dies, the service goes on with its replica."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import redis
from helpers.basics import GUARD_S, Servers
from helpers.command_line import run, urls_of
from helpers.service import Conversation, begin_anew, says, service_processes, webhook
from helpers.tls import certificate, tls_front
from kombu.exceptions import OperationalError
from pydantic import SecretStr
from redis.backoff import NoBackoff
from redis.retry import Retry
from sqlalchemy import Engine

from worker.app import make_app
from worker.celery_ext.queues import check_queues
from worker.devkit.gateway import Gateway
from worker.devkit.simulator import Simulator
from worker.redisdb.connect import connect_redis
from worker.runtime.embedded.processes import wait_until
from worker.runtime.embedded.redis import Redis
from worker.runtime.embedded.server import Access, free_port
from worker.runtime.environment import environment

GROUP, PASSWORD, OWN_PASSWORD = "chasqui", "secret1", "secret2"


@dataclass(frozen=True, slots=True)
class Watched:
    """A master with its replica, and the Sentinel that watches over them."""

    master: subprocess.Popen[bytes]
    sentinel_port: int

    def master_port(self) -> int | None:
        """Where the master is, as Sentinel says; None while it does not know."""
        with client(self.sentinel_port, OWN_PASSWORD) as sentinel:
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
        f"requirepass {OWN_PASSWORD}",
        f"sentinel monitor {GROUP} 127.0.0.1 {first} 1",
        f"sentinel auth-pass {GROUP} {PASSWORD}",
        f"sentinel down-after-milliseconds {GROUP} 1000",
        f"sentinel failover-timeout {GROUP} 5000",
    ]
    with ExitStack() as stack:
        master = stack.enter_context(running(directory, "master", [f"port {first}", *secured]))
        replica = [f"port {second}", f"replicaof 127.0.0.1 {first}", *secured]
        stack.enter_context(running(directory, "replica", replica))
        assert wait_until(lambda: is_in_step(second), GUARD_S)
        stack.enter_context(running(directory, "sentinel", sentinel, "--sentinel"))
        found = Watched(master, third)
        assert wait_until(lambda: knows_the_replica(third), GUARD_S)
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
    with client(port, OWN_PASSWORD) as sentinel:
        try:
            return len(sentinel.sentinel_slaves(GROUP)) == 1
        except redis.RedisError:
            return False


@pytest.mark.long
def test_the_service_outlives_the_brokers_master(servers: Servers, shared_engine: Engine, tmp_path: Path) -> None:
    """Answers before, and after Sentinel has made the replica the master; nothing is restarted by hand."""
    with ExitStack() as stack:
        broker = stack.enter_context(watched(tmp_path))
        urls = ";".join([f"sentinel://:{PASSWORD}@127.0.0.1:{broker.sentinel_port}/0"] * 2)
        simulator = stack.enter_context(Simulator())
        named = {"BROKER_URL": urls, "BROKER_MASTER_NAME": GROUP, "BROKER_SENTINEL_PASSWORD": OWN_PASSWORD}
        given = simulator.base_urls | named
        supervisor, log = stack.enter_context(service_processes(servers, tmp_path, given))
        durable = stack.enter_context(connect_redis(servers.redis_url, 5.0))
        begin_anew(servers, shared_engine, durable)
        conversation = Conversation(shared_engine, durable, log, Gateway(durable))
        conversation.gateway.send(webhook(says("wamid.before", "5491122334455", "hola")))
        conversation.wait_until(lambda: "wamid.before" in conversation.answered())
        before = broker.master_port()
        broker.master.kill()
        conversation.gateway.send(webhook(says("wamid.after", "5491122334466", "tenes leche?")))
        conversation.wait_until(lambda: "wamid.after" in conversation.answered(), GUARD_S)
        assert broker.master_port() != before
        assert [child.deaths for child in supervisor.children] == [0] * len(supervisor.children)


@pytest.mark.parametrize("password", [None, "wrong"])
def test_a_sentinel_that_refuses_us_is_told(servers: Servers, tmp_path: Path, password: str | None) -> None:
    """In one line that names the setting; nobody waits for it, and no password is shown."""
    with watched(tmp_path) as broker:
        url = f"sentinel://:{PASSWORD}@127.0.0.1:{broker.sentinel_port}/0"
        given = {"BROKER_URL": url, "BROKER_MASTER_NAME": GROUP, **urls_of(servers)}
        given |= {"BROKER_SENTINEL_PASSWORD": password} if password else {}
        done = run(tmp_path, "intake", **given)
    assert done.returncode == 1
    assert "BROKER_SENTINEL_PASSWORD" in done.stderr.splitlines()[-1]
    assert PASSWORD not in done.stderr


def test_sentinel_and_redis_over_tls(tmp_path: Path) -> None:
    """With rediss+sentinel:// the certificates of both are checked; one that is not trusted is refused."""
    trusted, other = certificate(tmp_path), certificate(tmp_path, "other")
    port = free_port()
    with ExitStack() as stack:
        stack.enter_context(running(tmp_path, "master", [f"port {port}", f"requirepass {PASSWORD}"]))
        assert wait_until(lambda: is_up(port), GUARD_S)
        front, watching = stack.enter_context(tls_front(port, trusted)), free_port()
        # It cannot speak TLS itself, and so never reaches the master, nor counts it as down before this test is over.
        lines = [f"port {watching}", f"requirepass {OWN_PASSWORD}", f"sentinel monitor {GROUP} 127.0.0.1 {front} 1"]
        lines += [f"sentinel down-after-milliseconds {GROUP} 600000"]
        stack.enter_context(running(tmp_path, "sentinel", lines, "--sentinel"))
        assert wait_until(lambda: is_up(watching, OWN_PASSWORD), GUARD_S)
        url = f"rediss+sentinel://:{PASSWORD}@127.0.0.1:{stack.enter_context(tls_front(watching, trusted))}/0"
        named = {"BROKER_MASTER_NAME": GROUP, "BROKER_SENTINEL_PASSWORD": OWN_PASSWORD}
        with environment(named | {"BROKER_URL": f"{url}?ssl_ca_certs={trusted.file}"}), make_app() as application:
            check_queues(application)
        ours = {"master_name": GROUP, "sentinel_password": SecretStr(OWN_PASSWORD)}
        with connect_redis(f"{url}?ssl_ca_certs={trusted.file}", 5.0, **ours) as durable:
            assert durable.ping()
        with connect_redis(f"{url}?ssl_ca_certs={other.file}", 5.0, **ours) as durable, pytest.raises(redis.RedisError):
            durable.ping()
        refused = pytest.raises((redis.RedisError, OperationalError), match="No master found")
        with environment(named | {"BROKER_URL": f"{url}?ssl_ca_certs={other.file}"}), make_app() as wary, refused:
            check_queues(wary)


def is_up(port: int, password: str = PASSWORD) -> bool:
    """Whether it answers."""
    with client(port, password) as server:
        try:
            return bool(server.ping())
        except redis.RedisError:
            return False
