"""Embedded server: its directory, a port and password that stay, one start; what PostgreSQL and Redis share."""

import os
import secrets
import signal
import socket
import tempfile
from abc import ABC, abstractmethod
from importlib.util import find_spec
from pathlib import Path
from typing import ClassVar

import psutil
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from worker.errors import ConfigurationError
from worker.runtime.embedded.processes import RunningServer, find_process, last_lines, launch, own_directory, wait_until

HOST = "127.0.0.1"
# Below the range from which Linux takes the local ports of outgoing connections (32768 up): a client that knocks at
# a port of that range while the server is down can be given this very port, and then holds it.
PORTS = range(20_000, 30_000)
PORT_WAIT_S = 2.0
START_TIMEOUT_S = 60.0  # after a crash PostgreSQL replays up to 1 GB of its log, Redis reads all of its own


class Access(BaseModel):
    """Port and password of a server: kept in `<name>.json`, mode 0600, from its first start on."""

    model_config = ConfigDict(frozen=True)

    port: int = Field(ge=1, le=65535)
    password: str = Field(repr=False)


class EmbeddedServer(ABC):
    """One embedded server under `home`; its caller holds the lock on starts and stops. marker: argument of its command
    line that holds a path, and so tells it from every other server.
    """

    name: ClassVar[str]
    programs: ClassVar[frozenset[str]]
    stop_signal: ClassVar[signal.Signals]

    def __init__(self, home: Path, marker: str) -> None:
        self.home = home
        self.directory = home / self.name
        self.log = self.directory / "server.log"
        self._access_path = home / f"{self.name}.json"
        self.marker = str(self.directory / marker)

    @abstractmethod
    def prepare(self, access: Access) -> None:
        """Makes or mends what the server needs on disk. Nothing of it is running."""

    @abstractmethod
    def command(self, access: Access) -> list[str]:
        """Returns the command line, without secrets: everybody on the machine can read it."""

    @abstractmethod
    def url(self, access: Access) -> str:
        """Returns the URL for our own clients, password included."""

    @abstractmethod
    def answers(self, url: str) -> bool:
        """Returns whether a real connection, password included, succeeds now."""

    def running(self) -> RunningServer | None:
        """Returns the server if its process exists, ready or not; without a URL where its directory was deleted."""
        process = find_process(self.programs, self.marker)
        return self._server(process, self._access()) if process else None

    def stop(self) -> None:
        """Stops the server where it runs, also where nobody knows its URL; returns when it is gone."""
        if process := find_process(self.programs, self.marker):
            self._server(process, None).stop()

    def start(self) -> RunningServer:
        """Attaches to the running server or starts it. Raises ConfigurationError with the end of its log."""
        server = self.running()
        if server and not server.url:
            server.kill()
        elif server and self._becomes_ready(server):
            return server
        return self._launch()

    def _launch(self) -> RunningServer:
        own_directory(self.directory)
        access = self._access_at_a_free_port()
        self.prepare(access)
        if not self.log.exists():
            write_private(self.log, "")
        server = self._server(launch(self.command(access), directory=self.directory, log=self.log), access)
        if not self._becomes_ready(server):
            raise ConfigurationError(f"{self.name} did not start: {self._end_of_log()}")
        return server

    def _server(self, process: psutil.Process, access: Access | None) -> RunningServer:
        return RunningServer(process, self.url(access) if access else "", self.stop_signal)

    def _becomes_ready(self, server: RunningServer) -> bool:
        if not wait_until(lambda: self.answers(server.url) or not server.alive(), START_TIMEOUT_S):
            raise ConfigurationError(f"{self.name} does not answer after {START_TIMEOUT_S:.0f} s: {self._end_of_log()}")
        return server.alive()

    def _end_of_log(self) -> str:
        lines = self.log.read_text("utf-8", "replace").splitlines() if self.log.exists() else []
        return f"{last_lines(lines) or 'it logged nothing'} ({self.log})"

    def _access(self) -> Access | None:
        if not self._access_path.exists():
            return None
        try:
            return Access.model_validate_json(self._access_path.read_text("utf-8"))
        except ValidationError:
            raise ConfigurationError(f"{self._access_path} is damaged; restore it, or delete {self.home}") from None

    def _access_at_a_free_port(self) -> Access:
        known = self._access()
        # The threads of a killed server may hold its port a moment longer than its process is seen.
        if known and wait_until(lambda: _is_free(known.port), PORT_WAIT_S):
            return known
        access = Access(port=free_port(), password=known.password if known else secrets.token_urlsafe(24))
        write_private(self._access_path, access.model_dump_json())
        return access


def package_directory(package: str) -> Path | None:
    """Returns where an installed package lies, without importing it; None where it is not installed."""
    spec = find_spec(package)
    return Path(spec.origin).parent if spec and spec.origin else None


def not_installed(variable: str) -> ConfigurationError:
    """Returns the error for an unset connection URL without the embedded server that would take its place."""
    return ConfigurationError(
        f"{variable} is not set and the embedded server is not installed: set it, or run pip install '.[embedded]' "
        "in the checkout"
    )


def free_port() -> int:
    """Returns a port on 127.0.0.1 that nobody listens on."""
    for _ in range(100):
        port = secrets.choice(PORTS)
        if _is_free(port):
            return port
    raise ConfigurationError(f"no free port between {PORTS.start} and {PORTS.stop - 1} on {HOST}")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        # As the servers themselves do: connections that just ended must not count as somebody listening.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def write_private(path: Path, text: str) -> None:
    """Writes a file with mode 0600 in one step; as root it gets the owner of its directory."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    with open(handle, "w", encoding="utf-8") as file:
        file.write(text)
        if os.geteuid() == 0:
            owner = path.parent.stat()
            os.fchown(handle, owner.st_uid, owner.st_gid)
    os.replace(temporary, path)
