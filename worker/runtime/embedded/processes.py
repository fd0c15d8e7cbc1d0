"""Processes of servers on Linux: run as whom, start detached, find again by their command line, end for certain.

No pid file is trusted or written: after a kill -9 it would name a process that is gone or, worse, another one.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

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
    """A server that was seen running. url: with its password; marker: the argument that tells it from all others."""

    pid: int
    url: str = field(repr=False)
    marker: str
    stop_signal: signal.Signals

    def alive(self) -> bool:
        """Whether the pid still belongs to this server. Reaps it where it has ended as our child."""
        if _ended(self.pid):
            with suppress(ChildProcessError):
                os.waitpid(self.pid, os.WNOHANG)
            return False
        arguments = _arguments(self.pid)
        return self.marker in arguments or not arguments  # it has none for an instant, while setpriv becomes the server

    def stop(self) -> None:
        """Stop cleanly and return when it is gone; after 30 s without success, kill."""
        self._signal(self.stop_signal)
        if not wait_until(lambda: not self.alive(), STOP_TIMEOUT_S):
            self.kill()

    def kill(self) -> None:
        """SIGKILL the server and its children, as a power cut would end them, and return when they are gone."""
        children = [pid for pid in _pids() if _parent(pid) == self.pid]
        self._signal(signal.SIGKILL)
        kill_all(children)
        if not wait_until(lambda: not self.alive(), KILL_TIMEOUT_S):
            raise ConfigurationError(f"process {self.pid} does not end, not even by SIGKILL; is its disk answering?")

    def _signal(self, number: signal.Signals) -> None:
        if self.alive():
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)


def launch(argv: Sequence[str], *, directory: Path, log: Path) -> int:
    """Start a server that outlives us, in a session of its own, with its output appended to `log`; gives its pid.

    As root it runs as the owner of `directory`.
    """
    with log.open("ab") as output:
        process = subprocess.Popen(  # noqa: S603 - fixed programs; no shell
            [*_change_of_user(directory), *argv],
            cwd=directory,
            env=_ENVIRONMENT,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            umask=0o077,
            start_new_session=True,
        )
    process.returncode = 0  # disowned: it may end long after this object, and RunningServer.alive() reaps it
    return process.pid


def run(argv: Sequence[str], *, directory: Path, stdin: str = "") -> None:
    """Run a program to its end in `directory` and, where we are root, as the owner of that directory.

    Raises ConfigurationError with the last lines of its output.
    """
    with subprocess.Popen(  # noqa: S603 - fixed programs; paths are arguments, never part of a shell text
        [*_change_of_user(directory), *argv],
        cwd=directory,
        env=_ENVIRONMENT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
    ) as process:
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


def own_directory(path: Path) -> None:
    """Make `path` with mode 0700. As root it gets an unprivileged owner: the parent's, or else `nobody`."""
    path.mkdir(mode=0o700, exist_ok=True)
    if os.geteuid() == 0 and path.lstat().st_uid == 0:
        parent = path.parent.stat()
        owner = (parent.st_uid, parent.st_gid) if parent.st_uid else (NOBODY, NOBODY)
        os.chown(path, *owner, follow_symlinks=False)


def find_process(programs: frozenset[str], marker: str) -> int | None:
    """Pid of the process with one of these program names and exactly `marker` among its arguments, if any.

    A child freshly forked by a server still shows its parent's command line, hence the look at the parents.
    """
    found = {pid for pid in _pids() if _runs(_arguments(pid), programs, marker)}
    return next((pid for pid in found if _parent(pid) not in found), None)


def titled_processes(title: str) -> list[int]:
    """Pids of the processes whose command line begins with `title`."""
    return [pid for pid in _pids() if any(first.startswith(title) for first in _arguments(pid)[:1])]


def kill_all(pids: Sequence[int]) -> None:
    """SIGKILL processes and wait, at most 10 s, until they are gone."""
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    wait_until(lambda: all(_ended(pid) for pid in pids), KILL_TIMEOUT_S)


def wait_until(condition: Callable[[], bool], timeout_s: float) -> bool:
    """Poll until the condition holds; False where it does not within the time."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_S)
    return True


def last_lines(lines: Sequence[str], count: int = 5) -> str:
    """The last lines that say something, as one."""
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


def _pids() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdecimal()]


def _arguments(pid: int) -> list[str]:
    """The command line; nothing for a process that is gone or a zombie."""
    try:
        return os.fsdecode(Path(f"/proc/{pid}/cmdline").read_bytes()).split("\0")[:-1]
    except OSError:
        return []


def _runs(arguments: list[str], programs: frozenset[str], marker: str) -> bool:
    return marker in arguments and not programs.isdisjoint(os.path.basename(argument) for argument in arguments)


def _parent(pid: int) -> int | None:
    stat = _stat(pid)
    return int(stat[1]) if stat else None


def _ended(pid: int) -> bool:
    """Gone, or a zombie that nobody has reaped yet."""
    stat = _stat(pid)
    return not stat or stat[0] in "ZX"


def _stat(pid: int) -> list[str]:
    """State, parent and so on (proc_pid_stat(5) from its third field); nothing for a process that is gone."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace")
    except OSError:
        return []
    return text.rpartition(")")[2].split()
