"""Runs the processes of the service as children: restarts one that dies, leaves none behind."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
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
PR_SET_PDEATHSIG = 1
log = logger(__name__)


@dataclass(frozen=True, slots=True)
class Program:
    """A child: its name and its command line."""

    name: str
    argv: tuple[str, ...]


@dataclass(slots=True)
class Child:
    """A running program, and how often it has died lately."""

    program: Program
    process: subprocess.Popen[bytes]
    started_at: float
    deaths: int = 0
    restart_at: float = field(default=0.0)


def celery_program(name: str, *arguments: str) -> Program:
    """A Celery command on this application."""
    return Program(name, (sys.executable, "-m", "celery", "-A", "worker.app", *arguments))


def service_programs(directory: Path, flow_workers: int, ai_threads: int = 32) -> list[Program]:
    """Intake, the workers of the chain, the worker that waits for providers, and beat.

    A worker of the chain is one process that does its tasks itself: to hand each to a process of a pool and to take its
    result back would cost as much as a step. What takes long, periodic tasks too, is for the threads of worker-ai.
    """
    quiet = ("--without-gossip", "--without-mingle")
    ai = ("-Q", "ai,periodic", "-P", "threads", "-c", str(ai_threads), "-n", "ai@%h")
    numbers = ("", *(f"-{number}" for number in range(2, flow_workers + 1)))
    flow = [(f"worker{number}", ("-Q", "flow,inbound", "-P", "solo", "-n", f"flow{number}@%h")) for number in numbers]
    return [
        Program("intake", (sys.executable, "-m", "worker", "intake")),
        *(celery_program(name, "worker", *arguments, *quiet) for name, arguments in flow),
        celery_program("worker-ai", "worker", *ai, *quiet),
        celery_program("beat", "beat", "-s", str(directory / "beat-schedule"), "--pidfile", ""),
    ]


def metrics_program() -> Program:
    """The exporter for Prometheus."""
    return Program("metrics", (sys.executable, "-m", "worker", "metrics"))


def dashboard_program() -> Program:
    """The operators' page."""
    return Program("dashboard", (sys.executable, "-m", "worker", "dashboard"))


def flower_program(port: int) -> Program:
    """Flower, reachable from this machine alone."""
    return Program("flower", (sys.executable, "-m", "worker.flower", "--address=127.0.0.1", f"--port={port}"))


class Supervisor:
    """Children of one service. Each leads a process group of its own, so that Ctrl-C reaches the supervisor alone and
    a child is ended with everything it forked.
    """

    def __init__(
        self,
        programs: Sequence[Program],
        output: IO[bytes] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._programs = programs
        self._output = output
        self._clock = clock
        self._children: list[Child] = []

    @property
    def children(self) -> tuple[Child, ...]:
        """The children as they are now."""
        return tuple(self._children)

    def start(self) -> None:
        """Starts all programs."""
        self._children = [Child(program, self._launch(program), self._clock()) for program in self._programs]

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
            self.look()
            deaths = max((child.deaths for child in self._children), default=0)
            if seen < deaths >= HOPELESS_DEATHS:
                give_up()
            seen = deaths
            if not ready and is_ready():
                ready = True
                on_ready()

    def look(self) -> None:
        """One look at all children: a dead one is buried and started again, at once the first time."""
        for child in self._children:
            if child.process.poll() is not None:
                self._revive(child)

    def stop(self) -> None:
        """Asks all children to finish, waits, and kills the process group of whoever has not."""
        for child in self._children:
            _signal_group(child.process, signal.SIGTERM, only_leader=True)
        deadline = self._clock() + DRAIN_S
        for child in self._children:
            try:
                child.process.wait(max(deadline - self._clock(), 0.01))
            except subprocess.TimeoutExpired:
                log.warning("child_killed", child=child.program.name)
            _signal_group(child.process, signal.SIGKILL)
            child.process.wait()
        self._children = []

    def _revive(self, child: Child) -> None:
        now = self._clock()
        if child.restart_at == 0.0:
            # What it forked must not go on working beside its successor.
            _signal_group(child.process, signal.SIGKILL)
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
    """A supervisor with its children started, all of them ended at the end of the block."""
    supervisor = Supervisor(programs, output)
    supervisor.start()
    try:
        yield supervisor
    finally:
        supervisor.stop()


def _die_with_parent() -> None:
    """In the child: the kernel sends SIGTERM when the supervisor dies, however it dies (Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def _signal_group(process: subprocess.Popen[bytes], number: signal.Signals, *, only_leader: bool = False) -> None:
    try:
        if only_leader:
            process.send_signal(number)
        else:
            os.killpg(process.pid, number)
    except ProcessLookupError:
        return
