"""PostgreSQL and Redis on hosts of a network, set to nothing but where they listen: what else they do, they do by
themselves.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import redis

from helpers.hosts import Host
from helpers.postgres_pair import DATABASE, USER, Member
from helpers.redis_group import GROUP, PASSWORD, running
from worker.redisdb.connect import SENTINEL_PORT
from worker.runtime.embedded.processes import own_directory, wait_until

POSTGRES_PORT, REDIS_PORT = 5432, 6379
#: As the documents have it.
DOWN_AFTER_MS = 5_000
START_TIMEOUT_S = 60.0


@contextmanager
def postgres_on(host: Host, directory: Path) -> Iterator[dict[str, str]]:
    """PostgreSQL, and the setting that names it."""
    own_directory(home := directory / "postgres")
    postgres = Member("one", home, POSTGRES_PORT, host=host.address)
    with host.entered():
        postgres.create(f"{host.address}/24")
        postgres.start()
        postgres.ask(f"create database {DATABASE}", "postgres")
    try:
        yield {"DATABASE_URL": f"postgresql://{USER}:{PASSWORD}@{host.address}:{POSTGRES_PORT}/{DATABASE}"}
    finally:
        postgres.kill()


@contextmanager
def redis_on(host: Host, directory: Path, *lines: str) -> Iterator[dict[str, str]]:
    """A Redis, and the setting that names it. lines: more of its configuration."""
    own = ("bind 0.0.0.0", f"port {REDIS_PORT}", f"requirepass {PASSWORD}", "appendonly yes")
    with host.entered(), running(directory, f"redis-{host.name}", (*own, *lines)):
        yield {"REDIS_URL": f"redis://:{PASSWORD}@{host.address}:{REDIS_PORT}/0"}


@contextmanager
def sentinels_on(members: Sequence[Host], directory: Path) -> Iterator[dict[str, str]]:
    """A Redis and a Sentinel on each host, the first of which is the master and is named first, and the settings."""
    first = members[0]
    follow = (f"masterauth {PASSWORD}", f"replicaof {first.address} {REDIS_PORT}")
    watch = (
        "bind 0.0.0.0",
        f"port {SENTINEL_PORT}",
        f"sentinel monitor {GROUP} {first.address} {REDIS_PORT} 2",
        f"sentinel auth-pass {GROUP} {PASSWORD}",
        f"sentinel down-after-milliseconds {GROUP} {DOWN_AFTER_MS}",
        f"sentinel failover-timeout {GROUP} 10000",
    )
    with ExitStack() as stack:
        for host in members:
            stack.enter_context(redis_on(host, directory, *(follow if host is not first else follow[:1])))
            with host.entered():
                stack.enter_context(running(directory, f"sentinel-{host.name}", watch, "--sentinel"))
        with first.entered(), redis.Redis(port=SENTINEL_PORT) as sentinel:
            assert wait_until(lambda: _is_whole(sentinel, len(members)), START_TIMEOUT_S)
        places = ";".join(f"sentinel://:{PASSWORD}@{host.address}:{SENTINEL_PORT}" for host in members)
        yield {"REDIS_URL": places, "REDIS_MASTER_NAME": GROUP}


def _is_whole(sentinel: redis.Redis, members: int) -> bool:
    """Whether a Sentinel knows all the others, and all replicas."""
    group = sentinel.sentinel_masters().get(GROUP, {})
    return (group.get("num-slaves"), group.get("num-other-sentinels")) == (members - 1, members - 1)
