"""Supervisor of the processes of the service: restarts one that dies, leaves none behind."""

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import IO

from worker.log import logger

#: How long children may take to finish what they have begun; what is left then is killed, and the sweep rescues it.
DRAIN_S = 12.0
LOOK_EVERY_S = 0.25
#: A child that dies again and again is restarted with a growing pause, at most this.
MAX_PAUSE_S = 2.0
#: A child that has lived this long starts over with the short pause.
STEADY_S = 30.0
#: So many deaths in a row may have a cause that no restart removes.
HOPELESS_DEATHS = 2
#: A program that touches a file while it works does so every few seconds; this long it is not held up by a slow server.
HANGS_AFTER_S = 60.0
PR_SET_PDEATHSIG = 1
log = logger(__name__)


@dataclass(frozen=True, slots=True)
class Program:
    """Program to run. alive: file that it touches again and again once it works; one that does so no more hangs."""

    name: str
    argv: tuple[str, ...]
    alive: Path | None = None


@dataclass(slots=True)
class Child:
    """Running program, and how often it has died lately."""

    program: Program
    process: subprocess.Popen[bytes]
    started_at: float
    deaths: int = 0
    restart_at: float = field(default=0.0)


def celery_program(name: str, *arguments: str, alive: Path | None = None) -> Program:
    """Returns a Celery command on this application."""
    return Program(name, (sys.executable, "-m", "celery", "-A", "worker.app", *arguments), alive)


def chasqui_program(command: str) -> Program:
    """Returns a command of `chasqui`, such as the exporter (`metrics`) or the operators' page (`dashboard`)."""
    return Program(command, (sys.executable, "-m", "worker", command))


def service_programs(directory: Path, flow_workers: int) -> list[Program]:
    """Returns intake, the workers of the chain, the worker that waits for providers, and beat.

    A worker of the chain is one process that does its tasks itself: to hand each to a process of a pool and to take its
    result back would cost as much as a step. What takes long, periodic tasks too, is for the threads of worker-ai.
    """
    alone = ("--without-gossip", "--without-mingle")
    ai = ("-Q", "ai,periodic", "-P", "threads", "-c", "32", "-n", "ai@%h")
    flow = ("-Q", "flow,inbound", "-P", "solo")
    schedule = directory / "beat-schedule"
    beat = ("beat", "-s", str(schedule), "--pidfile", "")
    numbers = ("", *(f"-{number}" for number in range(2, flow_workers + 1)))
    return [
        chasqui_program("intake"),
        *(celery_program(f"worker{n}", "worker", *flow, "-n", f"flow{n}@%h", *alone) for n in numbers),
        celery_program("worker-ai", "worker", *ai, *alone),
        celery_program("beat", *beat, alive=Path(f"{schedule}.alive")),
    ]


def flower_program(port: int) -> Program:
    """Returns Flower, reachable from this machine alone."""
    return Program("flower", (sys.executable, "-m", "worker.flower", "--address=127.0.0.1", f"--port={port}"))


class Supervisor:
    """Supervisor of the programs that it starts: restarts one that dies, with a growing pause.

    Each child leads a process group of its own, so that Ctrl-C reaches the supervisor alone and a child is ended with
    everything it forked.

    Args:
        output: takes what the children print; None: where this process prints.
    """

    def __init__(self, programs: Sequence[Program], output: IO[bytes] | None = None) -> None:
        self._output = output
        self.children = [Child(program, self._launch(program), time.monotonic()) for program in programs]

    def watch(
        self,
        stop: Event,
        keep_servers: Callable[[], None],
        is_ready: Callable[[], bool],
        on_ready: Callable[[], None],
        give_up: Callable[[], None],
    ) -> None:
        """Restarts dead children until `stop` is set, and lets `keep_servers` do the same for embedded servers; calls
        `on_ready` once `is_ready` says so. give_up: called when children die again and again; what it raises ends all.
        """
        ready, seen = False, 0
        while not stop.wait(LOOK_EVERY_S):
            keep_servers()
            self.restart_dead()
            deaths = max((child.deaths for child in self.children), default=0)
            if seen < deaths >= HOPELESS_DEATHS:
                give_up()
            seen = deaths
            if not ready and is_ready():
                ready = True
                on_ready()

    def restart_dead(self) -> None:
        """Restarts the children that have died since the last look and whose pause is over; kills those that hang."""
        for child in self.children:
            if child.process.poll() is None and _hangs(child):
                log.warning("child_hangs", child=child.program.name)
                _kill_group(child.process)
                child.process.wait()
            if child.process.poll() is not None:
                self._revive(child)

    def stop(self) -> None:
        """Asks all children to finish, waits `DRAIN_S`, and kills the process groups of those that have not."""
        for child in self.children:
            child.process.terminate()
        deadline = time.monotonic() + DRAIN_S
        for child in self.children:
            try:
                child.process.wait(max(deadline - time.monotonic(), 0.01))
            except subprocess.TimeoutExpired:
                log.warning("child_killed", child=child.program.name)
            _kill_group(child.process)
            child.process.wait()
        self.children = []

    def _revive(self, child: Child) -> None:
        now = time.monotonic()
        if child.restart_at == 0.0:
            # What it forked must not go on working beside its successor.
            _kill_group(child.process)
            child.deaths = 1 if now - child.started_at > STEADY_S else child.deaths + 1
            child.restart_at = now + min(0.1 * 2 ** (child.deaths - 1), MAX_PAUSE_S)
            log.warning("child_died", child=child.program.name, code=child.process.returncode)
        if now >= child.restart_at:
            child.process, child.started_at, child.restart_at = self._launch(child.program), now, 0.0

    def _launch(self, program: Program) -> subprocess.Popen[bytes]:
        return subprocess.Popen(  # noqa: S603  our own command lines
            program.argv,
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=subprocess.STDOUT if self._output else None,
            start_new_session=True,
            preexec_fn=_die_with_parent,
        )


@contextmanager
def running(programs: Sequence[Program], output: IO[bytes] | None = None) -> Iterator[Supervisor]:
    """Runs the programs under a supervisor for the length of the block."""
    supervisor = Supervisor(programs, output)
    try:
        yield supervisor
    finally:
        supervisor.stop()


def _hangs(child: Child) -> bool:
    """Returns whether a child has worked and then touched its file no more."""
    try:
        silent_s = time.time() - child.program.alive.stat().st_mtime if child.program.alive else 0.0
    except OSError:
        return False
    # A file from before its start says nothing: it may still be waiting for its servers.
    return HANGS_AFTER_S < silent_s < time.monotonic() - child.started_at


def _die_with_parent() -> None:
    """Lets the kernel send this child SIGTERM when the supervisor dies, however it dies (Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
