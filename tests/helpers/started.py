"""Processes of ours that a test starts as a shop would: `chasqui up`, or one of its parts, with its environment."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from worker.runtime.embedded.processes import wait_until
from worker.runtime.supervisor import celery_program
from worker.settings import FILE, Settings

START_S, STOP_S = 90.0, 40.0
OURS = {name.upper() for name in Settings.model_fields}
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


def environment(given: Mapping[str, str]) -> dict[str, str]:
    """What is around, but for what is set of ours, and that."""
    around = {name: value for name, value in os.environ.items() if name.removesuffix(FILE) not in OURS}
    return around | {"METRICS_PORT": "0", "LOG_FORMAT": "json"} | dict(given)


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
            env=environment(given),
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
