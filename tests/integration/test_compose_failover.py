"""The servers of the Compose file with two of everything, run by hand: who is the master moves, and stays moved."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from helpers.basics import GUARD_S
from helpers.composed import REQUIRED, Shop, composed, content_twice, opened
from helpers.redis_group import GROUP, PASSWORD, client

from worker.redisdb.connect import connect_redis
from worker.runtime.embedded.processes import wait_until
from worker.runtime.embedded.redis import Redis
from worker.runtime.embedded.server import Access, free_port

REDIS, SENTINELS = ("redis", "redis-2", "redis-3"), ("sentinel", "sentinel-2", "sentinel-3")


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[tuple[Shop, dict[str, int]]]:
    """Redis and Sentinels of the file, not started, on ports of this machine in the place of names; and these ports."""
    ports = {name: free_port() for name in (*REDIS, *SENTINELS)}
    program = Redis(tmp_path).command(Access(port=1, password="x"))[0]
    services = {}
    for name in ports:
        (tmp_path / name).mkdir()
        instead = {
            "/data": str(tmp_path / name),
            "exec redis-server": f"exec {program}",
            "$FIRST_MASTER 6379": f"127.0.0.1 {ports['redis']}",
            "replica-announce-ip $NAME": f"port {ports[name]}",
            "port 26379": f"port {ports[name]}",
            "chasqui redis 6379": f"chasqui 127.0.0.1 {ports['redis']}",
            "chasqui 5000": "chasqui 1000",
        }
        services[name] = composed(dict.fromkeys(REQUIRED, PASSWORD), instead, content_twice())[name]
    with opened(Shop(services, tmp_path, {}, tmp_path)) as opened_shop:
        yield opened_shop, ports


def test_a_new_master_stays_the_master(shop: tuple[Shop, dict[str, int]]) -> None:
    """The master dies, a replica takes over with what was written; then all start anew, as after a power cut, and it is
    the master still, with the one of old as its replica.
    """
    services, ports = shop
    for name in ports:
        services.start(name)
    assert wait_until(lambda: all(knows_all(ports[name]) for name in SENTINELS), GUARD_S)
    url = ";".join(f"sentinel://:{PASSWORD}@127.0.0.1:{ports[name]}" for name in SENTINELS)
    with connect_redis(url, 2.0, master_name=GROUP) as found:
        found.set("written", "before")
        assert found.wait(2, 5_000) == 2
    kill(services, "redis")
    assert wait_until(lambda: master(ports) not in ("", "redis"), GUARD_S)
    promoted = master(ports)
    for name in ports:
        if name != "redis":
            kill(services, name)
    for name in ports:
        services.start(name)
    assert wait_until(lambda: master(ports) == promoted and replicas(ports[promoted]) == 2, GUARD_S)
    with client(ports[promoted]) as other:
        assert other.get("written") == b"before"


def kill(services: Shop, name: str) -> None:
    """As a machine dies."""
    services.processes[name].kill()
    services.processes[name].wait()


def knows_all(port: int) -> bool:
    """Whether a Sentinel knows both replicas and the two others."""
    known = watched(port)
    return (known.get("num-slaves"), known.get("num-other-sentinels")) == (2, 2)


def master(ports: dict[str, int]) -> str:
    """Which server all Sentinels name as the master; empty while they do not agree."""
    said = {watched(ports[name]).get("port") for name in SENTINELS}
    port = said.pop() if len(said) == 1 else None
    return next((name for name in REDIS if ports[name] == port), "")


def watched(port: int) -> dict[str, int]:
    """What a Sentinel knows of the group; nothing while it does not answer."""
    with client(port, None) as sentinel:
        try:
            found: dict[str, int] = sentinel.sentinel_masters()[GROUP]
        except (redis.RedisError, KeyError):
            return {}
        return found


def replicas(port: int) -> int:
    """How many replicas a master has."""
    with client(port) as server:
        try:
            return int(server.info("replication")["connected_slaves"])
        except redis.RedisError:
            return 0
