"""`chasqui` and its parts as processes of their own, as a shop starts them: to their end, or while they run."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile

from helpers.basics import GUARD_S, Servers
from helpers.forked import PATH, TIMEOUT_S, Forked, fork
from worker.runtime.embedded.processes import wait_until
from worker.runtime.supervisor import celery_program
from worker.settings import FILE, Settings

OURS = {name.upper() for name in Settings.model_fields}
START_S, STOP_S = GUARD_S, GUARD_S
CHASQUI = (sys.executable, "-m", "worker")
UP = (*CHASQUI, "up", "--concurrency", "1")
#: The same with processes that are there sooner.
QUICK_UP = (sys.executable, "-m", "helpers.quick_up", *UP[3:])
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
        code = fork("worker", arguments, directory, environ, source, output.fileno(), error.fileno()).wait(TIMEOUT_S)
        output.seek(0)
        error.seek(0)
        return subprocess.CompletedProcess(arguments, code, output.read().decode(), error.read().decode())


def urls_of(servers: Servers) -> dict[str, str]:
    """The environment variables that name the servers of the test run."""
    return {"DATABASE_URL": servers.database_url, "REDIS_URL": servers.redis_url}


@dataclass(frozen=True, slots=True)
class Started:
    """A process, and the file that holds what it writes."""

    process: subprocess.Popen[bytes] | Forked
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
    **streams: int,
) -> Iterator[Started]:
    """The command while it runs, killed at the end if it still does. before: run in the child before the program."""
    log = directory / "started.log"
    environ = around() | {"METRICS_PORT": "0", "LOG_FORMAT": "json", "PYTHONPATH": PATH} | dict(given)
    with log.open("ab") as output, Path(os.devnull).open("rb") as nothing:
        to = {"stdin": nothing.fileno(), "stdout": output.fileno(), "stderr": output.fileno()} | streams
        if command[:2] == CHASQUI[:2] and before is None:
            process = fork(command[2], command[3:], directory, environ, *to.values())
        else:
            process = subprocess.Popen(
                command, cwd=directory, env=environ, start_new_session=True, preexec_fn=before, **to
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
