"""Programs of ours as processes that are forked from one that has loaded the service already (`helpers.forking`)."""

from __future__ import annotations

import atexit
import json
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from threading import Lock

from helpers.basics import REPOSITORY

TIMEOUT_S = 120.0
#: Where our packages and those of the tests are, for Python.
PATH = f"{REPOSITORY}{os.pathsep}{REPOSITORY / 'tests'}"


class Forked:
    """A running fork, with what `subprocess.Popen` has of the same names.

    Args:
        told: pipe that says its process id now, and its exit code when it has ended.
    """

    def __init__(self, arguments: Sequence[str], told: int) -> None:
        self.args = arguments
        self.returncode: int | None = None
        self._told, self._lock = os.fdopen(told, "rb", buffering=0), Lock()
        self.pid = int(self._told.readline())

    def poll(self) -> int | None:
        """Its exit code; None while it runs."""
        return self._within(0.0)

    def wait(self, timeout: float | None = None) -> int:
        """Its exit code, once it has ended; raises TimeoutExpired after so many seconds."""
        code = self._within(timeout)
        if code is None:
            raise subprocess.TimeoutExpired(self.args, timeout or 0.0)
        return code

    def send_signal(self, number: int) -> None:
        """Sends a signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        """Sends SIGTERM."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """Sends SIGKILL."""
        self.send_signal(signal.SIGKILL)

    def _within(self, seconds: float | None) -> int | None:
        if self.returncode is None and select.select([self._told], [], [], seconds)[0]:
            with self._lock:
                if self.returncode is None:
                    # Nothing is said where the process that forks has died, and the fork with it.
                    self.returncode = int(self._told.readline() or -signal.SIGKILL)
        return self.returncode

    def __del__(self) -> None:
        self._told.close()


def fork(module: str, arguments: Sequence[str], directory: Path, environ: Mapping[str, str], *streams: int) -> Forked:
    """Starts `python -m module` with these arguments, without its start.

    Args:
        streams: descriptors of its standard input, output and error.
    """
    ours, its = os.pipe()
    try:
        request = json.dumps([module, arguments, str(directory), dict(environ)]).encode()
        socket.send_fds(_forking(), [request], [*streams, its])
    finally:
        os.close(its)
    return Forked([module, *arguments], ours)


@lru_cache(maxsize=1)
def _forking() -> socket.socket:
    """The way to the process that forks, which ends with this one."""
    ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.settimeout(TIMEOUT_S)
    with its:
        process = subprocess.Popen(
            [sys.executable, "-m", "helpers.forking", str(its.fileno())],
            env=os.environ | {"PYTHONPATH": PATH, "PYTHONIOENCODING": "utf-8"},
            pass_fds=[its.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )
    atexit.register(lambda: (ours.close(), process.wait(TIMEOUT_S)))
    return ours
