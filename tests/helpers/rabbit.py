"""A RabbitMQ of a test's own: a private node, with its data, its cookie and its port mapper in a directory given."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pytest
from kombu import Connection
from kombu.exceptions import OperationalError

from helpers.basics import GUARD_S
from worker.runtime.embedded.processes import wait_until
from worker.runtime.embedded.server import free_port

#: Debian's wrapper around these wants to be the system's own RabbitMQ.
PROGRAMS = Path("/usr/lib/rabbitmq/bin")
needs_rabbitmq = pytest.mark.skipif(not (PROGRAMS / "rabbitmq-server").exists(), reason="RabbitMQ is not installed")
START_S = 90.0


@dataclass(slots=True)
class Rabbit:
    """A node, as soon as it is started."""

    port: int
    environment: dict[str, str]
    home: Path
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Starts it, with what it knew before; returns when it answers."""
        with (self.home / "output").open("ab") as output:
            command, streams = [str(PROGRAMS / "rabbitmq-server")], {"stdout": output, "stderr": output}
            self.process = subprocess.Popen(command, env=self.environment, start_new_session=True, **streams)
        assert wait_until(lambda: answers(self), START_S), (self.home / "output").read_text()

    def kill(self) -> None:
        """Ends it as a machine dies."""
        if self.process:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    @property
    def url(self) -> str:
        """For Celery."""
        return f"amqp://guest:guest@127.0.0.1:{self.port}//"

    def control(self, *arguments: str) -> str:
        """What rabbitmqctl answers."""
        command = [str(PROGRAMS / "rabbitmqctl"), "--quiet", *arguments]
        done = subprocess.run(
            command, env=self.environment, capture_output=True, text=True, timeout=GUARD_S, check=True
        )
        return done.stdout

    def log(self) -> str:
        """What it has told so far."""
        return "".join(file.read_text(errors="replace") for file in (self.home / "log").glob("*.log"))

    def waiting(self, queue: str) -> int | None:
        """Messages in a queue that nobody has taken; None where there is no such queue."""
        with Connection(self.url) as connection:
            try:
                return int(connection.default_channel.queue_declare(queue, passive=True).message_count)
            except connection.channel_errors:
                return None

    def state(self) -> str:
        """What stands in the queues, who is connected, and the end of the node's log, for whoever waited in vain."""
        queues = self.control("list_queues", "name", "messages_ready", "messages_unacknowledged", "consumers", "leader")
        connections = self.control("list_connections", "pid", "state", "channels", "send_pend", "recv_oct", "timeout")
        log = "".join(path.read_text()[-2000:] for path in Path(self.environment["RABBITMQ_LOG_BASE"]).glob("*.log"))
        return "\n".join([queues, connections, log])

    def forget(self, *queues: str) -> None:
        """Deletes queues and their exchanges, whatever they are."""
        with Connection(self.url) as connection:
            for queue in queues:
                connection.default_channel.queue_delete(queue)
                connection.default_channel.exchange_delete(queue)


@contextmanager
def rabbitmq(directory: Path) -> Iterator[Rabbit]:
    """A node that answers, ended with all that it started."""
    home, port, mapper = directory / "rabbitmq", free_port(), free_port()
    home.mkdir()
    # Beyond its limits the node reads no more from whoever publishes, and says nothing; others may fill this machine.
    limits = "disk_free_limit.absolute = 1MB\nvm_memory_high_watermark.relative = 0.9\n"
    (home / "rabbitmq.conf").write_text(f"listeners.tcp.local = 127.0.0.1:{port}\n{limits}")
    (home / "plugins").write_text("[].\n")
    environment = {
        "PATH": os.defpath,
        "HOME": str(home),
        "ERL_EPMD_PORT": str(mapper),
        "ERL_EPMD_ADDRESS": "127.0.0.1",
        "RABBITMQ_NODENAME": f"test{uuid4().hex[:8]}@localhost",
        "RABBITMQ_NODE_PORT": str(port),
        "RABBITMQ_DIST_PORT": str(free_port()),
        "RABBITMQ_CONFIG_FILE": str(home / "rabbitmq"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(home / "plugins"),
        "RABBITMQ_MNESIA_BASE": str(home / "data"),
        "RABBITMQ_LOG_BASE": str(home / "log"),
        "RABBITMQ_PID_FILE": str(home / "pid"),
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 1:1",
    }
    rabbit = Rabbit(port, environment, home)
    try:
        rabbit.start()
        yield rabbit
    finally:
        rabbit.kill()
        assert wait_until(lambda: mapper_is_gone(mapper), GUARD_S)


def answers(rabbit: Rabbit) -> bool:
    """Whether a client can come in."""
    with Connection(rabbit.url, connect_timeout=2) as connection:
        try:
            connection.ensure_connection(max_retries=1, timeout=2)
        except (OSError, OperationalError):
            return False
    return True


def mapper_is_gone(port: int) -> bool:
    """Asks the port mapper to end, which it refuses for as long as it has not heard that its node is gone."""
    command = ["epmd", "-port", str(port), "-kill"]
    return (
        "annot connect" in subprocess.run(command, capture_output=True, text=True, timeout=GUARD_S, check=False).stderr
    )
