"""A Redis Cluster of real servers: three masters, each with a replica if wanted; slots are moved, servers killed."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import redis
from redis.crc import key_slot

from helpers.basics import GUARD_S
from helpers.redis_group import PASSWORD, client, running
from worker.runtime.embedded.processes import wait_until
from worker.runtime.embedded.server import free_port

SLOTS, MASTERS = 16_384, 3
NODE_TIMEOUT_MS = 1_000
#: From a node's own port to the one on which the others speak to it (Redis 6.2 has no setting for it).
TO_BUS = 10_000
#: Linux takes the ports of outgoing connections from here on (net.ipv4.ip_local_port_range); a node whose second port
#: is one of these ends at once.
FIRST_LOCAL_PORT = 32_768


@dataclass(slots=True)
class RunningCluster:
    """Servers by port, as far as they run."""

    servers: dict[int, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def url(self) -> str:
        """Two of the nodes, as REDIS_URL names them."""
        first, *_, last = self.servers
        return f"redis+cluster://:{PASSWORD}@127.0.0.1:{first},127.0.0.1:{last}"

    def ask(self, port: int, *command: Any) -> Any:
        """The answer of one node, as it comes."""
        with client(port) as node:
            return node.execute_command(*command)

    def nodes(self) -> dict[int, dict[str, Any]]:
        """Flags, id and number of slots of each node, by port, as the first that lives says."""
        seen = next(port for port, process in self.servers.items() if process.poll() is None)
        found: dict[int, dict[str, Any]] = {}
        for line in self.ask(seen, "CLUSTER NODES").items():
            place, facts = line
            found[int(place.rpartition(":")[2])] = facts
        return found

    def master_of(self, key: str) -> int:
        """The port of the master that has a key."""
        slot = key_slot(key.encode())
        for port, facts in self.nodes().items():
            ranges = [(int(one[0]), int(one[-1])) for one in facts["slots"]]
            if "master" in facts["flags"] and any(first <= slot <= last for first, last in ranges):
                return port
        return 0

    def other_master(self, port: int) -> int:
        """Another master."""
        return next(one for one, facts in self.nodes().items() if "master" in facts["flags"] and one != port)

    def move_slot_of(self, key: str) -> int:
        """Moves the slot of a key, with all its keys, to another master; returns its port."""
        slot, source = key_slot(key.encode()), self.master_of(key)
        target, nodes = self.other_master(source), self.nodes()
        self.begin_move(slot, source, target)
        while names := self.ask(source, "CLUSTER GETKEYSINSLOT", slot, 100):
            self.move_keys(source, target, *names)
        masters = [port for port, facts in nodes.items() if "master" in facts["flags"]]
        # The new owner first, so that nobody is sent round and round.
        for port in sorted(masters, key=lambda one: one != target):
            self.ask(port, "CLUSTER SETSLOT", slot, "NODE", nodes[target]["node_id"])
        return target

    def begin_move(self, slot: int, source: int, target: int) -> None:
        """From now on the keys of a slot may be on either of two masters."""
        nodes = self.nodes()
        self.ask(target, "CLUSTER SETSLOT", slot, "IMPORTING", nodes[source]["node_id"])
        self.ask(source, "CLUSTER SETSLOT", slot, "MIGRATING", nodes[target]["node_id"])

    def move_keys(self, source: int, target: int, *names: bytes | str) -> None:
        """Moves keys."""
        self.ask(source, "MIGRATE", "127.0.0.1", target, "", 0, 5_000, "AUTH", PASSWORD, "KEYS", *names)

    def kill(self, port: int) -> None:
        """Ends a server as a machine dies."""
        self.servers[port].kill()
        self.servers[port].wait()

    def replica_of(self, port: int) -> int:
        """The port of a master's replica."""
        nodes = self.nodes()
        return next(one for one, facts in nodes.items() if facts["master_id"] == nodes[port]["node_id"])

    def fail_over(self, key: str) -> int:
        """Kills the master that has a key, and waits until its replica is one; returns the port of the dead."""
        dead = self.master_of(key)
        self.kill(dead)
        assert wait_until(lambda: self.master_of(key) not in (0, dead) and self.is_fit(), GUARD_S)
        return dead

    def promote_replica(self, key: str) -> int:
        """Lets the replica of the master that has a key take its place, as before an upgrade; returns its port."""
        master = self.master_of(key)
        replica = self.replica_of(master)
        self.ask(replica, "CLUSTER FAILOVER")
        assert wait_until(lambda: self.master_of(key) == replica and follows(master) and self.is_fit(), 30)
        return replica

    def freeze_replica_of(self, port: int) -> int:
        """Lets the replica of a master do nothing more, until it is woken, and what is written from now on never reach
        it; returns its port.
        """
        replica = self.replica_of(port)
        self.servers[replica].send_signal(signal.SIGSTOP)
        self.ask(port, "CLIENT", "KILL", "TYPE", "replica")
        return replica

    def wake(self, port: int) -> None:
        """Lets a server that was frozen go on."""
        self.servers[port].send_signal(signal.SIGCONT)

    def revive(self, port: int) -> None:
        """Starts a server again that was killed; the others make it a replica."""
        self.servers[port] = subprocess.Popen(self.servers[port].args, stdout=subprocess.DEVNULL)
        assert wait_until(lambda: answers(port) and follows(port), GUARD_S)

    def is_fit(self) -> bool:
        """Whether every node that lives holds the cluster for whole."""
        living = [port for port, process in self.servers.items() if process.poll() is None]
        return all(self._says_ok(port) for port in living)

    def _says_ok(self, port: int) -> bool:
        try:
            return bool(self.ask(port, "CLUSTER INFO")["cluster_state"] == "ok")
        except redis.RedisError:
            return False


@contextmanager
def redis_cluster(directory: Path, *, replicas: bool) -> Iterator[RunningCluster]:
    """The cluster, whole, and its replicas in step."""
    cluster = RunningCluster()
    lines = [
        f"requirepass {PASSWORD}",
        f"masterauth {PASSWORD}",
        "cluster-enabled yes",
        f"cluster-node-timeout {NODE_TIMEOUT_MS}",
        "appendonly yes",
    ]
    with ExitStack() as stack:
        for _ in range(MASTERS * (2 if replicas else 1)):
            port = cluster_port(cluster.servers)
            server = running(directory, f"redis-{port}", [f"port {port}", *lines])
            cluster.servers[port] = stack.enter_context(server)
        ports = list(cluster.servers)
        assert wait_until(lambda: all(map(answers, ports)), GUARD_S)
        for number, port in enumerate(ports[:MASTERS]):
            first, end = (SLOTS * place // MASTERS for place in (number, number + 1))
            cluster.ask(port, "CLUSTER ADDSLOTS", *range(first, end))
        # A handshake is given up after the node timeout, which a busy machine may need.
        assert any(have_met(cluster, ports) for _ in range(10))
        for port, master in zip(ports[MASTERS:], ports[:MASTERS], strict=False):
            cluster.ask(port, "CLUSTER REPLICATE", cluster.nodes()[master]["node_id"])
        assert wait_until(lambda: cluster.is_fit() and all(map(follows, ports[MASTERS:])), GUARD_S)
        yield cluster
        for revived in cluster.servers.values():
            revived.kill()
            revived.wait()


def cluster_port(taken: Collection[int]) -> int:
    """A port that is free together with the one on which nodes speak to each other."""
    tries = (free_port() for _ in range(1_000))
    return next(port for port in tries if port not in taken and port + TO_BUS < FIRST_LOCAL_PORT)


def answers(port: int) -> bool:
    """Whether a server answers."""
    with client(port) as node:
        try:
            return bool(node.ping())
        except redis.RedisError:
            return False


def have_met(cluster: RunningCluster, ports: list[int]) -> bool:
    """Lets all nodes meet the first; returns whether all know each other within a moment."""
    for port in ports[1:]:
        cluster.ask(port, "CLUSTER MEET", "127.0.0.1", ports[0])
    return wait_until(lambda: all(knows(cluster, port, len(ports)) for port in ports), 5)


def knows(cluster: RunningCluster, port: int, nodes: int) -> bool:
    """Whether a node has met all others."""
    return len(cluster.ask(port, "CLUSTER NODES")) == nodes


def follows(port: int) -> bool:
    """Whether a replica has all that its master has."""
    with client(port) as node:
        found: Any = node.info("replication")
        return bool(found.get("master_link_status") == "up")
