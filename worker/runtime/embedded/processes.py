"""Processes of servers on Linux: run as whom, start detached, find again by their command line, end for certain.

No pid file is trusted or written: after a kill -9 it would name a process that is gone or, worse, another one.
"""

import os
import shutil
import signal
import subprocess
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from worker.errors import ConfigurationError

NOBODY = 65534  # uid and gid of the overflow user: the one unprivileged account every Linux has
POLL_S = 0.02
RUN_TIMEOUT_S = 120.0  # initdb takes about a second; the rest is for a slow disk
STOP_TIMEOUT_S = 30.0  # PostgreSQL writes a checkpoint when it stops
KILL_TIMEOUT_S = 10.0

# Reading and searching any directory is all a server needs below a closed home directory. Containers grant the
# wider CAP_DAC_OVERRIDE by default, but not CAP_DAC_READ_SEARCH. Numbers: linux/capability.h.
_CAPABILITIES = (("dac_read_search", 2), ("dac_override", 1))
_ENVIRONMENT = {"PATH": os.defpath, "LC_ALL": "C"}  # not ours: it holds keys, and PG* variables would interfere


@dataclass(frozen=True, slots=True)
class RunningServer:
    """Server that was seen running. url: with its password; empty where nobody knows it any more."""

    process: psutil.Process
    url: str = field(repr=False)
    stop_signal: signal.Signals

    @property
    def pid(self) -> int:
        """Its process id."""
        return self.process.pid

    def alive(self) -> bool:
        """Returns whether it still runs, whoever has its pid now."""
        return is_alive(self.process)

    def stop(self) -> None:
        """Stops it cleanly, or by SIGKILL after 30 s; returns when it is gone."""
        with suppress(psutil.NoSuchProcess):
            self.process.send_signal(self.stop_signal)
        if not wait_until(lambda: not self.alive(), STOP_TIMEOUT_S):
            self.kill()

    def kill(self) -> None:
        """Kills the server and its children, as a power cut would end them; returns when they are gone."""
        children = self.process.children() if self.alive() else []
        kill_all((self.process, *children))
        if self.alive():
            raise ConfigurationError(f"process {self.pid} does not end, not even by SIGKILL; is its disk answering?")


def is_alive(process: psutil.Process) -> bool:
    """Returns whether a process has not ended; reaps it where it has ended as our child."""
    try:
        if process.status() != psutil.STATUS_ZOMBIE:
            return process.is_running()
    except psutil.NoSuchProcess:
        return False
    with suppress(ChildProcessError):
        os.waitpid(process.pid, os.WNOHANG)
    return False


def launch(argv: Sequence[str], *, directory: Path, log: Path) -> psutil.Process:
    """Starts a server that outlives us, as the owner of `directory` where we are root; its output goes to `log`."""
    with log.open("ab") as output:
        process = _popen(argv, directory, stdin=subprocess.DEVNULL, stdout=output, umask=0o077)
    process.returncode = 0  # disowned: it may end long after this object, and is_alive() reaps it
    return psutil.Process(process.pid)


def run(argv: Sequence[str], *, directory: Path, stdin: str = "") -> None:
    """Runs a program to its end in `directory`, as `launch` does. Raises ConfigurationError with its last lines."""
    pipe = subprocess.PIPE
    with _popen(argv, directory, stdin=pipe, stdout=pipe, text=True, errors="replace") as process:
        try:
            output, _ = process.communicate(stdin, RUN_TIMEOUT_S)
        except BaseException as exc:
            # What it forked must not go on writing behind us, also where it is a signal that ends us.
            os.killpg(process.pid, signal.SIGKILL)
            if isinstance(exc, subprocess.TimeoutExpired):
                raise ConfigurationError(f"{argv[0]} did not end within {RUN_TIMEOUT_S:.0f} s") from exc
            raise
    if process.returncode:
        raise ConfigurationError(f"{argv[0]} failed: {last_lines(output.splitlines())}{_hint_for_root()}")


def _popen(argv: Sequence[str], directory: Path, **options: Any) -> subprocess.Popen[Any]:
    return subprocess.Popen(  # noqa: S603 - fixed programs; paths are arguments, never part of a shell text
        [*_change_of_user(directory), *argv],
        cwd=directory,
        env=_ENVIRONMENT,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        **options,
    )


def own_directory(path: Path) -> None:
    """Makes `path` with mode 0700. As root it gets an unprivileged owner: the parent's, or else `nobody`."""
    path.mkdir(mode=0o700, exist_ok=True)
    if os.geteuid() == 0 and path.lstat().st_uid == 0:
        parent = path.parent.stat()
        owner = (parent.st_uid, parent.st_gid) if parent.st_uid else (NOBODY, NOBODY)
        os.chown(path, *owner, follow_symlinks=False)


def find_process(programs: frozenset[str], marker: str) -> psutil.Process | None:
    """Returns the process with one of these program names and exactly `marker` among its arguments, if any."""
    found = _processes(lambda line: marker in line and not programs.isdisjoint(map(os.path.basename, line)))
    # A child freshly forked by a server still shows its parent's command line.
    with suppress(psutil.NoSuchProcess):
        return next((process for process in found if process.parent() not in found), None)
    return None


def titled_processes(title: str) -> list[psutil.Process]:
    """Returns the processes whose command line begins with `title`."""
    return _processes(lambda line: line[0].startswith(title))


def _processes(wanted: Callable[[list[str]], bool]) -> list[psutil.Process]:
    """Returns the processes with such a command line; not those that end meanwhile."""
    found = []
    for pid in psutil.pids():
        # psutil's own reading of all of them takes ten times as long.
        with suppress(OSError, psutil.NoSuchProcess):
            line = os.fsdecode(Path(f"/proc/{pid}/cmdline").read_bytes()).split("\0")[:-1]
            if line and wanted(line):
                found.append(psutil.Process(pid))
    return found


def kill_all(processes: Iterable[psutil.Process]) -> None:
    """Kills processes and waits, at most 10 s, until they are gone."""
    processes = tuple(processes)
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    wait_until(lambda: not any(map(is_alive, processes)), KILL_TIMEOUT_S)


def wait_until(condition: Callable[[], bool], timeout_s: float) -> bool:
    """Polls until the condition holds; returns False where it does not within the time."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_S)
    return True


def last_lines(lines: Iterable[str], count: int = 5) -> str:
    """Returns the last lines that say something, as one."""
    return " | ".join(deque((line.strip() for line in lines if line.strip()), maxlen=count))


def _change_of_user(directory: Path) -> list[str]:
    if os.geteuid() != 0:
        return []
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        raise ConfigurationError(
            f"the embedded servers cannot run as root and setpriv (util-linux) is missing{_hint_for_root()}"
        )
    owner = directory.stat()
    user = [f"--reuid={owner.st_uid}", f"--regid={owner.st_gid}", "--clear-groups"]
    return [setpriv, *user, *_kept_capability(), "--"]


def _kept_capability() -> list[str]:
    status = Path("/proc/self/status").read_text("utf-8")
    effective = int(status.partition("CapEff:")[2].split()[0], 16)
    for name, bit in _CAPABILITIES:
        if effective >> bit & 1:
            # Without that secure bit access(2), by which initdb looks for its programs, does not count the capability.
            return [f"--inh-caps=+{name}", f"--ambient-caps=+{name}", "--securebits=+no_setuid_fixup"]
    return []


def _hint_for_root() -> str:
    if os.geteuid() != 0:
        return ""
    return ". Run as an ordinary user (chown the checkout to it), or set DATABASE_URL and REDIS_URL"
