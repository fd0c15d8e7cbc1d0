"""`chasqui` and its parts as processes of their own, as a shop starts them: to their end, or while they run."""

from __future__ import annotations

import atexit
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

from helpers.basics import REPOSITORY, Servers
from worker.runtime.embedded.processes import wait_until
from worker.runtime.supervisor import celery_program
from worker.settings import FILE, Settings

OURS = {name.upper() for name in Settings.model_fields}
TIMEOUT_S = 60.0
START_S, STOP_S = 90.0, 40.0
CHASQUI = (sys.executable, "-m", "worker")
UP = (*CHASQUI, "up", "--concurrency", "1")
#: The parts of the service, as docs/deploy.md has them one by one.
PARTS = {
    "intake": (*CHASQUI, "intake"),
    "worker": celery_program("", "worker", "-Q", "flow,inbound", "-P", "solo", "-n", "flow@%h").argv,
    "worker-ai": celery_program("", "worker", "-Q", "ai,periodic", "-P", "threads", "-c", "2", "-n", "ai@%h").argv,
    "beat": celery_program("", "beat", "-s", "beat-schedule", "--pidfile", "").argv,
    "metrics": (*CHASQUI, "metrics"),
    "dashboard": (*CHASQUI, "dashboard"),
    "flower": (sys.executable, "-m", "worker.flower", "--address=127.0.0.1"),
}


def run(directory: Path, *arguments: str, stdin: str = "", **environ: str) -> subprocess.CompletedProcess[str]:
    """A command to its end, in this directory."""
    return run_in(around() | environ, directory, *arguments, stdin=stdin)


def run_in(
    environ: Mapping[str, str], directory: Path, *arguments: str, stdin: str | int = ""
) -> subprocess.CompletedProcess[str]:
    """The same in this environment, whatever it names. stdin: a text, or the descriptor of an open file."""
    with TemporaryFile() as given, TemporaryFile() as output, TemporaryFile() as error:
        if isinstance(stdin, str):
            given.write(stdin.encode())
            given.seek(0)
        source = given.fileno() if isinstance(stdin, str) else stdin
        begun = json.dumps([arguments, str(directory), dict(environ)]).encode()
        channel = _forking()
        socket.send_fds(channel, [begun], [source, output.fileno(), error.fileno()])
        code = int(channel.recv(16))
        output.seek(0)
        error.seek(0)
        return subprocess.CompletedProcess(arguments, code, output.read().decode(), error.read().decode())


@lru_cache(maxsize=1)
def _forking() -> socket.socket:
    """The way to the process that forks, which ends with this one."""
    ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.settimeout(TIMEOUT_S)
    path = os.pathsep.join((str(REPOSITORY), str(REPOSITORY / "tests")))
    with its:
        process = subprocess.Popen(
            [sys.executable, "-m", "helpers.forking", str(its.fileno())],
            env=os.environ | {"PYTHONPATH": path, "PYTHONIOENCODING": "utf-8"},
            pass_fds=[its.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )
    atexit.register(lambda: (ours.close(), process.wait(TIMEOUT_S)))
    return ours


def urls_of(servers: Servers) -> dict[str, str]:
    """The environment variables that name the servers of the test run."""
    return {"DATABASE_URL": servers.database_url, "REDIS_URL": servers.redis_url}


@dataclass(frozen=True, slots=True)
class Started:
    """A process, and the file that holds what it writes."""

    process: subprocess.Popen[bytes]
    log: Path

    def says(self, words: str, timeout_s: float = START_S) -> bool:
        """Whether these words come before the process ends."""
        wait_until(lambda: words in self.log.read_text() or self.process.poll() is not None, timeout_s)
        return words in self.log.read_text()

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Its exit code after this signal."""
        self.process.send_signal(number)
        return self.process.wait(STOP_S)


def around() -> dict[str, str]:
    """The environment of this process, but for what is set of ours."""
    return {name: value for name, value in os.environ.items() if name.removesuffix(FILE) not in OURS}


@contextmanager
def started(
    command: tuple[str, ...],
    directory: Path,
    given: Mapping[str, str],
    *,
    before: Callable[[], object] | None = None,
    **streams: Any,
) -> Iterator[Started]:
    """The command while it runs, killed at the end if it still does. before: run in the child before the program."""
    log = directory / "started.log"
    with log.open("ab") as output:
        to_log = {"stdin": subprocess.DEVNULL, "stdout": output, "stderr": output}
        process = subprocess.Popen(
            command,
            cwd=directory,
            env=around() | {"METRICS_PORT": "0", "LOG_FORMAT": "json"} | dict(given),
            start_new_session=True,
            preexec_fn=before,
            **to_log | streams,
        )
    try:
        yield Started(process, log)
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(STOP_S)
            finally:
                process.kill()
