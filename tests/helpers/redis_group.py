"""A Redis with replicas, and three Sentinels that watch over them: real servers, to be killed and frozen."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from helpers.basics import GUARD_S
from worker.runtime.embedded.processes import wait_until
from worker.runtime.embedded.redis import Redis
from worker.runtime.embedded.server import Access, free_port

GROUP, PASSWORD, OWN_PASSWORD = "chasqui", "secret1", "secret2"
#: As whom the Sentinels and the replica come to a server; clients come as another.
WATCHER = "watcher"
#: What a Sentinel may say of a replica that cannot take over.
TROUBLES = ("is_sdown", "is_odown", "is_disconnected")
#: After which silence a Sentinel holds a server for dead; half of the time from one failover to the next, at least.
DOWN_AFTER_MS, FAILOVER_TIMEOUT_MS = 1_000, 3_000


def client(port: int, password: str | None = PASSWORD) -> redis.Redis:
    """A client that tries once."""
    return redis.Redis(port=port, password=password, socket_timeout=2, retry=Retry(NoBackoff(), 0))


@contextmanager
def running(directory: Path, name: str, lines: Sequence[str], *options: str) -> Iterator[subprocess.Popen[bytes]]:
    """A Redis or a Sentinel with this configuration; one that is frozen ends too."""
    home = directory / name
    home.mkdir(parents=True)
    configuration = home / "redis.conf"
    configuration.write_text("\n".join(["bind 127.0.0.1", f"dir {home}", *lines, ""]))
    program = Redis(home).command(Access(port=1, password="x"))[0]
    with subprocess.Popen([program, str(configuration), *options], stdout=subprocess.DEVNULL) as process:
        try:
            yield process
        finally:
            process.kill()


@dataclass(slots=True)
class RedisGroup:
    """Servers, by port, one of which is the master, and the ports of their Sentinels."""

    servers: dict[int, subprocess.Popen[bytes]] = field(default_factory=dict)
    sentinels: list[int] = field(default_factory=list)

    @property
    def url(self) -> str:
        """All Sentinels, as REDIS_URL names them."""
        return ";".join(f"sentinel://:{PASSWORD}@127.0.0.1:{port}" for port in self.sentinels)

    @property
    def settings(self) -> dict[str, str]:
        """What names the group as the durable Redis, the cache and the broker."""
        return {"REDIS_URL": self.url, "REDIS_MASTER_NAME": GROUP, "REDIS_SENTINEL_PASSWORD": OWN_PASSWORD}

    def master(self) -> int:
        """The port of the master, as all Sentinels say; 0 while they do not agree, or a failover goes on."""
        said = {master_named_by(port) for port in self.sentinels}
        return said.pop() if len(said) == 1 else 0

    def replica(self) -> int:
        """The port of the other one."""
        return self.replicas()[0]

    def replicas(self) -> list[int]:
        """The ports of all but the master."""
        master = self.master()
        return [port for port in self.servers if port != master]

    def fail_over(self) -> int:
        """Kills the master as a machine dies, and waits until another one is; returns its port."""
        dead = self.master()
        self.servers[dead].kill()
        self.servers[dead].wait()
        return self.wait_for_other_than(dead)

    def revive(self, port: int) -> None:
        """Starts a server again that was killed; the Sentinels make it a replica."""
        self.servers[port] = subprocess.Popen(self.servers[port].args, stdout=subprocess.DEVNULL)
        assert wait_until(lambda: is_in_step(port), GUARD_S)

    def wait_for_other_than(self, port: int) -> int:
        """Waits until another server is the master; returns its port."""
        assert wait_until(lambda: self.master() not in (0, port), GUARD_S)
        return self.master()

    def freeze_replica(self) -> int:
        """Lets the replica do nothing more, until it is woken, and what is written from now on never reach it; returns
        its port.
        """
        port = self.replica()
        self.servers[port].send_signal(signal.SIGSTOP)
        with client(self.master()) as master:
            master.execute_command("CLIENT", "KILL", "TYPE", "replica")
        return port

    def fall_silent(self) -> None:
        """The master says nothing, as behind a cut network, until its replica has taken over; then it is one."""
        silent = self.master()
        self.servers[silent].send_signal(signal.SIGSTOP)
        self.wait_for_other_than(silent)
        self.wake(silent)
        assert wait_until(lambda: is_in_step(silent), GUARD_S)

    @contextmanager
    def cut_off(self) -> Iterator[int]:
        """For the length of the block, the master is parted from its replicas and from the Sentinels, and goes on
        serving its clients. Yields its port.
        """
        parted = self.master()
        with client(parted) as master:
            master.execute_command("ACL", "SETUSER", WATCHER, "off")
            master.execute_command("CLIENT", "KILL", "USER", WATCHER)
            try:
                yield parted
            finally:
                master.execute_command("ACL", "SETUSER", WATCHER, "on")
                forget_refused(master)

    def is_fit(self) -> bool:
        """Whether every Sentinel would let any replica take over."""
        return self.master() != 0 and all(map(is_in_step, self.replicas())) and all(map(sees_replicas, self.sentinels))

    def wake(self, port: int) -> None:
        """Lets a server that was frozen go on."""
        self.servers[port].send_signal(signal.SIGCONT)


def master_named_by(sentinel_port: int) -> int:
    """Where a Sentinel says that the master is; 0 where it says nothing, or is about to name another."""
    with client(sentinel_port, OWN_PASSWORD) as sentinel:
        try:
            found = sentinel.sentinel_masters()[GROUP]
        except (redis.RedisError, KeyError):
            return 0
    return 0 if "failover_in_progress" in found["flags"] else int(found["port"])


def sees_replicas(sentinel_port: int) -> bool:
    """Whether a Sentinel holds all replicas for alive."""
    with client(sentinel_port, OWN_PASSWORD) as sentinel:
        try:
            replicas = sentinel.sentinel_slaves(GROUP)
        except redis.RedisError:
            return False
    return not any(replica[trouble] for replica in replicas for trouble in TROUBLES)


@contextmanager
def redis_group(directory: Path, *lines: str, replicas: int = 1) -> Iterator[RedisGroup]:
    """The group, its replicas in step, and Sentinels that know each other. lines: of all servers' configuration."""
    group = RedisGroup()
    secured = [
        f"requirepass {PASSWORD}",
        f"user {WATCHER} on >{PASSWORD} ~* &* +@all",
        f"masteruser {WATCHER}",
        f"masterauth {PASSWORD}",
        "appendonly yes",
        *lines,
    ]
    with ExitStack() as stack:
        first, *others = (free_port() for _ in range(1 + replicas))
        for port in (first, *others):
            own = [] if port == first else [f"replicaof 127.0.0.1 {first}"]
            server = running(directory, f"redis-{port}", [f"port {port}", *secured, *own])
            group.servers[port] = stack.enter_context(server)
        assert wait_until(lambda: all(map(is_in_step, others)), GUARD_S)
        for number in range(3):
            port = free_port()
            watch = [
                f"port {port}",
                f"requirepass {OWN_PASSWORD}",
                f"sentinel monitor {GROUP} 127.0.0.1 {first} 2",
                f"sentinel auth-user {GROUP} {WATCHER}",
                f"sentinel auth-pass {GROUP} {PASSWORD}",
                f"sentinel down-after-milliseconds {GROUP} {DOWN_AFTER_MS}",
                f"sentinel failover-timeout {GROUP} {FAILOVER_TIMEOUT_MS}",
            ]
            stack.enter_context(running(directory, f"sentinel-{number}", watch, "--sentinel"))
            group.sentinels.append(port)
        assert wait_until(lambda: all(knows_all(port, replicas) for port in group.sentinels), GUARD_S)
        yield group
        for revived in group.servers.values():
            revived.kill()
            revived.wait()


def forget_refused(master: redis.Redis) -> None:
    """Ends the connections of Sentinels that were refused, which they would keep for 15 seconds."""
    for found in master.client_list():
        if found["cmd"] in ("auth", "ping", "info", "publish"):
            master.client_kill_filter(_id=found["id"])


def is_in_step(port: int) -> bool:
    """Whether a replica has all that its master has."""
    with client(port) as replica:
        try:
            return bool(replica.info("replication").get("master_link_status") == "up")
        except redis.RedisError:
            return False


def knows_all(sentinel_port: int, replicas: int = 1) -> bool:
    """Whether a Sentinel knows the replicas and the two others."""
    with client(sentinel_port, OWN_PASSWORD) as sentinel:
        try:
            group = sentinel.sentinel_masters()[GROUP]
        except (redis.RedisError, KeyError):
            return False
        return (group["num-slaves"], group["num-other-sentinels"]) == (replicas, 2)
