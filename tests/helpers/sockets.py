"""A Redis that listens on a socket of this machine, and on no port."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import quote

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from helpers.basics import GUARD_S
from worker.runtime.embedded.processes import wait_until
from worker.runtime.embedded.redis import Redis
from worker.runtime.embedded.server import Access

PASSWORD = "se/c:ret@1"


@contextmanager
def redis_on_a_socket() -> Iterator[str]:
    """Its URL, with a password that must be percent-encoded, and a database other than the first."""
    # A socket's path may have 107 bytes, and pytest's directories are long.
    with TemporaryDirectory(prefix="chasqui-") as name:
        directory = Path(name)
        socket, configuration = directory / "s", directory / "redis.conf"
        lines = ("port 0", f"unixsocket {socket}", f"requirepass {PASSWORD}", f"dir {directory}", 'save ""', "")
        configuration.write_text("\n".join(lines))
        program = Redis(directory).command(Access(port=1, password="x"))[0]
        with subprocess.Popen([program, str(configuration)], stdout=subprocess.DEVNULL) as process:
            try:
                assert wait_until(lambda: answers(socket), GUARD_S)
                yield f"unix://:{quote(PASSWORD, safe='')}@{socket}?db=3"
            finally:
                process.kill()


def answers(socket: Path) -> bool:
    """Whether it takes commands."""
    with redis.Redis(unix_socket_path=str(socket), password=PASSWORD, retry=Retry(NoBackoff(), 0)) as client:
        try:
            return bool(client.ping())
        except redis.RedisError:
            return False
