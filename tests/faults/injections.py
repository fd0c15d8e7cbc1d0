"""The ways to break a town. Each returns when it struck, in seconds since 1970."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import cycle
from typing import Final

import psutil

from faults.play import Play
from faults.points import Crash
from faults.programs import AI_LEASE_MARGIN_S, INTAKES, PROCESSES, TIMES, WITH_POOL, WORKERS
from faults.town import Town
from worker.intake.sweep import MAX_ATTEMPTS
from worker.redisdb.keys import RUN_ID
from worker.runtime.embedded.processes import wait_until

#: Longer than the lease of a turn and the sweep's look together, so that what was stopped has been taken over.
STOP_S: Final = float(TIMES["FLOW_LEASE_S"]) + 2.0
#: So long that the sweep starts each turn again more often than a message may be tried.
AWAY_S: Final = (MAX_ATTEMPTS + 1) * (float(TIMES["AI_DEADLINE_S"]) + AI_LEASE_MARGIN_S + 1.0)
BLOCK_S: Final = 10
#: Longer than a step retries, and than a lease.
POSTGRES_AWAY_S: Final = 12.0
CACHE_AWAY_S: Final = 3.0
CRASH_TIMEOUT_S: Final = 20.0
END_TIMEOUT_S: Final = 10.0
HOUR_S: Final = 3_600.0
Inject = Callable[[Play], float]


class NotInjected(Exception):
    """A fault could not be brought about; a suite that counts it as survived would lie."""


def end(names: Sequence[str], number: signal.Signals = signal.SIGKILL) -> Inject:
    """A signal that ends one of these processes."""

    def inject(play: Play) -> float:
        name = play.rng.choice(names)
        wait(lambda: play.town.child(name).process.poll() is None, f"{name} does not run")
        at = time.time()
        play.town.child(name).process.send_signal(number)
        return at

    return inject


def kill_child(play: Play) -> float:
    """SIGKILL of one process of a worker's pool."""
    wait(lambda: bool(play.town.forked(WITH_POOL)), f"{WITH_POOL} has no children")
    at = time.time()
    play.rng.choice(play.town.forked(WITH_POOL)).kill()
    return at


def crash(point: str) -> Inject:
    """The next process to pass the point kills itself there."""
    return lambda play: meet(play.town, point, signal.SIGKILL).at


def meet(town: Town, point: str, number: signal.Signals) -> Crash:
    """Arms the point and waits until somebody has met it."""
    known = len(town.switches.crashes())
    town.switches.arm(point, number.name)
    try:
        wait(lambda: len(town.switches.crashes()) > known, f"nobody passed {point}", CRASH_TIMEOUT_S)
    finally:
        town.switches.disarm(point)
    return town.switches.crashes()[-1]


def stop_and_go_on(play: Play) -> float:
    """SIGSTOP for longer than a lease, then SIGCONT: of an intake, a worker with its pool, or one process of it."""
    name = play.rng.choice((*INTAKES, *WORKERS, *WORKERS[:2]))
    wait(lambda: play.town.child(name).process.poll() is None, f"{name} does not run")
    forked = play.town.forked(name)
    if forked and play.rng.random() < 0.5:
        return _stopped(play.rng.choice(forked).pid, os.kill, STOP_S)
    return _stopped(play.town.child(name).process.pid, os.killpg, STOP_S)


def stop_providers_worker(play: Play) -> float:
    """Nobody asks providers for longer than all the attempts of a message take together."""
    return _stopped(play.town.child("worker-ai").process.pid, os.killpg, AWAY_S)


def kill_redis(play: Play) -> float:
    """SIGKILL of the durable Redis; it comes back with its append-only file."""
    at = time.time()
    play.town.server("redis").kill()
    time.sleep(play.rng.uniform(0, 1))
    play.town.server("redis")
    return at


def cut_power_of_redis(play: Play) -> float:
    """The same, and the end of the append-only file is missing, with replies in it which a worker is just about to
    note as published. What the gateway wrote is older: that would be lost, as the documents say.
    """
    wait(lambda: play.sender.is_idle, "not everything was sent")
    file, known = play.town.append_only_file(), play.town.redis.get(RUN_ID.pattern)
    publishing = meet(play.town, "publish.before", signal.SIGSTOP)
    kept_bytes = file.stat().st_size
    _signal_or_gone(publishing.pid, signal.SIGCONT)
    published = meet(play.town, "publish.after", signal.SIGSTOP)
    at = time.time()
    play.town.server("redis").kill()
    os.truncate(file, kept_bytes)
    play.town.server("redis")
    try:
        wait(lambda: play.town.redis.get(RUN_ID.pattern) not in (None, known), "the sweep does not look after Redis")
    finally:
        _signal_or_gone(published.pid, signal.SIGCONT)
    return at


def kill_cache(play: Play) -> float:
    """SIGKILL of the cache Redis, which stays away for some seconds."""
    at = time.time()
    play.town.server("cache").kill()
    time.sleep(CACHE_AWAY_S)
    play.town.server("cache")
    return at


def flush_cache(play: Play) -> float:
    """FLUSHALL of the cache Redis."""
    at = time.time()
    play.town.cache.flushall()
    return at


def block_redis(play: Play) -> float:
    """The durable Redis does nothing for ten seconds."""
    at = time.time()
    play.town.redis.execute_command("DEBUG", "SLEEP", BLOCK_S)  # type: ignore[no-untyped-call]  # redis-py's
    return at


def restart_postgres(away_s: float = 0.0) -> Inject:
    """PostgreSQL stops without a farewell and starts again (`pg_ctl restart -m immediate`)."""

    def inject(play: Play) -> float:
        at = time.time()
        crash_postgres(play.town, away_s)
        return at

    return inject


def crash_postgres(town: Town, away_s: float = 0.0) -> None:
    """SIGQUIT of PostgreSQL, which is up again at the end."""
    server = town.server("postgres")
    os.kill(server.pid, signal.SIGQUIT)
    wait(lambda: not server.alive(), "PostgreSQL does not end", END_TIMEOUT_S)
    time.sleep(away_s)
    town.server("postgres")


def shift_clock(seconds: float) -> Inject:
    """The wall clock of one process is wrong, until the next fault of this kind. Each process has its turn."""
    names = cycle(PROCESSES)

    def inject(play: Play) -> float:
        right_clocks(play.town)
        at = time.time()
        play.town.shift_clock(next(names), seconds)
        return at

    return inject


def right_clocks(town: Town) -> None:
    """All wall clocks are right again."""
    for name in PROCESSES:
        town.shift_clock(name, 0.0)


def owner(town: Town, pid: int) -> str:
    """The child that a process is, or was forked by."""
    names = {child.process.pid: child.program.name for child in town.supervisor.children}
    family = [pid, *(parent.pid for parent in psutil.Process(pid).parents())]
    return next(names[each] for each in family if each in names)


def wait(condition: Callable[[], bool], otherwise: str, timeout_s: float = END_TIMEOUT_S) -> None:
    """Raises NotInjected where the condition does not come true."""
    if not wait_until(condition, timeout_s):
        raise NotInjected(otherwise)


def _stopped(pid: int, send: Callable[[int, int], None], seconds: float) -> float:
    at = time.time()
    with suppress(ProcessLookupError):
        send(pid, signal.SIGSTOP)
        try:
            time.sleep(seconds)
        finally:
            send(pid, signal.SIGCONT)
    return at


def _signal_or_gone(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)
